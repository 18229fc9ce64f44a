#include "schema/cluster_objects.hpp"

#include "postgres/connection.hpp"
#include "run_scenario.hpp"
#include "test_server.hpp"

using namespace repld;
using namespace repld::schema;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 30s;

cluster_objects wanted_on(const testing::test_server& server) {
    cluster_objects wanted;
    wanted.local_conninfo = server.conninfo();
    return wanted;
}

task<std::string> ask(std::string conninfo, std::string sql) {
    auto opened = co_await postgres::connection::open(std::move(conninfo), limit);
    if (!opened) co_return "error: " + opened.error().message;
    const auto answer = co_await (*opened)->query_simple(std::move(sql), limit);
    if (!answer) co_return "error: " + answer.error().message;
    co_return answer->at(0, std::size_t{0}).value_or("NULL");
}

task<void> log_everything(const testing::test_server& server) {
    co_await ask(server.conninfo(), "ALTER SYSTEM SET log_statement = 'all'");
    co_await ask(server.conninfo(), "ALTER SYSTEM SET log_min_duration_statement = 0");
}

task<void> dry_run_then_twice(const testing::test_server& server) {
    cluster_objects wanted = wanted_on(server);
    wanted.password = "geheim-0815";
    const auto plan = co_await plan_cluster_objects(wanted, limit);
    if (!plan) FAIL(to_string(plan.error()));
    CHECK_FALSE(plan->role_exists);
    CHECK_FALSE(plan->database_exists);
    CHECK(plan->statements.size() == 9);
    for (const auto& one : plan->statements) CHECK(one.find("SCRAM") == std::string::npos);
    CHECK(co_await ask(server.conninfo(), "SELECT count(*) FROM pg_roles WHERE rolname='repld'") ==
          "0");

    const auto done = co_await create_cluster_objects(wanted, limit);
    if (!done) FAIL(to_string(done.error()));
    CHECK(done->statements == plan->statements);

    wanted.password.reset();
    const auto again = co_await create_cluster_objects(wanted, limit);
    REQUIRE(again);
    CHECK(again->role_exists);
    CHECK(again->role_has_password);
    CHECK(again->database_exists);
    CHECK(again->schema_exists);
    CHECK(again->statements.empty());
}

task<void> the_role_can_do_its_work(const testing::test_server& server) {
    // The password is right when the server takes it over a connection that asks for it.
    const auto as_role = server.conninfo("repld", "repld") + " password=geheim-0815";
    CHECK(co_await ask(as_role, "SELECT count(*) FROM repld.nodes") == "0");
    CHECK(co_await ask(as_role, "SELECT count(*) > 3 FROM pg_ls_dir('.', true, false)") == "t");
    CHECK(co_await ask(as_role, "SELECT size > 0 FROM pg_stat_file('PG_VERSION', true)") == "t");
    CHECK(co_await ask(as_role, "SELECT length(pg_read_binary_file('PG_VERSION')) > 0") == "t");
    CHECK(co_await ask(as_role,
                       "SELECT length(pg_read_binary_file('PG_VERSION', 0, 2, true)) = 2") == "t");
    CHECK(co_await ask(as_role, "DELETE FROM repld.nodes") ==
          "error: permission denied for table nodes");
    const auto wrong = server.conninfo("repld", "repld") + " password=other";
    const auto refused = co_await postgres::connection::open(wrong, limit);
    REQUIRE_FALSE(refused);
    CHECK(postgres::sqlstate_of(refused.error()) == "28P01");
}

task<void> existing_role_is_completed(const testing::test_server& server) {
    co_await ask(server.conninfo(), "CREATE ROLE \"Odd name\" NOLOGIN");
    cluster_objects wanted = wanted_on(server);
    wanted.role = "Odd name";
    wanted.database = "Odd db";
    const auto done = co_await create_cluster_objects(wanted, limit);
    if (!done) FAIL(to_string(done.error()));
    CHECK(done->role_exists);
    CHECK_FALSE(done->role_has_password);
    CHECK(co_await ask(server.conninfo(),
                       "SELECT rolcanlogin AND rolreplication AND rolpassword IS NULL "
                       "FROM pg_authid WHERE rolname = 'Odd name'") == "t");
}

task<void> refused_without_superuser(const testing::test_server& server) {
    cluster_objects wanted = wanted_on(server);
    co_await ask(server.conninfo(), "CREATE ROLE plain LOGIN");
    wanted.local_conninfo = server.conninfo("postgres", "plain");
    const auto refused = co_await plan_cluster_objects(wanted, limit);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
}

}  // namespace

TEST_CASE(
    "cluster objects: made once, found the second time, usable by the role, never in the log") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(log_everything(server));
    server.restart();
    testing::run_scenario(dry_run_then_twice(server));
    server.require_password_of("repld");
    testing::run_scenario(the_role_can_do_its_work(server));
    const std::string log = server.log();
    CHECK(log.find("CREATE ROLE") != std::string::npos);
    CHECK(log.find("geheim-0815") == std::string::npos);
    CHECK(log.find("SCRAM-SHA-256$") == std::string::npos);
}

TEST_CASE("cluster objects: a role that exists is completed; a plain role may not make them") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(existing_role_is_completed(server));
    testing::run_scenario(refused_without_superuser(server));
}
