// rewind() against real servers, with WAL that is recycled as early as PostgreSQL may.
#include <fstream>
#include <sstream>

#include "server_fixture.hpp"

#include "platform/boottime.hpp"
#include "postgres/rewind.hpp"
#include "postgres/rewind_fetch.hpp"
#include "postgres/rewind_fork.hpp"
#include "postgres/rewind_source.hpp"

using namespace repld;
using namespace repld::testing;

namespace {

std::string text_of(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
}

postgres::rewind_request request_for(test_group& group, test_server& source, timeline_id timeline) {
    postgres::rewind_request r;
    r.source_conninfo = source.conninfo();
    r.source_timeline = timeline;
    r.aside_directory = group.path() / "aside";
    r.state_directory = group.path() / "state";
    r.limit = 40s;
    fs::create_directories(r.state_directory);
    return r;
}

}  // namespace

TEST_CASE("a former primary with lost transactions and recycled WAL comes back by rewind") {
    test_group group;
    auto& loop = group.loop();
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    // Each keeps what the other may need: with wal_keep_size = 0 nothing else does.
    must(loop.run(a->server().ensure_slots({"repld_2"}, {})));
    must(loop.run(b->server().ensure_slots({"repld_1"}, {})));
    must(loop.run(b->server().follow(a->conninfo() + " application_name=b", "repld_2")));
    REQUIRE(a->wait_for("SELECT count(*) FROM pg_replication_slots WHERE active", "1"));
    a->sql("INSERT INTO t SELECT generate_series(1, 1000)");
    REQUIRE(b->wait_for("SELECT count(*) FROM t", "1000"));
    must(loop.run(b->server().freeze(5s)));

    // The divergent part: several segments and checkpoints; b never sees it.
    for (int i = 0; i < 3; ++i) {
        a->sql("INSERT INTO t VALUES (-1)");
        a->sql("SELECT pg_switch_wal()");
    }
    a->sql("CHECKPOINT");
    a->sql("INSERT INTO t VALUES (-1)");
    a->observe();
    const bool crash = GENERATE(true, false);
    CAPTURE(crash);
    if (crash) {
        a->kill_postmaster();
        must(loop.run(a->server().fence(platform::boot_now() + 3s, "test")));
    }
    const auto promoted = must(loop.run(b->server().promote(4, platform::boot_now() + 10s)));
    b->sql("INSERT INTO t SELECT generate_series(1001, 2000)");
    for (int i = 0; i < 3; ++i) b->sql("SELECT pg_switch_wal()");
    must(loop.run(b->server().checkpoint(10s)));
    b->sql("CREATE TABLE after_fork(i int)");

    fs::create_directory(a->data() / "log");
    std::ofstream(a->data() / "log" / "mine.log") << "kept\n";
    std::ofstream(a->data() / "server.key") << "secret\n";
    const std::string conf = text_of(a->data() / "postgresql.conf");
    auto request = request_for(group, *b, 4);
    const auto report = must(loop.run(postgres::rewind(a->server(), request)));
    WARN(report.text);
    CHECK(report.method == "pg_rewind");
    CHECK(report.lost_counted);
    CHECK(report.lost_transactions == 4);
    CHECK(report.lost_bytes > 2U * 16 * 1024 * 1024);
    CHECK(fs::exists(report.aside));
    CHECK_FALSE(postgres::rewind_interrupted(request.state_directory));
    CHECK(text_of(a->data() / "postgresql.conf") == conf);
    CHECK(text_of(a->data() / "server.key") == "secret\n");
    CHECK(text_of(a->data() / "log" / "mine.log") == "kept\n");
    CHECK_FALSE(fs::exists(group.path() / "a.repld-wal"));

    must(loop.run(a->server().start_as_standby(20s)));
    must(loop.run(a->server().follow(b->conninfo() + " application_name=a", "repld_1")));
    INFO(a->log_text());
    CHECK(a->wait_for("SELECT count(*) FROM t", "2000"));
    CHECK(a->wait_for("SELECT count(*) FROM t WHERE i < 0", "0"));
    CHECK(promoted.timeline == 4);
    CHECK(loop.run_until([&] {
        const auto o = a->observe();
        return o.core.streaming && o.core.position && o.core.position->timeline == 4;
    }));
}

TEST_CASE("a rewind that is refused changes nothing") {
    test_group group;
    auto& loop = group.loop();
    auto a = group.primary("a");
    auto b = group.standby("b", *a);
    must(loop.run(b->server().freeze(5s)));
    must(loop.run(b->server().promote(2, platform::boot_now() + 10s)));
    auto request = request_for(group, *b, 3);
    request.limit = 2s;
    SECTION("the source never reaches the timeline") {
        const auto refused = loop.run(postgres::rewind(a->server(), request));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == errc::refused);
    }
    SECTION("no hints and no checksums") {
        a->set({"wal_log_hints=off"});
        must(loop.run(a->server().stop(postgres::stop_mode::fast, 10s)));
        a->start();
        const auto refused = loop.run(postgres::rewind(a->server(), request));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message.find("wal_log_hints") != std::string::npos);
    }
    CHECK_FALSE(postgres::rewind_interrupted(request.state_directory));
    a->start();
    CHECK(a->observe().core.state == server_state::primary);
}

TEST_CASE("a directory with a marker counts as interrupted") {
    test_group group;
    CHECK_FALSE(postgres::rewind_interrupted(group.path()));
    std::ofstream(group.path() / "rewind-under-way") << "x\n";
    CHECK(postgres::rewind_interrupted(group.path()));
    must(postgres::clear_rewind_marker(group.path()));
    CHECK_FALSE(postgres::rewind_interrupted(group.path()));
}

TEST_CASE("only WAL from before the fork is fetched") {
    const postgres::wal_fork fork{1, lsn{0x3011B60}, 16U * 1024 * 1024};
    const auto words = [](const std::string& name) {
        return "pg_rewind: error: could not open file \"/d/pg_wal/" + name +
               "\": No such file or directory\npg_rewind: error: could not find previous";
    };
    CHECK(postgres::missing_segment(words("000000010000000000000002"), fork) ==
          "000000010000000000000002");
    CHECK_FALSE(postgres::missing_segment(words("000000010000000000000003"), fork));
    CHECK_FALSE(postgres::missing_segment(words("000000020000000000000002"), fork));
    CHECK_FALSE(postgres::missing_segment(words("pg_control"), fork));
    CHECK_FALSE(postgres::missing_segment("something else", fork));
}

TEST_CASE("the fork is where the histories part") {
    using postgres::find_fork;
    const lsn x{100}, y{200}, z{300};
    CHECK_FALSE(find_fork({}, 1, {}, 1));
    const auto simple = find_fork({}, 1, {{1, x, ""}}, 4);
    REQUIRE(simple);
    CHECK(simple->timeline == 1);
    CHECK(simple->at == x);
    const auto both = find_fork({{1, y, ""}}, 2, {{1, x, ""}}, 3);
    REQUIRE(both);
    CHECK(both->at == x);
    const auto later = find_fork({{1, x, ""}}, 2, {{1, x, ""}, {2, z, ""}}, 3);
    REQUIRE(later);
    CHECK(later->timeline == 2);
    CHECK(later->at == z);
}

TEST_CASE("passwords go to programs by the environment") {
    const auto made = must(postgres::for_program("host=h user=u password=secret"));
    CHECK(made.text.find("secret") == std::string::npos);
    CHECK(made.password == "secret");
}
