#include "schema/password.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "catch.hpp"

using namespace repld;

TEST_CASE("password: 32 letters and digits, never the same") {
    std::set<std::string> seen;
    for (int i = 0; i < 20; ++i) {
        const auto made = schema::random_password();
        REQUIRE(made);
        CHECK(made->size() == 32);
        CHECK(std::all_of(made->begin(), made->end(),
                          [](unsigned char c) { return std::isalnum(c) != 0; }));
        CHECK(seen.insert(*made).second);
    }
}

TEST_CASE("password: the verifier does not hold the password and has a salt") {
    const auto one = schema::scram_verifier("repld", "secret0815");
    const auto two = schema::scram_verifier("repld", "secret0815");
    REQUIRE(one);
    REQUIRE(two);
    CHECK(one->rfind("SCRAM-SHA-256$4096:", 0) == 0);
    CHECK(one->find("secret0815") == std::string::npos);
    CHECK(*one != *two);
}

TEST_CASE("password: an empty one or one with a zero byte is refused") {
    CHECK(schema::scram_verifier("repld", "").error().code == errc::usage);
    CHECK(schema::scram_verifier("repld", std::string("a\0b", 3)).error().code == errc::usage);
}
