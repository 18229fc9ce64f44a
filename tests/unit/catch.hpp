// Catch2 2 and 3 name their headers differently; tests include this one.
#pragma once
#ifdef REPLD_CATCH2_V3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
