#include "net/log_limiter.hpp"

#include "catch.hpp"

using repld::net::log_limiter;
using namespace std::chrono_literals;

TEST_CASE("the same complaint comes through once per interval") {
    log_limiter limiter(1min, 10);
    const log_limiter::clock::time_point start{1h};
    CHECK(limiter.allow("a", start));
    CHECK(limiter.allow("b", start));
    CHECK_FALSE(limiter.allow("a", start + 59s));
    CHECK(limiter.allow("a", start + 60s));
    CHECK_FALSE(limiter.allow("a", start + 61s));
}

TEST_CASE("a flood of distinct complaints is cut off, and forgotten in time") {
    log_limiter limiter(1min, 10);
    const log_limiter::clock::time_point start{1h};
    int passed = 0;
    for (int i = 0; i < 1000; ++i) passed += limiter.allow(std::to_string(i), start) ? 1 : 0;
    CHECK(passed == 10);
    CHECK(limiter.allow("new", start + 2min));
}
