// local_server against real servers.
#include <fstream>

#include <sys/stat.h>

#include "server_fixture.hpp"

#include "platform/boottime.hpp"
#include "postgres/server_kill.hpp"
#include "postgres/settings_file.hpp"

using namespace repld;
using namespace repld::testing;
using postgres::local_server;

namespace {

std::chrono::milliseconds since(boot_time begun) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(platform::boot_now() - begun);
}

// A session that runs a statement until the server ends it.
task<void> busy_session(std::string conninfo, std::string sql, bool& begun) {
    auto opened = co_await postgres::connection::open(conninfo, 5s);
    REQUIRE(opened);
    begun = true;
    auto ended = co_await (*opened)->query_simple(sql, 60s);
    CHECK_FALSE(ended);
}

constexpr const char* busy_loop =
    "DO $$ DECLARE i bigint := 0; BEGIN LOOP i := i + 1; END LOOP; END $$";

bool nobody_lives(const test_server& s) {
    const auto left = postgres::all_server_processes(s.data());
    return left && left->empty();
}

}  // namespace

TEST_CASE("a primary and its standby are seen as they are") {
    test_group group;
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    REQUIRE(a->wait_for("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1"));
    a->sql("INSERT INTO t SELECT generate_series(1, 1000)");

    const auto primary = a->observe();
    CHECK(primary.core.state == server_state::primary);
    REQUIRE(primary.core.position);
    CHECK(primary.core.position->timeline == 1);
    CHECK(primary.core.position->end == primary.wal_end);
    CHECK(primary.wal_log_hints);
    CHECK(primary.wal_segment_size == 16U * 1024 * 1024);
    CHECK(primary.system_identifier != 0);
    REQUIRE(primary.senders.size() == 1);
    CHECK(primary.senders[0].application_name == "b");

    REQUIRE(b->wait_for("SELECT count(*) FROM t", "1000"));
    const auto standby = b->observe();
    INFO(standby.core.position_unknown);
    CHECK(standby.core.state == server_state::standby);
    CHECK(standby.core.streaming);
    CHECK(standby.received_timeline == 1);
    CHECK(standby.system_identifier == primary.system_identifier);
    REQUIRE(standby.core.position);
    CHECK(standby.core.position->end >= primary.wal_end);
    CHECK(fs::exists(b->data() / "repld.standby.signal.spare"));

    // One look costs little once the connection is there.
    const boot_time begun = platform::boot_now();
    for (int i = 0; i < 50; ++i) CHECK(b->observe().core.position);
    WARN("50 looks at a standby: " << since(begun).count() << " ms");
    CHECK(since(begun) < 2s);
}

TEST_CASE("the death of the postmaster is told at once, and stopped means nobody is left") {
    test_group group;
    auto a = group.primary("a");
    CHECK(a->observe().core.state == server_state::primary);
    int deaths = 0;
    a->server().watch([&] { ++deaths; });
    a->kill_postmaster();
    const boot_time begun = platform::boot_now();
    CHECK(group.loop().run_until([&] { return deaths == 1; }, 2s));
    CHECK(since(begun) < 100ms);
    CHECK(group.loop().run_until([&] { return a->observe().core.state == server_state::stopped; },
                                 5s));
    INFO(a->log_text());
    a->start();
    CHECK(a->observe().core.state == server_state::primary);
    a->kill_postmaster();
    CHECK(group.loop().run_until([&] { return deaths == 2; }, 2s));
}

TEST_CASE("a standby is frozen, also with replay paused, and thawed by follow") {
    test_group group;
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    REQUIRE(a->wait_for("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1"));
    const bool paused = GENERATE(false, true);
    CAPTURE(paused);
    if (paused) {
        b->sql("SELECT pg_wal_replay_pause()");
        a->sql("INSERT INTO t VALUES (1)");
        REQUIRE(b->wait_for("SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()", "t"));
    }
    b->observe();
    boot_time begun = platform::boot_now();
    const auto position = must(group.loop().run(b->server().freeze(2s)));
    WARN("freeze: " << since(begun).count() << " ms");
    CHECK(position.timeline == 1);
    CHECK(b->sql("SELECT count(*) FROM pg_stat_wal_receiver") == "0");
    a->sql("INSERT INTO t VALUES (2)");
    begun = platform::boot_now();
    CHECK(must(group.loop().run(b->server().freeze(2s))) == position);
    WARN("freeze again: " << since(begun).count() << " ms");
    CHECK(b->sql("SHOW primary_conninfo").empty());

    must(group.loop().run(b->server().follow(a->conninfo() + " application_name=b", "")));
    if (paused) b->sql("SELECT pg_wal_replay_resume()");
    CHECK(b->wait_for("SELECT count(*) FROM t WHERE i = 2", "1"));
}

