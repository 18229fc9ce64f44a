#include "postgres/row_set.hpp"

#include "catch.hpp"

using repld::postgres::row_set;

TEST_CASE("values are found by row and name, and what is not there is nothing") {
    const row_set r{{"a", "b", "c"}, {{"1", std::nullopt, "t"}, {"x1", "-9", "f"}}, "SELECT 2"};
    CHECK(r.size() == 2);
    CHECK(r.at(0, "a") == "1");
    CHECK(r.at(0, 0) == "1");
    CHECK_FALSE(r.at(0, "b"));
    CHECK_FALSE(r.at(0, "z"));
    CHECK_FALSE(r.at(2, "a"));
    CHECK_FALSE(r.at(0, 3));
    CHECK(r.text(0, "b").empty());
    CHECK(r.flag(0, "c"));
    CHECK_FALSE(r.flag(1, "c"));
    CHECK(r.number(0, "a") == 1);
    CHECK(r.number(1, "b") == -9);
    CHECK_FALSE(r.number(1, "a"));
    CHECK_FALSE(r.number(0, "b"));
    CHECK(row_set{}.empty());
}
