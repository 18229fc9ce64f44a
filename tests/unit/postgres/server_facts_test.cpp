// What a real server's files and processes say.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "../process/run_task.hpp"
#include "catch.hpp"
#include "postgres/connection.hpp"
#include "postgres/controldata.hpp"
#include "postgres/postmaster.hpp"
#include "process/pidfd.hpp"
#include "process/proc_table.hpp"
#include "real_server.hpp"

using namespace repld;
using namespace repld::postgres;
using namespace std::chrono_literals;
using repld::testing::run_task;

namespace {

control_data control(const testing::real_server& server) {
    auto c = run_task(read_control_data(testing::server_programs(), server.data_directory(), 10s));
    if (!c) FAIL(to_string(c.error()));
    return *c;
}

std::size_t count(const std::vector<server_process>& all, server_process_kind kind) {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const auto& p) { return p.kind == kind; }));
}

task<result<void>> kill_and_wait(postmaster_process postmaster) {
    auto watch = process::process_watch::open(co_await asio::this_coro::executor,
                                              postmaster.file.pid, postmaster.start_ticks);
    if (!watch) co_return std::move(watch).error();
    if (auto sent = watch->send(SIGKILL); !sent) co_return std::move(sent).error();
    co_return co_await watch->wait_dead();
}

}  // namespace

TEST_CASE("the versions of a real server") {
    REPLD_SERVER_OR_SKIP(server);
    const auto programs = run_task(server_programs_version(testing::server_programs(), 10s));
    REQUIRE(programs);
    CHECK(*programs >= 13);
    CHECK(*data_directory_version(server->data_directory()) == *programs);
    CHECK(data_directory_version("/nonexistent").error().code == errc::refused);
    const auto none = run_task(server_programs_version("/nonexistent", 10s));
    REQUIRE_FALSE(none);
    CHECK(none.error().message == "could not ask \"/nonexistent/postgres\" for its version");
    const auto no_directory =
        run_task(read_control_data(testing::server_programs(), "/nonexistent", 10s));
    REQUIRE_FALSE(no_directory);
    CHECK(no_directory.error().detail.find("No such file") != std::string::npos);
}

TEST_CASE("the processes of a real server, from its start to the end of its last backend") {
    if (testing::shared_server() == nullptr) return;
    testing::real_server server;
    CHECK(control(server).state == cluster_state_on_disk::in_production);
    CHECK(control(server).system_identifier != 0);
    CHECK(control(server).wal_segment_size == 16777216);

    const auto running = find_postmaster(server.data_directory());
    REQUIRE(running);
    REQUIRE(running->has_value());
    const auto& file = (*running)->file;
    CHECK(file.port == server.port());
    CHECK(file.status == postmaster_status::ready);
    CHECK(local_conninfo(file).to_string() == server.conninfo());
    auto all = all_server_processes(server.data_directory());
    REQUIRE(all);
    CHECK(count(*all, server_process_kind::postmaster) == 1);
    CHECK(count(*all, server_process_kind::child) >= 4);
    CHECK(count(*all, server_process_kind::by_directory) == 0);
    CHECK(std::all_of(all->begin(), all->end(), [](const auto& p) { return p.server_program; }));

    const auto killed = run_task(kill_and_wait(**running));
    if (!killed) FAIL(to_string(killed.error()));
    const auto after = find_postmaster(server.data_directory());
    REQUIRE(after);
    CHECK_FALSE(after->has_value());
    // Auxiliary processes notice at once, backends when they are idle.
    for (int i = 0; i < 500 && !all_server_processes(server.data_directory())->empty(); ++i) {
        ::usleep(10000);
    }
    CHECK(all_server_processes(server.data_directory())->empty());
    CHECK(control(server).state == cluster_state_on_disk::in_production);

    // A server refuses to start while the number in postmaster.pid exists, be it as a zombie that
    // its new parent has not reaped yet.
    for (int i = 0; i < 500; ++i) {
        if (process::state_of(file.pid) == process::process_state::absent) break;
        ::usleep(10000);
    }
    server.start();
    server.stop("fast");
    CHECK(control(server).state == cluster_state_on_disk::shut_down);
    CHECK_FALSE(find_postmaster(server.data_directory())->has_value());
}

TEST_CASE("backends that outlive their postmaster are found by their directory") {
    if (testing::shared_server() == nullptr) return;
    testing::real_server server;
    asio::io_context loop;
    std::optional<result<std::unique_ptr<connection>>> busy;
    asio::co_spawn(loop, testing::store(connection::open(server.conninfo(), 5s), busy),
                   asio::detached);
    loop.run_for(5s);
    REQUIRE(busy);
    REQUIRE(*busy);
    std::optional<result<row_set>> answer;
    loop.restart();
    asio::co_spawn(
        loop,
        testing::store((**busy)->query("SELECT count(*) FROM generate_series(1, 1e9)", {}, 60s),
                       answer),
        asio::detached);
    loop.run_for(200ms);
    const pid_t backend = (**busy)->backend_pid();
    const auto running = find_postmaster(server.data_directory());
    REQUIRE(::kill((*running)->file.pid, SIGKILL) == 0);
    while (process::is_alive((*running)->file.pid)) ::usleep(1000);
    const auto left = all_server_processes(server.data_directory());
    REQUIRE(left);
    CHECK(std::any_of(left->begin(), left->end(), [&](const auto& p) {
        return p.pid == backend && p.kind == server_process_kind::by_directory && p.server_program;
    }));
    for (const auto& p : *left) ::kill(p.pid, SIGKILL);
    loop.restart();
    loop.run_for(10s);
    REQUIRE(answer);
    REQUIRE_FALSE(*answer);
    CHECK(answer->error().code == errc::unreachable);
    CHECK_FALSE((**busy)->usable());
}
