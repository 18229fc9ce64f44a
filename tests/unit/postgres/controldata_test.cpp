#include "postgres/controldata.hpp"

#include <string>

#include "catch.hpp"

using namespace repld;
using namespace repld::postgres;

namespace {

// A standby of version 15, as pg_controldata prints it; the lines that are not read are left out in
// part.
const std::string sample =
    "pg_control version number:            1300\n"
    "Catalog version number:               202209061\n"
    "Database system identifier:           18446744073709551615\n"
    "Database cluster state:               in archive recovery\n"
    "pg_control last modified:             Tue Jan  2 03:04:05 2024\n"
    "Latest checkpoint location:           0/3000060\n"
    "Latest checkpoint's REDO location:    0/3000028\n"
    "Latest checkpoint's REDO WAL file:    000000020000000000000003\n"
    "Latest checkpoint's TimeLineID:       2\n"
    "Latest checkpoint's PrevTimeLineID:   1\n"
    "Minimum recovery ending location:     A/3000110\n"
    "Min recovery ending loc's timeline:   2\n"
    "wal_log_hints setting:                on\n"
    "Bytes per WAL segment:                16777216\n"
    "Data page checksum version:           1\n";

std::string replaced(const std::string& from, const std::string& to) {
    std::string text = sample;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
    const auto c = parse_control_data(text);
    if (c) return "accepted";
    CHECK(c.error().code == errc::corrupt);
    return c.error().detail;
}

}  // namespace

TEST_CASE("the control file of a standby is understood") {
    const auto c = parse_control_data(sample);
    REQUIRE(c);
    CHECK(c->pg_control_version == 1300);
    CHECK(c->system_identifier == 18446744073709551615ULL);
    CHECK(c->state == cluster_state_on_disk::in_archive_recovery);
    CHECK(c->checkpoint == *parse_lsn("0/3000060"));
    CHECK(c->redo == *parse_lsn("0/3000028"));
    CHECK(c->timeline == 2);
    CHECK(c->previous_timeline == 1);
    CHECK(c->min_recovery_end == *parse_lsn("A/3000110"));
    CHECK(c->min_recovery_end_timeline == 2);
    CHECK(c->wal_log_hints);
    CHECK(c->data_checksum_version == 1);
    CHECK(c->wal_segment_size == 16777216);
}

TEST_CASE("every state has its name and is read back from it") {
    for (const auto state :
         {cluster_state_on_disk::starting_up, cluster_state_on_disk::shut_down,
          cluster_state_on_disk::shut_down_in_recovery, cluster_state_on_disk::shutting_down,
          cluster_state_on_disk::in_crash_recovery, cluster_state_on_disk::in_archive_recovery,
          cluster_state_on_disk::in_production}) {
        const auto c = parse_control_data(replaced("in archive recovery", to_string(state)));
        REQUIRE(c);
        CHECK(c->state == state);
    }
}

TEST_CASE("lines with carriage returns and other order are the same") {
    std::string text = "Fake LSN counter for unlogged rels:   0/3E8\r\n";
    for (const char c : sample) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
    CHECK(parse_control_data(text));
}

TEST_CASE("what is missing or wrong in the control file is named") {
    CHECK(refusal("") == "The line \"pg_control version number\" is missing.");
    CHECK(refusal(replaced("wal_log_hints setting", "wal_log_hints")) ==
          "The line \"wal_log_hints setting\" is missing.");
    CHECK(refusal(replaced("in archive recovery", "unrecognized status code")) ==
          "The line \"Database cluster state\" has the value \"unrecognized status code\".");
    CHECK(refusal(replaced("0/3000028", "3000028")).find("REDO location") != std::string::npos);
    CHECK(refusal(replaced("18446744073709551615", "18446744073709551616")).find("identifier") !=
          std::string::npos);
    CHECK(refusal(replaced("16777216", "1000")) == "1000 bytes.");
    CHECK(
        refusal("WARNING: Calculated CRC checksum does not match value stored in file.\n" + sample)
            .find("damaged") != std::string::npos);
}

TEST_CASE("versions of server programs") {
    CHECK(*parse_program_version("postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)\n") == 15);
    CHECK(*parse_program_version("postgres (PostgreSQL) 18beta1\n") == 18);
    CHECK(*parse_program_version("postgres (PostgreSQL) 17devel\n") == 17);
    for (const char* text :
         {"", "postgres 15", "postgres (PostgreSQL) x", "postgres (PostgreSQL) 9.6"}) {
        CHECK(parse_program_version(text).error().code == errc::protocol);
    }
}
