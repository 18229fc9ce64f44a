#include "schema/hba_lines.hpp"

#include "catch.hpp"

using repld::schema::hba_lines;

TEST_CASE("hba lines: one pair per host, addresses with their full mask") {
    const auto lines =
        hba_lines("repld", "repld", {"10.0.0.11", "10.0.0.12", "10.0.0.11", "fd00::1"});
    REQUIRE(lines.size() == 6);
    CHECK(lines[0] ==
          "host    repld           repld           10.0.0.11/32            scram-sha-256");
    CHECK(lines[1] ==
          "host    replication     repld           10.0.0.11/32            scram-sha-256");
    CHECK(lines[2].find(" 10.0.0.12/32 ") != std::string::npos);
    CHECK(lines[4].find(" fd00::1/128 ") != std::string::npos);
}

TEST_CASE("hba lines: names and networks stand as they are") {
    const auto lines = hba_lines("repld", "repld", {"db1.example.org", "10.0.0.0/24", "fd00::/64"});
    REQUIRE(lines.size() == 6);
    CHECK(lines[0].find(" db1.example.org ") != std::string::npos);
    CHECK(lines[2].find(" 10.0.0.0/24 ") != std::string::npos);
    CHECK(lines[4].find(" fd00::/64 ") != std::string::npos);
}

TEST_CASE("hba lines: what could change the meaning of a line is left out") {
    for (const char* bad :
         {"", "all", "samenet", "10.0.0.1 trust", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/8x",
          "a\nhost all all 0.0.0.0/0 trust", "name/8", "fd00::/129"}) {
        CAPTURE(bad);
        CHECK(hba_lines("repld", "repld", {bad}).empty());
    }
}

TEST_CASE("hba lines: names that are keywords or hold other characters are quoted") {
    const auto lines = hba_lines("all", "my db\"x\n", {"10.0.0.1"});
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("\"my db\"\"x\"") != std::string::npos);
    CHECK(lines[0].find(" \"all\" ") != std::string::npos);
    CHECK(lines[1].find("replication ") != std::string::npos);
    CHECK(lines[1].find('\n') == std::string::npos);
}
