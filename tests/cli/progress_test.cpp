#include "progress_bar.hpp"

#include <chrono>

#include "catch.hpp"
#include "text.hpp"

using namespace repld::cli;
using namespace std::chrono_literals;

namespace {

progress_report copying(double done, double total) {
    return parse_progress(
        {{"step", "clone"}, {"text", "copying"}, {"bytes_done", done}, {"bytes_total", total}});
}

}  // namespace

TEST_CASE("the bar shows share, amount, rate and time left", "[cli]") {
    constexpr double mb = 1024 * 1024;
    CHECK(bar_line(copying(420 * mb, 1000 * mb), 42 * mb, 100) ==
          "clone: copying [########............] 42%, 420 MB of 1000 MB, 42 MB/s, 14 s left");
}

TEST_CASE("the bar never exceeds the width of the terminal", "[cli]") {
    for (std::size_t width = 0; width < 120; ++width) {
        CHECK(display_width(bar_line(copying(1e9, 2e9), 1e6, width)) <= width);
    }
}

TEST_CASE("reports that make no sense are shown without harm", "[cli]") {
    CHECK(parse_progress(42).step.empty());
    CHECK(parse_progress({{"percent", 250}}).percent == 100.0);
    CHECK(parse_progress({{"percent", -1}}).percent == 0.0);
    CHECK(parse_progress({{"percent", "half"}}).percent == std::nullopt);
    CHECK(parse_progress({{"bytes_done", 5}, {"bytes_total", 0}}).percent == std::nullopt);
    CHECK(plain_line(parse_progress({{"step", "start"}})) == "start");
}

TEST_CASE("the rate is that of the step under way", "[cli]") {
    rate_meter meter;
    CHECK(meter.add(copying(1000, 5000), 10s) == 0);
    CHECK(meter.add(copying(3000, 5000), 11s) == 2000);
    CHECK(meter.add(copying(500, 5000), 12s) == 0);  // began again
    CHECK(meter.add(copying(1000, 5000), 13s) == 500);
    auto other = copying(1000, 5000);
    other.step = "rewind";
    CHECK(meter.add(other, 14s) == 0);
}

TEST_CASE("a log gets a line for every tenth, or one a second", "[cli]") {
    plain_filter filter;
    CHECK(filter.wants(copying(0, 100), 1s));
    CHECK_FALSE(filter.wants(copying(9, 100), 5s));
    CHECK(filter.wants(copying(11, 100), 5s));
    CHECK_FALSE(filter.wants(copying(19, 100), 60s));

    auto waiting = parse_progress({{"step", "wait"}, {"text", "1 of 3"}});
    CHECK(filter.wants(waiting, 61s));
    CHECK_FALSE(filter.wants(waiting, 90s));  // nothing new to say
    waiting.text = "2 of 3";
    CHECK(filter.wants(waiting, 90s));
    waiting.text = "3 of 3";
    CHECK_FALSE(filter.wants(waiting, 90s + 500ms));
    CHECK(filter.wants(waiting, 91s));
}
