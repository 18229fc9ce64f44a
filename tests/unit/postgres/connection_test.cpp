#include "postgres/connection.hpp"

#include <chrono>
#include <functional>

#include "../process/run_task.hpp"
#include "catch.hpp"
#include "real_server.hpp"

using namespace repld;
using namespace repld::postgres;
using namespace std::chrono_literals;
using repld::testing::run_task;

namespace {

// No co_await stands inside a Catch2 macro: g++ 12 then runs it again for the branch that the macro
// never takes.

// Opens a connection and lets the test use it inside the loop.
task<result<void>> with_connection(std::string conninfo_text,
                                   std::function<task<void>(connection&)> use) {
    auto c = co_await connection::open(std::move(conninfo_text), 10s);
    if (!c) co_return std::move(c).error();
    co_await use(**c);
    co_return result<void>{};
}

void on_server(const std::string& conninfo_text, std::function<task<void>(connection&)> use) {
    const auto done = run_task(with_connection(conninfo_text, std::move(use)));
    if (!done) FAIL(to_string(done.error()));
}

task<void> values(connection& c) {
    CHECK(c.usable());
    CHECK(c.server_version() >= 130000);
    std::vector<std::optional<std::string>> parameters{"7", std::nullopt, "it's"};
    const auto r = co_await c.query("SELECT $1::int + 1 AS n, $2::text AS nothing, $3::text AS t",
                                    std::move(parameters), 5s);
    REQUIRE(r);
    CHECK(r->columns == std::vector<std::string>{"n", "nothing", "t"});
    CHECK(r->number(0, "n") == 8);
    CHECK_FALSE(r->at(0, "nothing"));
    CHECK(r->text(0, "t") == "it's");
    CHECK(r->command_tag == "SELECT 1");
    const auto me = co_await c.query(
        "SELECT pid, application_name, current_setting('client_encoding') AS e FROM "
        "pg_stat_activity WHERE pid = pg_backend_pid()",
        {}, 5s);
    CHECK(me->number(0, "pid") == c.backend_pid());
    CHECK(me->text(0, "application_name") == "repld");
    CHECK(me->text(0, "e") == "UTF8");
    const auto many =
        co_await c.query("SELECT g, repeat('x', 100) FROM generate_series(1, 10000) g", {}, 10s);
    CHECK(many->size() == 10000);
    CHECK(many->number(9999, "g") == 10000);
    const auto none = co_await c.query("SELECT 1 AS a WHERE false", {}, 5s);
    CHECK(none->empty());
    CHECK(none->columns == std::vector<std::string>{"a"});
}

task<void> errors(connection& c) {
    const auto r = co_await c.query("SELECT * FROM nowhere", {}, 5s);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::postgres);
    CHECK(r.error().message == "relation \"nowhere\" does not exist");
    CHECK(c.last_sqlstate() == "42P01");
    CHECK(sqlstate_of(r.error()) == "42P01");
    CHECK(c.usable());
    std::vector<std::optional<std::string>> parameters{"x"};
    const auto bad = co_await c.query("SELECT $1::int", std::move(parameters), 5s);
    CHECK(sqlstate_of(bad.error()) == "22P02");
    const auto good = co_await c.query("SELECT 1", {}, 5s);
    CHECK(good);
    CHECK(c.last_sqlstate().empty());
    const auto nothing = co_await c.query("", {}, 5s);
    CHECK(nothing);
    const auto zero = co_await c.query(std::string("SELECT 1\0", 9), {}, 5s);
    CHECK(zero.error().code == errc::internal);
    CHECK(c.usable());
}

task<void> several_statements(connection& c) {
    const auto r = co_await c.query_simple(
        "CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1), (2); SELECT a FROM t; "
        "SELECT a FROM t WHERE a = 2; DROP TABLE t",
        5s);
    REQUIRE(r);
    CHECK(r->size() == 1);
    CHECK(r->text(0, "a") == "2");
    const auto tag =
        co_await c.query("CREATE TEMP TABLE u (a int); INSERT INTO u VALUES (1)", {}, 5s);
    CHECK(tag->command_tag == "INSERT 0 1");
    const auto half = co_await c.query("SELECT 1; SELECT 1/0; SELECT 2", {}, 5s);
    REQUIRE_FALSE(half);
    CHECK(sqlstate_of(half.error()) == "22012");
}

