#include "core/units.hpp"

#include "catch.hpp"

using namespace repld;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their unit") {
    using row = std::pair<const char*, duration>;
    for (const auto& [text, value] :
         {row{"6s", 6s}, row{"200ms", 200ms}, row{"1min", 1min}, row{"5min", 5min},
          row{"10m", 10min}, row{"1h", 1h}, row{"7d", 168h}, row{"100us", 100us}, row{"0s", 0s},
          row{" 6 s ", 6s}}) {
        INFO(text);
        const auto parsed = parse_duration(text);
        REQUIRE(parsed.has_value());
        CHECK(*parsed == value);
    }
}

TEST_CASE("durations that cannot be meant are refused") {
    for (const char* text : {"", " ", "6", "0", "s", "-1s", "+1s", "1.5s", "6S", "6 sec", "6ss",
                             "0x6s", "300000d", "99999999999999999999s", "6s 5ms"}) {
        INFO(text);
        const auto parsed = parse_duration(text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == errc::usage);
        CHECK_FALSE(parsed.error().hint.empty());
    }
    CHECK(parse_duration("6").error().detail == "The unit is missing.");
}

TEST_CASE("durations are printed in their largest exact unit and read back") {
    CHECK(format_duration(6s) == "6s");
    CHECK(format_duration(60s) == "1min");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(36h) == "36h");
    CHECK(format_duration(168h) == "7d");
    CHECK(format_duration(1500us) == "1500us");
    CHECK(format_duration(0s) == "0s");
    for (const auto value : {duration(1), duration(999), duration(1'000'000'007), duration::max()})
        CHECK(*parse_duration(format_duration(value)) == value);
}

TEST_CASE("sizes are binary and carry their unit") {
    CHECK(*parse_size("16MB") == 16ULL << 20);
    CHECK(*parse_size("10GB") == 10ULL << 30);
    CHECK(*parse_size("1kB") == 1024);
    CHECK(*parse_size("1TB") == 1ULL << 40);
    CHECK(*parse_size("512B") == 512);
    CHECK(*parse_size("0B") == 0);
    for (const char* bad :
         {"", "16", "16mb", "16KB", "16M", "1.5GB", "-1MB", "16777216TB", "1min"}) {
        INFO(bad);
        CHECK_FALSE(parse_size(bad).has_value());
    }
    CHECK(format_size(16ULL << 20) == "16MB");
    CHECK(format_size(1025) == "1025B");
    CHECK(format_size(0) == "0B");
    for (const auto value : {std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{1} << 63})
        CHECK(*parse_size(format_size(value)) == value);
}
