#include "postgres/wal_file.hpp"

#include "catch.hpp"

using namespace repld;
using namespace repld::postgres;

namespace {

constexpr std::uint64_t mb = 1024 * 1024;

lsn at(const char* text) {
    return *parse_lsn(text);
}

std::string refusal(std::string_view text, timeline_id child = 9) {
    const auto r = parse_history(text, child);
    if (r) return "accepted";
    CHECK(r.error().code == errc::corrupt);
    return r.error().message;
}

}  // namespace

TEST_CASE("names of WAL segments, as pg_walfile_name() gives them") {
    const auto name = [](const char* position, std::uint64_t size, timeline_id timeline = 1) {
        return segment_name(segment_of(timeline, at(position), size), size);
    };
    CHECK(name("0/3000148", 16 * mb) == "000000010000000000000003");
    CHECK(name("0/3000000", 16 * mb) == "000000010000000000000003");
    CHECK(name("0/2FFFFFF", 16 * mb) == "000000010000000000000002");
    CHECK(name("A/FF000000", 16 * mb, 31) == "0000001F0000000A000000FF");
    CHECK(name("A/FF000000", mb) == "000000010000000A00000FF0");
    CHECK(name("A/FF000000", 1024 * mb) == "000000010000000A00000003");
    CHECK(name("FFFFFFFF/FFFFFFFF", 16 * mb) == "00000001FFFFFFFF000000FF");
}

TEST_CASE("a name leads back to its segment, for every size") {
    for (std::uint64_t size = mb; size <= 1024 * mb; size *= 2) {
        REQUIRE(valid_segment_size(size));
        for (const char* text : {"0/0", "0/3000148", "1/0", "FFFFFFFF/FFFFFFFF"}) {
            const auto segment = segment_of(7, at(text), size);
            CHECK(parse_segment_name(segment_name(segment, size), size) == segment);
            CHECK(segment_start(segment.number, size).value <= at(text).value);
            CHECK(at(text).value - segment_start(segment.number, size).value < size);
        }
    }
    for (const std::uint64_t size : {mb * 0, mb - 1, mb * 3, mb / 2, mb * 2048}) {
        CHECK_FALSE(valid_segment_size(size));
    }
}

TEST_CASE("other names in pg_wal are no segments") {
    for (const char* name :
         {"", "00000001", "000000010000000000000003.partial", "00000001000000000000000g",
          "00000001000000000000000a", "00000002.history", "000000000000000000000003",
          "000000010000000000000100", "000000010000000000000003.00000028.backup",
          " 00000010000000000000003"}) {
        CHECK_FALSE(parse_segment_name(name, 16 * mb));
    }
    CHECK(history_name(26) == "0000001A.history");
    CHECK(parse_history_name("0000001A.history") == 26U);
    for (const char* name : {"1A.history", "0000001A.histor", "00000000.history",
                             "0000001a.history", "0000001A.history.ready"}) {
        CHECK_FALSE(parse_history_name(name));
    }
}

TEST_CASE("a history file is read and written") {
    const char* const text =
        "1\t0/3000148\tno recovery target specified\n"
        "\n"
        "2\t0/5000000\tbefore 2024-01-01 00:00:00+00\n";
    const auto history = parse_history(text, 3);
    REQUIRE(history);
    CHECK(*history ==
          std::vector<timeline_switch>{{1, at("0/3000148"), "no recovery target specified"},
                                       {2, at("0/5000000"), "before 2024-01-01 00:00:00+00"}});
    CHECK(*parse_history(print_history(*history), 3) == *history);
    CHECK(print_history({{1, at("A/0"), "two\nlines"}}) == "1\tA/0\ttwo lines\n");
    CHECK(parse_history("", 1)->empty());
    CHECK(*parse_history("# made by hand\n 1 0/10\r\n", 2) ==
          std::vector<timeline_switch>{{1, at("0/10"), ""}});
    CHECK(parse_history("1\t0/3000148", 2)->size() == 1);
}

TEST_CASE("a damaged history file is refused with the line that is wrong") {
    CHECK(refusal("1\t0/1\tx\nx\t0/2\ty\n") ==
          "timeline history, line 2: timeline number expected, found \"x\"");
    CHECK(refusal("0\t0/1\n").ends_with("found \"0\""));
    CHECK(refusal("99999999999\t0/1\n").ends_with("found \"99999999999\""));
    CHECK(refusal("1\n") == "timeline history, line 1: WAL position expected, found \"\"");
    CHECK(refusal("1\t03000148\n").ends_with("found \"03000148\""));
    CHECK(refusal("2\t0/1\n2\t0/2\n") == "timeline history, line 2: timeline numbers do not rise");
    CHECK(refusal("2\t0/1\n1\t0/2\n") == "timeline history, line 2: timeline numbers do not rise");
    CHECK(refusal("1\t0/2\n2\t0/1\n").find("lies before") != std::string::npos);
    CHECK(refusal("9\t0/2\n").find("is not below timeline 9") != std::string::npos);
}
