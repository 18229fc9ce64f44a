#include "schema/cluster_objects.hpp"

#include <array>
#include <utility>

#include "postgres/connection.hpp"
#include "schema/migrations.hpp"
#include "schema/password.hpp"
#include "schema/session.hpp"

namespace repld::schema {

namespace {

using postgres::quote_identifier;
using postgres::quote_literal;
using parameter_list = std::vector<std::optional<std::string>>;

// What pg_rewind calls on its source when it does not come as a superuser.
constexpr std::array<const char*, 4> rewind_functions{
    "pg_catalog.pg_ls_dir(text, boolean, boolean)",
    "pg_catalog.pg_stat_file(text, boolean)",
    "pg_catalog.pg_read_binary_file(text)",
    "pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
};

enum class place { any_database, metadata_database };

struct statement {
    place where = place::any_database;
    std::string sql{};
    std::string shown{};  // as sql, without secrets
};

struct full_plan {
    objects_plan plan{};
    std::vector<statement> work{};
    bool schema_is_current = false;

    void add(place where, const std::string& sql) { work.push_back({where, sql, sql}); }
};

task<result<void>> look_at_server(postgres::connection& on, time_budget budget) {
    parameter_list none;
    const auto found = co_await on.query(
        "SELECT pg_catalog.pg_is_in_recovery() AS standby, r.rolname, r.rolsuper "
        "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
        std::move(none), budget.left());
    if (!found) co_return found.error();
    if (found->flag(0, "standby")) {
        co_return error{errc::refused, "the local server is a standby",
                        "Only a primary can become the first node of a cluster."};
    }
    if (!found->flag(0, "rolsuper")) {
        co_return error{errc::refused, "role \"" + found->text(0, "rolname") + "\" is no superuser",
                        "The objects of the cluster are made through a local superuser.",
                        "Check local_conninfo in repld.yaml."};
    }
    co_return result<void>{};
}

task<result<void>> plan_role(postgres::connection& on, const cluster_objects& wanted, full_plan& to,
                             time_budget budget) {
    parameter_list role{wanted.role};
    const auto found = co_await on.query(
        "SELECT rolcanlogin AND (rolreplication OR rolsuper) AS fit, "
        "rolpassword IS NOT NULL AS has_password, "
        "pg_catalog.pg_has_role(oid, 'pg_monitor', 'MEMBER') AS monitors "
        "FROM pg_catalog.pg_authid WHERE rolname = $1",
        std::move(role), budget.left());
    if (!found) co_return found.error();
    const std::string name = quote_identifier(wanted.role);
    to.plan.role_exists = !found->empty();
    to.plan.role_has_password = found->flag(0, "has_password");
    if (!to.plan.role_exists) {
        to.add(place::any_database, "CREATE ROLE " + name + " LOGIN REPLICATION");
    } else if (!found->flag(0, "fit")) {
        to.add(place::any_database, "ALTER ROLE " + name + " LOGIN REPLICATION");
    }
    if (wanted.password) {
        const auto verifier = scram_verifier(wanted.role, *wanted.password);
        if (!verifier) co_return verifier.error();
        const std::string head = "ALTER ROLE " + name + " PASSWORD ";
        to.work.push_back({place::any_database, head + quote_literal(*verifier), head + "'***'"});
    }
    if (!found->flag(0, "monitors")) {
        to.add(place::any_database, "GRANT pg_monitor TO " + name);
    }
    co_return result<void>{};
}

task<result<void>> plan_database(postgres::connection& on, const cluster_objects& wanted,
                                 full_plan& to, time_budget budget) {
    parameter_list database{wanted.database};
    const auto found =
        co_await on.query("SELECT datallowconn FROM pg_catalog.pg_database WHERE datname = $1",
                          std::move(database), budget.left());
    if (!found) co_return found.error();
    to.plan.database_exists = !found->empty();
    if (!to.plan.database_exists) {
        // template0 in the C locale takes every text whatever the cluster's locale is, and does not
        // ask that nobody is connected to template1. The superuser stays the owner: an owner
        // without his rights could put traps into the schema.
        to.add(place::any_database, "CREATE DATABASE " + quote_identifier(wanted.database) +
                                        " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' "
                                        "LC_CTYPE 'C'");
    } else if (!found->flag(0, "datallowconn")) {
        co_return error{errc::refused,
                        "database \"" + wanted.database + "\" does not accept connections"};
    }
    co_return result<void>{};
}

// `on` is connected to the metadata database, or null when that is not there yet.
task<result<void>> plan_inside(postgres::connection* on, const cluster_objects& wanted,
                               full_plan& to, time_budget budget) {
    const std::string name = quote_identifier(wanted.role);
    for (const char* function : rewind_functions) {
        bool granted = false;
        if (on != nullptr && to.plan.role_exists) {
            parameter_list parameters{wanted.role, std::string(function)};
            const auto found = co_await on->query(
                "SELECT pg_catalog.has_function_privilege($1::name, $2::text, 'EXECUTE') AS "
                "granted",
                std::move(parameters), budget.left());
            if (!found) co_return found.error();
            granted = found->flag(0, "granted");
        }
        if (!granted) {
            to.add(place::metadata_database,
                   std::string("GRANT EXECUTE ON FUNCTION ") + function + " TO " + name);
        }
    }
    if (on != nullptr) {
        const auto state = co_await look_at_schema(*on, budget);
        if (!state) co_return state.error();
        to.plan.schema_exists = state->exists;
        const auto known = static_cast<int>(all_migrations().size());
        if (state->version > known) {
            co_return error{errc::refused, "schema \"repld\" has version " +
                                               std::to_string(state->version) +
                                               ", which is newer than this program"};
        }
        to.schema_is_current = state->version == known;
    }
    co_return result<void>{};
}

task<result<full_plan>> make_plan(postgres::connection& on, const cluster_objects& wanted,
                                  time_budget budget) {
    full_plan plan;
    const auto server = co_await look_at_server(on, budget);
    if (!server) co_return server.error();
    const auto role = co_await plan_role(on, wanted, plan, budget);
    if (!role) co_return role.error();
    const auto database = co_await plan_database(on, wanted, plan, budget);
    if (!database) co_return database.error();
    std::unique_ptr<postgres::connection> inside;
    if (plan.plan.database_exists) {
        auto opened = co_await open_session(wanted.local_conninfo, wanted.database, budget);
        if (!opened) co_return opened.error();
        inside = std::move(*opened);
    }
    const auto rest = co_await plan_inside(inside.get(), wanted, plan, budget);
    if (!rest) co_return rest.error();
    for (const auto& one : plan.work) plan.plan.statements.push_back(one.shown);
    if (!plan.schema_is_current) {
        plan.plan.statements.push_back("-- schema repld, version " +
                                       std::to_string(all_migrations().size()) + ", in database " +
                                       quote_identifier(wanted.database));
    }
    co_return plan;
}

task<result<void>> run_one(postgres::connection& on, const statement& one, time_budget budget) {
    // The server's log would show the verifier of a password.
    if (one.sql != one.shown) {
        const auto quiet = co_await on.query_simple(
            "SET log_statement = 'none'; SET log_min_duration_statement = -1; "
            "SET log_min_error_statement = 'panic'",
            budget.left());
        if (!quiet) co_return quiet.error();
    }
    const auto done = co_await on.query_simple(one.sql, budget.left());
    if (!done) {
        error e = done.error();
        e.message = "could not run \"" + one.shown + "\": " + e.message;
        co_return e;
    }
    if (one.sql != one.shown) {
        const auto loud = co_await on.query_simple(
            "RESET log_statement; RESET log_min_duration_statement; RESET log_min_error_statement",
            budget.left());
        if (!loud) co_return loud.error();
    }
    co_return result<void>{};
}

}  // namespace

task<result<objects_plan>> plan_cluster_objects(cluster_objects wanted, duration limit) {
    const time_budget budget(limit);
    auto opened = co_await open_session(wanted.local_conninfo, std::string(), budget);
    if (!opened) co_return opened.error();
    const std::unique_ptr<postgres::connection> on = std::move(*opened);
    auto plan = co_await make_plan(*on, wanted, budget);
    if (!plan) co_return plan.error();
    co_return std::move(plan->plan);
}

task<result<objects_plan>> create_cluster_objects(cluster_objects wanted, duration limit) {
    const time_budget budget(limit);
    auto opened = co_await open_session(wanted.local_conninfo, std::string(), budget);
    if (!opened) co_return opened.error();
    const std::unique_ptr<postgres::connection> on = std::move(*opened);
    auto plan = co_await make_plan(*on, wanted, budget);
    if (!plan) co_return plan.error();
    for (const auto& one : plan->work) {
        if (one.where != place::any_database) continue;
        const auto done = co_await run_one(*on, one, budget);
        if (!done) co_return done.error();
    }
    auto inside = co_await open_session(wanted.local_conninfo, wanted.database, budget);
    if (!inside) co_return inside.error();
    const std::unique_ptr<postgres::connection> metadata = std::move(*inside);
    for (const auto& one : plan->work) {
        if (one.where != place::metadata_database) continue;
        const auto done = co_await run_one(*metadata, one, budget);
        if (!done) co_return done.error();
    }
    const auto migrated = co_await migrate_schema(*metadata, all_migrations(), wanted.role, budget);
    if (!migrated) co_return migrated.error();
    co_return std::move(plan->plan);
}

}  // namespace repld::schema
