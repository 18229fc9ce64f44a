// asio.hpp plus TLS. Kept apart so that only tls.cpp pays for OpenSSL's headers.
#pragma once

#include "net/asio.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
