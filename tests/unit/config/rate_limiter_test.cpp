#include "logging/rate_limiter.hpp"

#include "catch.hpp"

using namespace repld;
using namespace repld::logging;
using namespace std::chrono_literals;

TEST_CASE("a key speaks once per interval and tells what it held back") {
    rate_limiter limiter;
    const boot_time start{100s};
    CHECK(limiter.once_per("a", 60s, start) == 0);
    CHECK_FALSE(limiter.once_per("a", 60s, start + 1s));
    CHECK_FALSE(limiter.once_per("a", 60s, start + 59s));
    CHECK(limiter.once_per("b", 60s, start + 59s) == 0);
    CHECK(limiter.once_per("a", 60s, start + 60s) == 2);
    CHECK_FALSE(limiter.once_per("a", 60s, start + 61s));
    limiter.forget("a");
    CHECK(limiter.once_per("a", 60s, start + 62s) == 0);
}

TEST_CASE("the number of keys is bounded and the oldest is forgotten") {
    rate_limiter limiter;
    boot_time now{1s};
    for (std::size_t i = 0; i < 2 * rate_limiter::keys_max; ++i, now += 1ms)
        CHECK(limiter.once_per(std::to_string(i), 1h, now) == 0);
    CHECK_FALSE(limiter.once_per(std::to_string(2 * rate_limiter::keys_max - 1), 1h, now));
    CHECK(limiter.once_per("0", 1h, now) == 0);
}
