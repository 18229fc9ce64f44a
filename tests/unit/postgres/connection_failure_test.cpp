// Everything that goes wrong with a connection: nobody there, nobody answers, refusals, limits.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "../process/run_task.hpp"
#include "../process/temporary_directory.hpp"
#include "catch.hpp"
#include "platform/unique_fd.hpp"
#include "postgres/connection.hpp"
#include "real_server.hpp"

using namespace repld;
using namespace repld::postgres;
using namespace std::chrono_literals;
using repld::testing::run_task;

namespace {

std::chrono::milliseconds since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 begin);
}

error open_error(const std::string& conninfo_text, duration limit = 10s) {
    auto c = run_task(connection::open(conninfo_text, limit));
    REQUIRE_FALSE(c);
    return std::move(c).error();
}

// Listens and never accepts.
struct silent_server {
    silent_server() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(fd.get(), generic, length) == 0);
        REQUIRE(::listen(fd.get(), 5) == 0);
        REQUIRE(::getsockname(fd.get(), generic, &length) == 0);
        port = ntohs(address.sin_port);
    }
    platform::unique_fd fd;
    int port = 0;
};

task<result<void>> run_all(std::string conninfo_text, std::string sql) {
    auto c = co_await connection::open(std::move(conninfo_text), 10s);
    if (!c) co_return std::move(c).error();
    auto r = co_await (*c)->query_simple(std::move(sql), 10s);
    if (!r) co_return std::move(r).error();
    co_return result<void>{};
}

// How many statements of the given text still run, asked until `wanted` or two seconds have passed.
task<long long> running(connection& c, std::string text, long long wanted) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    long long n = -1;
    for (int i = 0; i < 100; ++i) {
        std::vector<std::optional<std::string>> parameters{text};
        auto r = co_await c.query(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query = $1",
            std::move(parameters), 5s);
        if (!r) co_return -1;
        n = r->number(0, "n").value_or(-1);
        if (n == wanted) break;
        timer.expires_after(20ms);
        co_await timer.async_wait(as_result);
    }
    co_return n;
}

task<void> time_out(std::string conninfo_text) {
    auto c = co_await connection::open(conninfo_text, 10s);
    auto other = co_await connection::open(conninfo_text, 10s);
    REQUIRE(c);
    REQUIRE(other);
    const auto begin = std::chrono::steady_clock::now();
    const auto r = co_await (*c)->query("SELECT pg_sleep(30)", {}, 150ms);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::timed_out);
    CHECK(since(begin) < 1s);
    CHECK_FALSE((*c)->usable());
    const auto next = co_await (*c)->query("SELECT 1", {}, 1s);
    CHECK(next.error().code == errc::unreachable);
    const auto left = co_await running(**other, "SELECT pg_sleep(30)", 0);
    CHECK(left == 0);
}

task<void> terminated(std::string conninfo_text) {
    auto c = co_await connection::open(conninfo_text, 10s);
    auto other = co_await connection::open(conninfo_text, 10s);
    REQUIRE(c);
    REQUIRE(other);
    std::vector<std::optional<std::string>> parameters{std::to_string((*c)->backend_pid())};
    const auto ended =
        co_await (*other)->query("SELECT pg_terminate_backend($1)", std::move(parameters), 5s);
    REQUIRE(ended);
    const auto r = co_await (*c)->query("SELECT 1", {}, 5s);
    REQUIRE_FALSE(r);
    // The server's last words, or the end of the link, whichever libpq meets first.
    const bool told = r.error().code == errc::postgres && sqlstate_of(r.error()) == "57P01";
    CHECK((told || r.error().code == errc::unreachable));
    CHECK_FALSE((*c)->usable());
}

