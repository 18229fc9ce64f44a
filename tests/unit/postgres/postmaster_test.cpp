#include "postgres/postmaster.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "../process/temporary_directory.hpp"
#include "catch.hpp"
#include "process/child.hpp"
#include "process/proc_table.hpp"

using namespace repld;
using namespace repld::postgres;

namespace {

const char* const whole_file =
    "4711\n/var/lib/postgresql/15/main\n1700000000\n5433\n/var/run/postgresql\n127.0.0.1\n"
    "  5433001         7\nready   \n";

void put(const std::filesystem::path& directory, const std::string& text) {
    std::ofstream(directory / "postmaster.pid") << text;
}

}  // namespace

TEST_CASE("postmaster.pid is understood") {
    const auto f = parse_postmaster_file(whole_file);
    REQUIRE(f);
    CHECK(f->pid == 4711);
    CHECK_FALSE(f->standalone);
    CHECK(f->data_directory == "/var/lib/postgresql/15/main");
    CHECK(f->start_time == 1700000000);
    CHECK(f->port == 5433);
    CHECK(f->socket_directory == "/var/run/postgresql");
    CHECK(f->listen_address == "127.0.0.1");
    CHECK(f->shared_memory == "5433001         7");
    CHECK(f->status == postmaster_status::ready);
}

TEST_CASE("a postmaster.pid that is just being written has what is there") {
    const auto f = parse_postmaster_file("4711\n/data\n1700000000\n5433\n\n\n");
    REQUIRE(f);
    CHECK(f->pid == 4711);
    CHECK(f->port == 5433);
    CHECK(f->socket_directory.empty());
    CHECK(f->status == postmaster_status::unknown);
    // A number without the end of its line may be the beginning of a longer one.
    CHECK(parse_postmaster_file("4711\n/data\n1700000000\n54")->port == 0);
    CHECK_FALSE(parse_postmaster_file("47"));
    const auto single = parse_postmaster_file("-12\n/data\n17\n5432\n/tmp\n");
    REQUIRE(single);
    CHECK(single->standalone);
    CHECK(single->pid == 12);
}

TEST_CASE("the words of every status") {
    using s = postmaster_status;
    for (const auto& [word, status] : {std::pair{"starting", s::starting},
                                       {"stopping", s::stopping},
                                       {"ready   ", s::ready},
                                       {"standby ", s::standby},
                                       {"asleep", s::unknown}}) {
        const auto f = parse_postmaster_file("1\n/d\n1\n1\n/s\n\n1 1\n" + std::string(word) + "\n");
        REQUIRE(f);
        CHECK(f->status == status);
    }
}

TEST_CASE("a damaged postmaster.pid is refused") {
    for (const char* text : {"", "x\n", "0\n/d\n", "1\n/d\nnow\n", "1\n/d\n1\nport\n",
                             "1\n/d\n1\n65536\n", "1\n/d\n1\n-1\n"}) {
        CHECK(parse_postmaster_file(text).error().code == errc::corrupt);
    }
}

TEST_CASE("a pid file that names nobody of this directory is no postmaster") {
    const testing::temporary_directory dir;
    const auto found = [&] {
        const auto p = find_postmaster(dir.path());
        REQUIRE(p);
        return p->has_value();
    };
    CHECK_FALSE(found());
    put(dir.path(), "");
    CHECK_FALSE(found());
    put(dir.path(), std::to_string(::getpid()) + "\n" + dir.path().string() + "\n1\n5432\n/tmp\n");
    CHECK_FALSE(found());  // a number that was used again: us

    // Another program that works there is no server either, but it is told.
    process::child::parts parts;
    parts.argv = {"sleep", "60"};
    parts.working_dir = dir.path();
    auto sleeper = process::child::spawn(parts);
    REQUIRE(sleeper);
    const pid_t pid = sleeper->pid();
    put(dir.path(), std::to_string(pid) + "\n" + dir.path().string() + "\n1\n5432\n/tmp\n");
    CHECK_FALSE(found());
    const auto all = all_server_processes(dir.path());
    REQUIRE(all);
    REQUIRE(all->size() == 1);
    CHECK(all->front().pid == pid);
    CHECK_FALSE(all->front().server_program);
    CHECK(all->front().kind == server_process_kind::by_directory);

    sleeper->kill_group(SIGKILL);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    CHECK_FALSE(found());  // a zombie
    CHECK(all_server_processes(dir.path())->empty());

    put(dir.path(), "garbage\n");
    CHECK(find_postmaster(dir.path()).error().code == errc::corrupt);
    CHECK(all_server_processes(dir.path()).error().code == errc::corrupt);
    CHECK(all_server_processes(dir.path() / "none").error().code == errc::io);
}

TEST_CASE("how to reach the server locally") {
    auto f = *parse_postmaster_file(whole_file);
    CHECK(local_conninfo(f, "u").to_string() ==
          "host=/var/run/postgresql port=5433 user=u dbname=postgres");
    f.data_directory = "/nonexistent";
    CHECK(local_conninfo(f).get("user") == "postgres");
    f.socket_directory = "sockets";
    CHECK(local_conninfo(f).get("host") == "/nonexistent/sockets");
    f.socket_directory.clear();
    CHECK(local_conninfo(f).get("host") == "127.0.0.1");
    f.listen_address = "*";
    CHECK(local_conninfo(f).get("host") == "localhost");
}