task<void> notices(connection& c) {
    const auto two =
        co_await c.query("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$", {}, 5s);
    REQUIRE(two);
    CHECK(c.take_notices() == std::vector<std::string>{"one", "two"});
    const auto many = co_await c.query(
        "DO $$ BEGIN FOR i IN 1..100 LOOP RAISE NOTICE '%', i; END LOOP; END $$", {}, 5s);
    REQUIRE(many);
    const auto last = c.take_notices();
    REQUIRE(last.size() == 32);
    CHECK(last.back() == "100");
    CHECK(c.take_notices().empty());
}

task<void> big_values(connection& c) {
    std::vector<std::optional<std::string>> parameters{std::string(20000000, 'x')};
    const auto sent = co_await c.query("SELECT length($1) AS n", std::move(parameters), 20s);
    REQUIRE(sent);
    CHECK(sent->number(0, "n") == 20000000);
    const auto big = co_await c.query("SELECT repeat('x', 20000000) AS x", {}, 20s);
    CHECK(big->text(0, "x").size() == 20000000);
    const auto r =
        co_await c.query("SELECT repeat('x', 10000000) FROM generate_series(1, 100)", {}, 20s);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::protocol);
    CHECK_FALSE(c.usable());
}

task<void> replication(connection& c) {
    const auto r = co_await c.query_simple("IDENTIFY_SYSTEM", 5s);
    REQUIRE(r);
    CHECK(r->size() == 1);
    CHECK(r->text(0, "timeline") == "1");
    CHECK_FALSE(r->text(0, "systemid").empty());
    const auto again = co_await c.query_simple("SHOW wal_segment_size", 5s);
    CHECK(again->at(0, 0) == "16MB");
}

task<void> copies(connection& c) {
    const auto r = co_await c.query("COPY (SELECT 1) TO STDOUT", {}, 5s);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::protocol);
    CHECK_FALSE(c.usable());
}

task<void> quoting(connection& c) {
    for (const char* text : {"", "it's", "back\\slash", "'\\'", "a\"b", "two\nlines"}) {
        for (const char* conforming : {"on", "off"}) {
            const auto r =
                co_await c.query("SET standard_conforming_strings = " + std::string(conforming) +
                                     "; SELECT " + quote_literal(text) + " AS t",
                                 {}, 5s);
            REQUIRE(r);
            CHECK(r->text(0, "t") == text);
        }
    }
    const auto named = co_await c.query("SELECT 1 AS " + quote_identifier("a\"B c"), {}, 5s);
    CHECK(named->columns.front() == "a\"B c");
}

}  // namespace

TEST_CASE("values go to the server and come back") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), values);
}

TEST_CASE("an error of the server has its SQLSTATE and leaves the connection usable") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), errors);
}

TEST_CASE("several statements in one query") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), several_statements);
}

TEST_CASE("notices are kept, within bounds, and not printed") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), notices);
}

TEST_CASE("big values pass, an unbounded answer does not") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), big_values);
}

TEST_CASE("replication commands") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo() + " replication=true", replication);
}

TEST_CASE("COPY is refused instead of hanging") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), copies);
}

TEST_CASE("quoted literals and identifiers mean what they say") {
    REPLD_SERVER_OR_SKIP(server);
    on_server(server->conninfo(), quoting);
}

TEST_CASE("a host name is resolved, and one that does not exist is passed over") {
    REPLD_SERVER_OR_SKIP(server);
    const std::string rest =
        " port=" + std::to_string(server->port()) + " dbname=postgres user=" + server->user();
    on_server("host=localhost" + rest, values);
    on_server("host=no-such-host.invalid,localhost" + rest, values);
    on_server("postgresql://" + server->user() + "@127.0.0.1:" + std::to_string(server->port()) +
                  "/postgres",
              values);
}
