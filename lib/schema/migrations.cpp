#include "schema/migrations.hpp"

#include <optional>
#include <utility>

namespace repld::schema {

namespace {

constexpr const char* version_1 = R"sql(
CREATE SCHEMA IF NOT EXISTS repld;

CREATE TABLE repld.version (version integer NOT NULL);
CREATE UNIQUE INDEX version_has_one_row ON repld.version ((true));
COMMENT ON TABLE repld.version IS 'version of this schema; repld migrates it';

CREATE TABLE repld.nodes (
    node_id integer PRIMARY KEY,
    node_name text NOT NULL,
    role text NOT NULL,
    active boolean NOT NULL,
    voter boolean NOT NULL,
    location text NOT NULL,
    priority integer NOT NULL,
    upstream_node_id integer,
    address text NOT NULL,
    conninfo text NOT NULL,
    slot_name text
);
COMMENT ON TABLE repld.nodes IS 'members of the cluster, as the quorum agreed; a copy for people';

CREATE TABLE repld.status (
    node_id integer PRIMARY KEY,
    role text NOT NULL,
    state text NOT NULL,
    upstream_node_id integer,
    timeline bigint,
    receive_lsn pg_lsn,
    replay_lsn pg_lsn,
    lag_bytes bigint,
    lag_seconds double precision,
    term bigint NOT NULL,
    last_seen timestamp with time zone,
    reason text NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE repld.status IS 'what the leader last knew of each member';

CREATE TABLE repld.events (
    id bigserial PRIMARY KEY,
    event_time timestamp with time zone NOT NULL DEFAULT now(),
    node_id integer NOT NULL,
    event text NOT NULL,
    successful boolean NOT NULL,
    details text NOT NULL,
    evidence jsonb,
    source bigint,
    source_number bigint,
    UNIQUE (source, source_number)
);
CREATE INDEX events_by_node ON repld.events (node_id, id);
CREATE INDEX events_by_time ON repld.events (event_time);
COMMENT ON COLUMN repld.events.source IS 'with source_number: tells the same event sent twice';

CREATE TABLE repld.monitoring_history (
    primary_node_id integer NOT NULL,
    standby_node_id integer NOT NULL,
    last_monitor_time timestamp with time zone NOT NULL,
    last_apply_time timestamp with time zone,
    last_wal_primary_location pg_lsn NOT NULL,
    last_wal_standby_location pg_lsn,
    replication_lag bigint NOT NULL,
    apply_lag bigint NOT NULL
);
CREATE INDEX monitoring_history_by_time
    ON repld.monitoring_history (last_monitor_time, standby_node_id);

CREATE VIEW repld.replication_status AS
WITH latest_primary AS (
    SELECT node_id, receive_lsn
    FROM repld.status
    WHERE role = 'primary'
    ORDER BY term DESC, last_seen DESC NULLS LAST
    LIMIT 1
), member AS (
    SELECT n.node_id, n.node_name, n.role, n.active, n.role = 'standby' AS replicates, s.last_seen,
           s.receive_lsn, s.replay_lsn, s.lag_seconds
    FROM repld.nodes n
    JOIN repld.status s ON s.node_id = n.node_id
    WHERE n.role <> 'primary'
)
SELECT l.node_id AS primary_node_id,
       m.node_id AS standby_node_id,
       m.node_name AS standby_name,
       m.role AS node_type,
       m.active,
       m.last_seen AS last_monitor_time,
       CASE WHEN m.replicates THEN l.receive_lsn END AS last_wal_primary_location,
       CASE WHEN m.replicates THEN m.receive_lsn END AS last_wal_standby_location,
       CASE WHEN m.replicates
            THEN pg_size_pretty(greatest(l.receive_lsn - m.receive_lsn, 0)) END AS replication_lag,
       CASE WHEN m.replicates
            THEN m.lag_seconds * interval '1 second' END AS replication_time_lag,
       CASE WHEN m.replicates
            THEN pg_size_pretty(greatest(m.receive_lsn - m.replay_lsn, 0)) END AS apply_lag,
       greatest(now() - m.last_seen, interval '0') AS communication_time_lag
FROM member m
LEFT JOIN latest_primary l ON true;
COMMENT ON VIEW repld.replication_status IS 'the columns of repmgr.replication_status';

GRANT USAGE ON SCHEMA repld TO pg_monitor;
GRANT SELECT ON repld.version, repld.nodes, repld.status, repld.events, repld.monitoring_history,
                repld.replication_status TO pg_monitor;
)sql";

// Of the advisory lock that keeps two migrations of one database apart ("repld" in ASCII).
constexpr const char* take_lock = "SELECT pg_catalog.pg_advisory_xact_lock(491211353188)";

task<result<void>> grant_to_reader(postgres::connection& on, std::string role, time_budget budget) {
    std::vector<std::optional<std::string>> parameters{role};
    const auto missing = co_await on.query(
        "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1 AND NOT ("
        "pg_catalog.has_schema_privilege(oid, 'repld', 'USAGE') AND "
        "pg_catalog.has_table_privilege(oid, 'repld.events', 'SELECT'))",
        std::move(parameters), budget.left());
    if (!missing) co_return missing.error();
    if (missing->empty()) co_return result<void>{};
    const std::string name = postgres::quote_identifier(role);
    std::string grant = "GRANT USAGE ON SCHEMA repld TO " + name +
                        "; GRANT SELECT ON ALL TABLES IN SCHEMA repld TO " + name;
    const auto granted = co_await on.query_simple(std::move(grant), budget.left());
    co_return outcome_of(granted);
}

task<result<void>> apply(postgres::connection& on, const migration_steps& steps, int from,
                         time_budget budget) {
    for (auto n = static_cast<std::size_t>(from); n < steps.size(); ++n) {
        const auto done = co_await on.query_simple(steps[n], budget.left());
        if (!done) {
            error e = done.error();
            e.message = "could not bring schema \"repld\" to version " + std::to_string(n + 1) +
                        ": " + e.message;
            co_return e;
        }
    }
    std::string record = "DELETE FROM repld.version; INSERT INTO repld.version (version) VALUES (" +
                         std::to_string(steps.size()) + ")";
    const auto recorded = co_await on.query_simple(std::move(record), budget.left());
    co_return outcome_of(recorded);
}

error newer_schema(int version, std::size_t known) {
    return error{
        errc::refused,
        "schema \"repld\" has version " + std::to_string(version) +
            ", which is newer than this program",
        "This program knows versions up to " + std::to_string(known) + "; nothing was written.",
        "Upgrade repld on this host to the version of the other hosts."};
}

}  // namespace

const migration_steps& all_migrations() {
    static const migration_steps steps{version_1};
    return steps;
}

task<result<schema_state>> look_at_schema(postgres::connection& on, time_budget budget) {
    std::vector<std::optional<std::string>> none;
    const auto found = co_await on.query(
        "SELECT pg_catalog.pg_is_in_recovery() AS standby, n.oid IS NOT NULL AS found, "
        "pg_catalog.to_regclass('repld.version') IS NOT NULL AS versioned, "
        "r.rolsuper AS trusted, r.rolname AS owner "
        "FROM (SELECT 1) AS one "
        "LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'repld' "
        "LEFT JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner",
        none, budget.left());
    if (!found) co_return found.error();
    if (found->flag(0, "standby")) {
        co_return error{errc::refused, "cannot write schema \"repld\": the server is a standby"};
    }
    if (!found->flag(0, "found")) co_return schema_state{};
    if (!found->flag(0, "trusted")) {
        co_return error{errc::refused,
                        "schema \"repld\" belongs to role \"" + found->text(0, "owner") +
                            "\", which is no superuser",
                        "Its owner could make repld run statements with a superuser's rights.",
                        "Run ALTER SCHEMA repld OWNER TO a superuser after looking at what is in "
                        "it, or drop it."};
    }
    schema_state state{.exists = true, .version = 0};
    if (!found->flag(0, "versioned")) co_return state;
    const auto version =
        co_await on.query("SELECT version FROM repld.version", none, budget.left());
    if (!version) co_return version.error();
    const auto number = version->number(0, "version");
    if (!number || *number < 1) {
        co_return error{errc::refused, "table repld.version does not say which version it is",
                        "It holds " + std::to_string(version->size()) + " rows.",
                        "Drop schema repld; repld makes it again, without the old events."};
    }
    state.version = static_cast<int>(*number);
    co_return state;
}

task<result<void>> migrate_schema(postgres::connection& on, const migration_steps& steps,
                                  std::string reader_role, time_budget budget) {
    auto state = co_await look_at_schema(on, budget);
    if (!state) co_return state.error();
    if (static_cast<std::size_t>(state->version) < steps.size()) {
        const auto begun = co_await begin(on, budget);
        if (!begun) co_return begun.error();
        const auto locked = co_await on.query_simple(take_lock, budget.left());
        if (!locked) co_return locked.error();
        // Somebody else may have been at work until the lock was free.
        state = co_await look_at_schema(on, budget);
        if (!state) co_return state.error();
        if (static_cast<std::size_t>(state->version) < steps.size()) {
            const auto applied = co_await apply(on, steps, state->version, budget);
            if (!applied) co_return applied.error();
        }
        const auto committed = co_await on.query_simple("COMMIT", budget.left());
        if (!committed) co_return committed.error();
    }
    if (static_cast<std::size_t>(state->version) > steps.size()) {
        co_return newer_schema(state->version, steps.size());
    }
    if (reader_role.empty()) co_return result<void>{};
    co_return co_await grant_to_reader(on, std::move(reader_role), budget);
}

}  // namespace repld::schema