task<void> two_at_once(std::string conninfo_text) {
    auto c = co_await connection::open(std::move(conninfo_text), 10s);
    REQUIRE(c);
    std::optional<result<row_set>> first;
    // Runs up to its first wait at once.
    asio::co_spawn(co_await asio::this_coro::executor,
                   testing::store((*c)->query("SELECT pg_sleep(0.1), 1 AS one", {}, 5s), first),
                   asio::detached);
    const auto second = co_await (*c)->query("SELECT 2", {}, 5s);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == errc::internal);
    asio::steady_timer timer(co_await asio::this_coro::executor, 500ms);
    co_await timer.async_wait(as_result);
    REQUIRE(first);
    REQUIRE(*first);
    CHECK((*first)->text(0, "one") == "1");
    CHECK((*c)->usable());
}

task<void> tick(int& ticks) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (ticks = 0; ticks < 1000; ++ticks) {
        timer.expires_after(5ms);
        auto [failed] = co_await timer.async_wait(as_result);
        if (failed) break;
    }
}

}  // namespace

TEST_CASE("nobody there, nobody answers, nonsense") {
    const testing::temporary_directory dir;
    const auto nobody = open_error("host=" + dir.path().string() + " user=x");
    CHECK(nobody.code == errc::unreachable);
    CHECK(nobody.message.find(dir.path().string()) != std::string::npos);
    CHECK(nobody.detail.find("No such file") != std::string::npos);
    CHECK(open_error("colour=red").code == errc::configuration);
    CHECK(open_error("host=a,b port=1,2,3").code == errc::configuration);
    CHECK(open_error("host=no-such-host.invalid user=x").code == errc::unreachable);

    const silent_server silent;
    const auto begin = std::chrono::steady_clock::now();
    const auto late =
        open_error("host=127.0.0.1 user=x port=" + std::to_string(silent.port), 200ms);
    CHECK(late.code == errc::timed_out);
    CHECK(since(begin) < 1s);
}

TEST_CASE("a server that refuses says why") {
    REPLD_SERVER_OR_SKIP(server);
    const auto no_database = open_error(server->conninfo() + " dbname=nowhere");
    CHECK(no_database.code == errc::postgres);
    CHECK(sqlstate_of(no_database) == "3D000");
    CHECK(no_database.detail.find("database \"nowhere\" does not exist") != std::string::npos);
    CHECK(no_database.detail.find("LOCATION") == std::string::npos);

    const auto made = run_task(run_all(server->conninfo(),
                                       "DROP ROLE IF EXISTS full_house; "
                                       "CREATE ROLE full_house LOGIN CONNECTION LIMIT 0"));
    REQUIRE(made);
    const auto full = open_error(server->conninfo() + " user=full_house");
    CHECK(full.code == errc::postgres);
    CHECK(sqlstate_of(full) == "53300");
}

TEST_CASE("a statement that runs out of time breaks its connection and is cancelled") {
    REPLD_SERVER_OR_SKIP(server);
    run_task(testing::as_value(time_out(server->conninfo())));
}

TEST_CASE("a connection that the server ends is broken") {
    REPLD_SERVER_OR_SKIP(server);
    run_task(testing::as_value(terminated(server->conninfo())));
}

TEST_CASE("a second query on a busy connection is refused and does not harm the first") {
    REPLD_SERVER_OR_SKIP(server);
    run_task(testing::as_value(two_at_once(server->conninfo())));
}

TEST_CASE("the loop goes on while the server works") {
    REPLD_SERVER_OR_SKIP(server);
    asio::io_context loop;
    int ticks = 0;
    std::optional<result<void>> done;
    asio::co_spawn(loop, tick(ticks), asio::detached);
    asio::co_spawn(loop, testing::store(run_all(server->conninfo(), "SELECT pg_sleep(0.5)"), done),
                   asio::detached);
    while (!done) loop.run_one();
    CHECK(*done);
    CHECK(ticks > 40);
}

TEST_CASE("a loop that is destroyed in the middle of a query leaves nothing behind") {
    REPLD_SERVER_OR_SKIP(server);
    asio::io_context loop;
    std::optional<result<void>> done;
    asio::co_spawn(loop, testing::store(run_all(server->conninfo(), "SELECT pg_sleep(30)"), done),
                   asio::detached);
    loop.run_for(200ms);
    CHECK_FALSE(done);
}
