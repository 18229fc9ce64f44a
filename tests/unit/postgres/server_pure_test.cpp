// What local_server decides without a server.
#include <fstream>

#include <sys/stat.h>

#include "server_fixture.hpp"

#include "platform/files.hpp"
#include "postgres/server_files.hpp"
#include "postgres/server_position.hpp"
#include "postgres/server_title.hpp"
#include "postgres/settings_file.hpp"

using namespace repld;
using namespace repld::postgres;

TEST_CASE("postgresql.auto.conf keeps what is not changed") {
    const std::string file =
        "# Do not edit\nport = 5433\nPrimary_Conninfo = 'old'\n  work_mem='1MB' # why\n";
    const auto out = change_settings(
        file, {{"primary_conninfo", "host=x password='it''s \\'"}, {"port", std::nullopt}});
    CHECK(out ==
          "# Do not edit\n  work_mem='1MB' # why\n"
          "primary_conninfo = 'host=x password=''it''''s \\\\'''\n");
    CHECK(find_setting(out, "primary_conninfo") == "host=x password='it''s \\'");
    CHECK(find_setting(out, "work_mem") == "1MB");
    CHECK_FALSE(find_setting(out, "port"));
    CHECK(find_setting("a = 1\na = 'x\\'y'\n", "A") == "x'y");
    CHECK(find_setting("a 'b'", "a") == "b");
    CHECK(find_setting("a = 5MB# c", "a") == "5MB");
}

TEST_CASE("process titles name the walreceiver and nobody else") {
    CHECK(is_walreceiver_title("postgres: walreceiver streaming 0/3000148"));
    CHECK(is_walreceiver_title("postgres: walreceiver "));
    CHECK(is_walreceiver_title("postgres: main: x: walreceiver waiting"));
    CHECK_FALSE(is_walreceiver_title("postgres: walreceiver postgres [local] idle"));
    CHECK_FALSE(is_walreceiver_title("postgres: walsender x 1.2.3.4(5) streaming 0/3"));
    CHECK(is_startup_title("postgres: startup recovering 000000010000000000000003"));
    CHECK(is_startup_title("postgres: c1: startup waiting for 000000010000000000000003"));
}

TEST_CASE("a position needs a reason to be known (R15)") {
    position_memory memory;
    standby_facts now{10, "", false, {}, lsn{0x1000}, 0, 0};
    remember(memory, now);
    SECTION("after a restart it is unknown, and a scan may tell") {
        const auto verdict = judge_position(memory, now, 1, 0);
        CHECK_FALSE(verdict.position);
        CHECK(verdict.scan);
    }
    SECTION("replay at the end") {
        memory.end_reached = true;
        CHECK(judge_position(memory, now, 1, 0).position == wal_position{1, lsn{0x1000}});
    }
    SECTION("another startup process begins anew") {
        memory.end_reached = true;
        now.startup = 11;
        remember(memory, now);
        CHECK_FALSE(judge_position(memory, now, 1, 0).position);
    }
    SECTION("a scanned end") {
        memory.scanned = wal_position{1, lsn{0x2000}};
        CHECK(judge_position(memory, now, 1, 0).position == wal_position{1, lsn{0x2000}});
        now.replay = lsn{0x3000};
        CHECK(judge_position(memory, now, 1, 0).position == wal_position{1, lsn{0x3000}});
    }
    SECTION("received, the larger counts") {
        now.receive = lsn{0x800};
        CHECK(judge_position(memory, now, 1, 0).position == wal_position{1, lsn{0x1000}});
        now.receive = lsn{0x1800};
        CHECK(judge_position(memory, now, 1, 0).position == wal_position{1, lsn{0x1800}});
    }
    SECTION("a timeline that is received and not replayed") {
        now.receive = lsn{0x1800};
        now.received_timeline = 2;
        now.walreceiver = 20;
        remember(memory, now);
        CHECK_FALSE(judge_position(memory, now, 1, 0).position);
        now.received_timeline = 0;
        now.walreceiver = 0;
        remember(memory, now);
        CHECK_FALSE(judge_position(memory, now, 1, 0).position);
        CHECK(judge_position(memory, now, 2, 0).position == wal_position{2, lsn{0x1800}});
    }
    SECTION("received before the daemon came: a later history file makes it doubtful") {
        now.receive = lsn{0x1800};
        CHECK_FALSE(judge_position(memory, now, 1, 2).position);
    }
}