TEST_CASE(
    "a restarted standby knows its position only when replay has reached the end of its WAL") {
    test_group group;
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    a->sql("INSERT INTO t SELECT generate_series(1, 1000)");
    REQUIRE(b->wait_for("SELECT count(*) FROM t", "1000"));
    const auto frozen = must(group.loop().run(b->server().freeze(2s)));

    SECTION("it replays everything") {
        must(group.loop().run(b->server().stop(postgres::stop_mode::fast, 10s)));
        must(group.loop().run(b->server().start_as_standby(10s)));
        b->forget();
        CHECK(must(group.loop().run(b->server().freeze(8s))) == frozen);
        CHECK_FALSE(b->observe().receive.valid());
    }
    SECTION("replay is delayed: the scan of pg_wal tells") {
        must(group.loop().run(b->server().follow(a->conninfo() + " application_name=b", "")));
        b->sql("ALTER SYSTEM SET recovery_min_apply_delay = '1h'");
        b->sql("SELECT pg_reload_conf()");
        REQUIRE(b->wait_for("SHOW recovery_min_apply_delay", "1h"));
        a->sql("INSERT INTO t SELECT generate_series(1, 1000)");
        const std::string end = a->sql("SELECT pg_current_wal_flush_lsn()");
        REQUIRE(b->wait_for("SELECT pg_last_wal_receive_lsn() >= '" + end + "'", "t"));
        const auto received = must(group.loop().run(b->server().freeze(2s)));
        must(group.loop().run(b->server().stop(postgres::stop_mode::fast, 10s)));
        must(group.loop().run(b->server().start_as_standby(10s)));
        b->forget();
        const auto first = b->observe();
        CHECK_FALSE(first.core.position);
        CHECK_FALSE(first.core.position_unknown.empty());
        const auto scanned = must(group.loop().run(b->server().freeze(8s)));
        CHECK(scanned == received);
        CHECK(scanned.end > b->observe().replay);
    }
}

TEST_CASE("a fenced server is dead to its last backend and boots as a standby") {
    test_group group;
    auto a = group.primary("a");
    const std::string work = GENERATE(std::string("SELECT pg_sleep(60)"), std::string(busy_loop));
    const bool killed_before = GENERATE(false, true);
    CAPTURE(work, killed_before);
    a->observe();
    bool begun = false;
    asio::co_spawn(group.loop().executor(), busy_session(a->conninfo(), work, begun),
                   asio::detached);
    REQUIRE(group.loop().run_until([&] { return begun; }));
    group.loop().run_until([] { return false; }, 50ms);
    if (killed_before) a->kill_postmaster();
    const boot_time start = platform::boot_now();
    must(group.loop().run(a->server().fence(start + 2s, "test")));
    WARN("fence: " << since(start).count() << " ms");
    CHECK(since(start) < 3s);
    CHECK(nobody_lives(*a));
    CHECK(fs::exists(a->data() / "standby.signal"));
    CHECK(a->observe().core.state == server_state::stopped);
    must(group.loop().run(a->server().start_as_standby(10s)));
    const auto seen = a->observe();
    CHECK(seen.core.state == server_state::standby);
    CHECK(seen.primary_conninfo.empty());
}

TEST_CASE("a server that is stopped by SIGSTOP is fenced") {
    test_group group;
    auto a = group.primary("a");
    const auto all = postgres::all_server_processes(a->data());
    REQUIRE(all);
    for (const auto& p : *all) ::kill(p.pid, SIGSTOP);
    must(group.loop().run(a->server().fence(platform::boot_now() + 1s, "test")));
    CHECK(nobody_lives(*a));
}

