#include "postgres/server_sql.hpp"

#include <charconv>

#include <nlohmann/json.hpp>

namespace repld::postgres {
namespace {

using json = nlohmann::json;

// Every function that a server refuses in the other role stands in a CASE. A promotion between the
// first and a later column can still make pg_is_wal_replay_paused() fail: the caller asks again.
constexpr const char* statement = R"(
WITH r AS MATERIALIZED (SELECT pg_is_in_recovery() AS rec)
SELECT r.rec AS in_recovery,
  current_setting('server_version_num') AS server_version,
  CASE WHEN r.rec THEN pg_last_wal_receive_lsn() END AS receive,
  CASE WHEN r.rec THEN pg_last_wal_replay_lsn() END AS replay,
  CASE WHEN r.rec THEN pg_is_wal_replay_paused() END AS paused,
  CASE WHEN r.rec THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    END AS replay_age,
  CASE WHEN NOT r.rec THEN pg_current_wal_flush_lsn() END AS flush,
  CASE WHEN NOT r.rec THEN pg_current_wal_insert_lsn() END AS insert,
  CASE WHEN NOT r.rec THEN pg_walfile_name(pg_current_wal_insert_lsn()) END AS wal_file,
  w.pid AS walreceiver, w.status AS walreceiver_status, w.received_tli,
  w.sender_host, w.sender_port,
  s.pid AS startup, s.wait_event AS startup_wait,
  current_setting('primary_conninfo') AS primary_conninfo,
  current_setting('primary_slot_name') AS primary_slot_name,
  current_setting('restore_command') AS restore_command,
  current_setting('synchronous_standby_names') AS synchronous_standby_names,
  current_setting('wal_level') AS wal_level,
  current_setting('wal_log_hints') AS wal_log_hints,
  current_setting('data_checksums') AS data_checksums,
  current_setting('max_wal_senders') AS max_wal_senders,
  current_setting('max_replication_slots') AS max_replication_slots,
  current_setting('config_file') AS config_file,
  pg_size_bytes(current_setting('wal_segment_size')) AS wal_segment_size,
  (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
  (SELECT json_agg(json_build_object('pid', p.pid, 'name', p.application_name,
      'state', p.state, 'address', p.client_addr, 'sent', p.sent_lsn, 'flush', p.flush_lsn,
      'replay', p.replay_lsn, 'sync_state', p.sync_state, 'priority', p.sync_priority))
    FROM pg_stat_replication p) AS senders,
  (SELECT json_agg(json_build_object('name', l.slot_name, 'active', l.active,
      'physical', l.slot_type = 'physical', 'restart', l.restart_lsn, 'status', l.wal_status))
    FROM pg_replication_slots l) AS slots
FROM r LEFT JOIN pg_stat_wal_receiver w ON r.rec
  LEFT JOIN LATERAL (SELECT a.pid, a.wait_event FROM pg_stat_activity a
    WHERE r.rec AND a.backend_type = 'startup' LIMIT 1) s ON true)";

lsn position(const row_set& rows, std::string_view column) {
    const auto text = rows.at(0, column);
    return text ? parse_lsn(*text).value_or(lsn{}) : lsn{};
}

template <class T>
T number(const row_set& rows, std::string_view column) {
    T value{};
    const std::string text = rows.text(0, column);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() ? value : T{};
}

std::string text_of(const json& row, const char* key) {
    const auto at = row.find(key);
    return at != row.end() && at->is_string() ? at->get<std::string>() : std::string();
}

lsn position_of(const json& row, const char* key) {
    return parse_lsn(text_of(row, key)).value_or(lsn{});
}

int integer_of(const json& row, const char* key) {
    const auto at = row.find(key);
    return at != row.end() && at->is_number_integer() ? at->get<int>() : 0;
}

bool flag_of(const json& row, const char* key) {
    const auto at = row.find(key);
    return at != row.end() && at->is_boolean() && at->get<bool>();
}

result<json> rows_of(const row_set& rows, std::string_view column) {
    const auto text = rows.at(0, column);
    if (!text) return json::array();
    json parsed = json::parse(*text, nullptr, false);
    if (!parsed.is_array()) {
        return error{errc::protocol, "could not read column \"" + std::string(column) +
                                         "\" of the server's answer"};
    }
    return parsed;
}

void read_lists(const json& senders, const json& slots, observation& seen) {
    for (const auto& row : senders) {
        if (!row.is_object()) continue;
        sender_facts s;
        s.pid = integer_of(row, "pid");
        s.application_name = text_of(row, "name");
        s.state = text_of(row, "state");
        s.client_address = text_of(row, "address");
        s.sent = position_of(row, "sent");
        s.flush = position_of(row, "flush");
        s.replay = position_of(row, "replay");
        s.sync_state = text_of(row, "sync_state");
        s.sync_priority = integer_of(row, "priority");
        seen.senders.push_back(std::move(s));
    }
    for (const auto& row : slots) {
        if (!row.is_object()) continue;
        slot_facts s;
        s.name = text_of(row, "name");
        s.active = flag_of(row, "active");
        s.physical = flag_of(row, "physical");
        s.restart = position_of(row, "restart");
        s.wal_status = text_of(row, "status");
        seen.slots.push_back(std::move(s));
    }
}

void read_settings(const row_set& rows, observation& seen) {
    seen.primary_conninfo = rows.text(0, "primary_conninfo");
    seen.primary_slot_name = rows.text(0, "primary_slot_name");
    seen.restore_command = rows.text(0, "restore_command");
    seen.synchronous_standby_names = rows.text(0, "synchronous_standby_names");
    seen.wal_level = rows.text(0, "wal_level");
    seen.wal_log_hints = rows.text(0, "wal_log_hints") == "on";
    seen.data_checksums = rows.text(0, "data_checksums") == "on";
    seen.max_wal_senders = number<int>(rows, "max_wal_senders");
    seen.max_replication_slots = number<int>(rows, "max_replication_slots");
    seen.wal_segment_size = number<std::uint64_t>(rows, "wal_segment_size");
    // A signed bigint on the SQL side.
    seen.system_identifier =
        static_cast<std::uint64_t>(number<std::int64_t>(rows, "system_identifier"));
}

}  // namespace

std::string session_sql() {
    return "SET search_path = pg_catalog; SET jit = off; SET synchronous_commit = local; "
           "SET statement_timeout = 0; SET client_min_messages = warning; SET lock_timeout = 0; "
           "PREPARE repld_observe AS " +
           std::string(statement);
}

std::string observe_sql() {
    return "EXECUTE repld_observe";
}

result<server_answer> read_answer(const row_set& rows) {
    if (rows.size() != 1 || !rows.at(0, "in_recovery")) {
        return error{errc::protocol, "could not read the server's answer",
                     "It has " + std::to_string(rows.size()) + " rows."};
    }
    server_answer answer;
    auto& seen = answer.seen;
    seen.in_recovery = rows.flag(0, "in_recovery");
    seen.server_version = number<int>(rows, "server_version");
    seen.receive = position(rows, "receive");
    seen.replay = position(rows, "replay");
    seen.insert = position(rows, "insert");
    seen.wal_end = seen.in_recovery ? std::max(seen.receive, seen.replay) : position(rows, "flush");
    if (const std::string file = rows.text(0, "wal_file"); file.size() == 24) {
        std::from_chars(file.data(), file.data() + 8, seen.timeline, 16);
    }
    seen.received_timeline = number<timeline_id>(rows, "received_tli");
    seen.walreceiver = number<pid_t>(rows, "walreceiver");
    seen.walreceiver_status = rows.text(0, "walreceiver_status");
    seen.sender_host = rows.text(0, "sender_host");
    seen.sender_port = number<int>(rows, "sender_port");
    seen.replay_paused = rows.flag(0, "paused");
    if (rows.at(0, "replay_age")) seen.last_replay_age_seconds = number<double>(rows, "replay_age");
    read_settings(rows, seen);

    auto senders = rows_of(rows, "senders");
    if (!senders) return std::move(senders).error();
    auto slots = rows_of(rows, "slots");
    if (!slots) return std::move(slots).error();
    read_lists(*senders, *slots, seen);

    answer.standby = {number<pid_t>(rows, "startup"),
                      rows.text(0, "startup_wait"),
                      seen.replay_paused,
                      seen.receive,
                      seen.replay,
                      seen.walreceiver,
                      seen.received_timeline};
    answer.config_file = rows.text(0, "config_file");
    return answer;
}

}  // namespace repld::postgres