TEST_CASE("the remembered timeline holds while nothing can have changed it") {
    position_memory memory;
    standby_facts now{10, "", false, lsn{0x1000}, lsn{0x1000}, 20, 1};
    remember(memory, now);
    CHECK_FALSE(timeline_holds(memory, now));
    memory.replayed_timeline = 1;
    memory.asked_with = now;
    CHECK(timeline_holds(memory, now));
    now.replay = lsn{0x2000};
    CHECK(timeline_holds(memory, now));
    now.received_timeline = 2;
    CHECK_FALSE(timeline_holds(memory, now));
    now.received_timeline = 0;
    now.walreceiver = 0;
    CHECK_FALSE(timeline_holds(memory, now));
    now.replay = lsn{0x1000};
    CHECK(timeline_holds(memory, now));
}

TEST_CASE("ends of records, across pages and segments") {
    constexpr std::uint64_t segment = 16U * 1024 * 1024;
    CHECK(record_end(lsn{0x1000060}, 54, segment) == lsn{0x1000098});
    CHECK(record_end(lsn{0x1001FF0}, 16, segment) == lsn{0x1002000});
    CHECK(record_end(lsn{0x1001FF0}, 24, segment) == lsn{0x1002000 + 24 + 8});
    CHECK(record_end(lsn{0x1FFFFF0}, 24, segment) == lsn{0x2000000 + 40 + 8});
    const std::string line =
        "rmgr: Heap        len (rec/tot):     54/    54, tx:        735, lsn: 0/01000060, prev "
        "0/01000028, desc: INSERT off 1";
    CHECK(end_of_waldump_line(line, segment) == lsn{0x1000098});
    const std::string last =
        "rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/01000060, prev "
        "0/01000028, desc: SWITCH ";
    CHECK(end_of_waldump_line(last, segment) == lsn{0x2000000});
    CHECK_FALSE(end_of_waldump_line("pg_waldump: error: x", segment));
}

TEST_CASE("timelines are reserved by placeholders, and the placeholders go again") {
    testing::test_group group;
    const auto& data = group.path();
    REQUIRE(std::filesystem::create_directory(data / "pg_wal"));
    testing::must(reserve_timelines(data, 2, 5));
    CHECK(std::filesystem::exists(data / "pg_wal/00000003.history"));
    CHECK(std::filesystem::exists(data / "pg_wal/00000004.history"));
    CHECK_FALSE(std::filesystem::exists(data / "pg_wal/00000005.history"));
    CHECK(newest_history(data) == 0);
    CHECK_FALSE(reserve_timelines(data, 5, 5));
    std::ofstream(data / "pg_wal/00000006.history") << "1\t0/3000000\tno recovery target\n";
    CHECK_FALSE(reserve_timelines(data, 5, 6));
    CHECK(newest_history(data) == 6);
    testing::must(drop_reservations(data));
    CHECK_FALSE(std::filesystem::exists(data / "pg_wal/00000003.history"));
    CHECK(std::filesystem::exists(data / "pg_wal/00000006.history"));
    CHECK(testing::must(timeline_begin(data, 6)) == lsn{0x3000000});
}

TEST_CASE("standby.signal is put from the spare file when a new one cannot be made") {
    testing::test_group group;
    testing::must(put_spare_signal(group.path()));
    testing::must(put_standby_signal(group.path()));
    CHECK(std::filesystem::exists(group.path() / "standby.signal"));
    CHECK(std::filesystem::exists(group.path() / "repld.standby.signal.spare"));
}
