#include "core/types.hpp"

#include "catch.hpp"

using namespace repld;

TEST_CASE("an lsn is printed and read as PostgreSQL does") {
    CHECK(to_string(lsn{0x3000148}) == "0/3000148");
    CHECK(to_string(lsn{0x1'00000000}) == "1/0");
    CHECK(parse_lsn("0/3000148") == lsn{0x3000148});
    CHECK(parse_lsn("FFFFFFFF/FFFFFFFF") == lsn{~std::uint64_t{0}});
    for (const char* bad :
         {"", "/", "0/", "/0", "0", "0/x", "123456789/0", "0/1/2", "-1/0", " 0/0"})
        CHECK_FALSE(parse_lsn(bad).has_value());
}

TEST_CASE("positions compare by timeline first") {
    CHECK(wal_position{2, lsn{100}} > wal_position{1, lsn{900}});
    CHECK(wal_position{1, lsn{100}} < wal_position{1, lsn{101}});
}

TEST_CASE("ballots compare by term first") {
    CHECK(ballot{2, 1} > ballot{1, 9});
    CHECK(ballot{2, 1} < ballot{2, 2});
    CHECK(ballot{}.none());
}
