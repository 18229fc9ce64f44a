#include "schema/migrations.hpp"

#include "run_scenario.hpp"
#include "test_server.hpp"

using namespace repld;
using namespace repld::schema;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 10s;

task<std::string> ask(postgres::connection& on, std::string sql) {
    const auto answer = co_await on.query_simple(std::move(sql), limit);
    if (!answer) co_return "error: " + answer.error().message;
    co_return answer->at(0, std::size_t{0}).value_or("NULL");
}

task<void> fresh_then_next_version(const testing::test_server& server) {
    auto opened = co_await open_session(server.conninfo(), "", time_budget(limit));
    REQUIRE(opened);
    postgres::connection& on = **opened;
    const auto made = co_await migrate_schema(on, all_migrations(), "", time_budget(limit));
    if (!made) FAIL(to_string(made.error()));
    CHECK(co_await ask(on, "SELECT version FROM repld.version") ==
          std::to_string(all_migrations().size()));
    CHECK(co_await ask(on, "SELECT count(*) FROM repld.replication_status") == "0");
    CHECK(co_await ask(on, "SELECT has_table_privilege('pg_monitor', 'repld.status', 'SELECT')") ==
          "t");

    const auto again = co_await migrate_schema(on, all_migrations(), "", time_budget(limit));
    CHECK(again);

    migration_steps next = all_migrations();
    next.push_back("CREATE TABLE repld.one (a integer)");
    next.push_back("ALTER TABLE repld.one ADD b integer");
    const auto stepped = co_await migrate_schema(on, next, "", time_budget(limit));
    CHECK(stepped);
    CHECK(co_await ask(on, "SELECT version FROM repld.version") == std::to_string(next.size()));
    CHECK(co_await ask(on, "SELECT count(b) FROM repld.one") == "0");

    // The same database seen by the older program.
    const auto older = co_await migrate_schema(on, all_migrations(), "", time_budget(limit));
    REQUIRE_FALSE(older);
    CHECK(older.error().code == errc::refused);
    CHECK(older.error().message.find("newer") != std::string::npos);
    CHECK(co_await ask(on, "SELECT version FROM repld.version") == std::to_string(next.size()));
}

task<void> failed_step_leaves_nothing(const testing::test_server& server) {
    migration_steps broken = all_migrations();
    broken.push_back("CREATE TABLE repld.one (a integer); SELECT 1/0");
    {
        auto opened = co_await open_session(server.conninfo(), "", time_budget(limit));
        REQUIRE(opened);
        const auto failed = co_await migrate_schema(**opened, broken, "", time_budget(limit));
        REQUIRE_FALSE(failed);
        CHECK(failed.error().code == errc::postgres);
        CHECK(failed.error().message.find("version 2") != std::string::npos);
    }
    auto opened = co_await open_session(server.conninfo(), "", time_budget(limit));
    REQUIRE(opened);
    CHECK(co_await ask(**opened, "SELECT to_regnamespace('repld')") == "NULL");
}

task<void> schema_of_somebody_else(const testing::test_server& server) {
    auto opened = co_await open_session(server.conninfo(), "", time_budget(limit));
    REQUIRE(opened);
    postgres::connection& on = **opened;
    co_await ask(on, "CREATE ROLE mallory; CREATE SCHEMA repld AUTHORIZATION mallory");
    const auto refused = co_await migrate_schema(on, all_migrations(), "", time_budget(limit));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
    CHECK(refused.error().message.find("mallory") != std::string::npos);
    CHECK(co_await ask(on, "SELECT to_regclass('repld.nodes')") == "NULL");
}

task<void> reader_gets_its_grant(const testing::test_server& server) {
    auto opened = co_await open_session(server.conninfo(), "", time_budget(limit));
    REQUIRE(opened);
    postgres::connection& on = **opened;
    co_await ask(on, "CREATE ROLE \"Reader x\"");
    const auto made = co_await migrate_schema(on, all_migrations(), "Reader x", time_budget(limit));
    CHECK(made);
    CHECK(co_await ask(on, "SELECT has_table_privilege('Reader x', 'repld.events', 'SELECT')") ==
          "t");
    CHECK(co_await ask(on, "SELECT has_table_privilege('Reader x', 'repld.events', 'INSERT')") ==
          "f");
    const auto nobody = co_await migrate_schema(on, all_migrations(), "nobody", time_budget(limit));
    CHECK(nobody);
}

}  // namespace

TEST_CASE("migrations: a fresh schema, an older one and a newer one") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(fresh_then_next_version(server));
}

TEST_CASE("migrations: refusals and failures leave the database as it was") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(failed_step_leaves_nothing(server));
    testing::run_scenario(schema_of_somebody_else(server));
}

TEST_CASE("migrations: the role of the other hosts may read") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(reader_gets_its_grant(server));
}