TEST_CASE("a standby is promoted to the timeline that was given out") {
    test_group group;
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    auto c = group.standby("c", *a);
    a->sql("INSERT INTO t VALUES (1)");
    REQUIRE(b->wait_for("SELECT count(*) FROM t", "1"));
    REQUIRE(c->wait_for("SELECT count(*) FROM t", "1"));
    a->kill_postmaster();
    must(group.loop().run(a->server().fence(platform::boot_now() + 2s, "test")));
    must(group.loop().run(b->server().freeze(2s)));
    must(group.loop().run(c->server().freeze(2s)));

    const boot_time begun = platform::boot_now();
    const auto done = must(group.loop().run(b->server().promote(7, begun + 5s)));
    WARN("promote: " << since(begun).count() << " ms");
    CHECK(done.timeline == 7);
    CHECK(done.fork.valid());
    CHECK(done.wal_end > done.fork);
    b->sql("INSERT INTO t VALUES (2)");
    const auto seen = b->observe();
    CHECK(seen.core.state == server_state::primary);
    CHECK(seen.timeline == 7);
    CHECK(b->sql("SELECT count(*) FROM pg_ls_dir('pg_wal') f WHERE f LIKE '%.history'") == "6");

    must(group.loop().run(b->server().ensure_slots({"repld_3"}, {})));
    must(group.loop().run(c->server().follow(b->conninfo() + " application_name=c", "repld_3")));
    CHECK(c->wait_for("SELECT count(*) FROM t", "2"));
    CHECK(group.loop().run_until([&] {
        const auto o = c->observe();
        return o.core.position && o.core.position->timeline == 7;
    }));
    must(group.loop().run(b->server().ensure_slots({"repld_4"}, {})));
    CHECK(b->observe().slots.size() == 2);  // an active one stays

    must(group.loop().run(b->server().fence(platform::boot_now() + 2s, "test")));
    must(group.loop().run(b->server().start_as_standby(10s)));
    CHECK(b->observe().core.state == server_state::standby);

    const auto refused = group.loop().run(b->server().promote(7, platform::boot_now() + 5s));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
}

TEST_CASE("a server that cannot start says why") {
    test_group group;
    auto a = group.primary("a");
    must(group.loop().run(a->server().stop(postgres::stop_mode::fast, 10s)));
    a->set({"shared_buffers = 'nonsense'"});
    const auto failed = group.loop().run(a->server().start_as_standby(5s));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().detail.find("shared_buffers") != std::string::npos);
}

TEST_CASE("wal_keep_size comes back as it was") {
    test_group group;
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    const bool own = GENERATE(true, false);
    if (own) b->sql("ALTER SYSTEM SET wal_keep_size = '48MB'");
    must(group.loop().run(b->server().stop(postgres::stop_mode::fast, 10s)));
    must(group.loop().run(b->server().start_as_standby(10s)));
    CHECK(b->sql("SHOW wal_keep_size") == "1048577MB");
    must(group.loop().run(b->server().follow(a->conninfo(), "")));
    CHECK(b->wait_for("SHOW wal_keep_size", own ? "48MB" : "0"));
}

TEST_CASE("slots of a standby follow, and never pass its own replay") {
    test_group group;
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    must(group.loop().run(b->server().ensure_slots({"repld_1", "repld_3"}, {})));
    a->sql("INSERT INTO t SELECT generate_series(1, 1000)");
    REQUIRE(b->wait_for("SELECT count(*) FROM t", "1000"));
    must(group.loop().run(
        b->server().ensure_slots({"repld_1"}, {{"repld_1", lsn{~std::uint64_t{0} / 2}}})));
    const auto seen = b->observe();
    REQUIRE(seen.slots.size() == 1);
    CHECK(seen.slots[0].name == "repld_1");
    CHECK(seen.slots[0].restart <= seen.replay);
    CHECK(seen.slots[0].restart > lsn{0x2000000});
    must(group.loop().run(a->server().checkpoint(5s)));
}
