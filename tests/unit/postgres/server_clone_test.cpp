// clone() against real servers.
#include <fstream>
#include <sstream>

#include <sys/stat.h>

#include "server_fixture.hpp"

#include "postgres/clone.hpp"
#include "postgres/clone_progress.hpp"
#include "postgres/settings_file.hpp"

using namespace repld;
using namespace repld::testing;

TEST_CASE("a clone into an empty place runs beside its source") {
    test_group group;
    auto& loop = group.loop();
    auto a = group.primary("a");
    a->sql("INSERT INTO t SELECT generate_series(1, 1000)");
    must(loop.run(a->server().ensure_slots({"repld_2"}, {})));
    auto b = group.adopt("b");
    postgres::clone_options options;
    options.bin_directory = bin_directory();
    options.slot = "repld_2";
    options.own_conninfo = b->conninfo();
    options.local_conninfo = b->conninfo();
    options.limit = 60s;
    std::uint64_t total = 0;
    options.on_progress = [&](std::uint64_t, std::uint64_t all, std::string) { total = all; };
    must(loop.run(postgres::clone(a->conninfo(), b->data(), options)));
    CHECK(total > 10U * 1024 * 1024);
    CHECK_FALSE(fs::exists(group.path() / "b.repld-clone"));
    must(loop.run(b->server().start_as_standby(20s)));
    CHECK(b->observe().core.state == server_state::standby);
    must(loop.run(b->server().follow(a->conninfo() + " application_name=b", "repld_2")));
    a->sql("INSERT INTO t VALUES (0)");
    CHECK(b->wait_for("SELECT count(*) FROM t", "1001"));

    SECTION("again, over a directory with content: configuration kept, old one aside") {
        const auto busy = loop.run(postgres::clone(a->conninfo(), b->data(), options));
        REQUIRE_FALSE(busy);
        CHECK(busy.error().code == errc::refused);
        must(loop.run(b->server().stop(postgres::stop_mode::fast, 10s)));
        b->set({"work_mem = '7MB'"});
        std::ofstream(b->data() / "mine") << "x";
        options.keep_config_from = b->data();
        must(loop.run(postgres::clone(a->conninfo(), b->data(), options)));
        CHECK(fs::exists(group.path() / "b.repld-old-1" / "mine"));
        CHECK_FALSE(fs::exists(b->data() / "mine"));
        must(loop.run(b->server().start_as_standby(20s)));
        CHECK(b->sql("SHOW work_mem") == "7MB");
        CHECK(b->sql("SHOW primary_conninfo").empty());
        struct stat info {};
        REQUIRE(::stat(b->data().c_str(), &info) == 0);
        CHECK((info.st_mode & 077) == 0);
    }
}

TEST_CASE("a clone that fails leaves nothing behind") {
    test_group group;
    auto a = group.primary("a");
    postgres::clone_options options;
    options.bin_directory = bin_directory();
    options.slot = "there_is_no_such_slot";
    options.limit = 30s;
    const auto failed =
        group.loop().run(postgres::clone(a->conninfo(), group.path() / "b", options));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().detail.find("there_is_no_such_slot") != std::string::npos);
    CHECK_FALSE(fs::exists(group.path() / "b"));
    CHECK_FALSE(fs::exists(group.path() / "b.repld-clone"));
}

TEST_CASE("progress lines and adapted settings") {
    const auto progress = postgres::parse_progress("  12345/67890 kB (18%), 0/1 tablespace");
    REQUIRE(progress);
    CHECK(progress->done == 12345U * 1024);
    CHECK(progress->total == 67890U * 1024);
    CHECK_FALSE(postgres::parse_progress("waiting for checkpoint"));

    const postgres::source_settings source{"5432", "localhost,10.0.0.1", "/run/a"};
    const auto own = must(postgres::conninfo::parse("host=10.0.0.2 port=5433"));
    const auto local = must(postgres::conninfo::parse("host=/run/b"));
    const auto adapted = postgres::adapt_settings(source, own, local);
    CHECK(adapted.at("port") == "5433");
    CHECK(adapted.at("listen_addresses") == "localhost,10.0.0.2");
    CHECK(adapted.at("unix_socket_directories") == "/run/b");
    CHECK(adapted.at("primary_conninfo") == "");
    const auto same = postgres::adapt_settings({"5433", "*", "/run/b, /tmp"}, own, local);
    CHECK(same.size() == 2);
}
