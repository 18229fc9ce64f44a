// The rows of the metadata schema `repld`, as plain values. They are for people and dashboards: no
// decision is ever taken from them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time.hpp"
#include "core/types.hpp"

namespace repld::schema {

// Texts may hold anything: NUL bytes and invalid UTF-8 are replaced before they are written.
struct node_row {
    node_id id = 0;
    std::string name{};
    std::string role{};  // "primary", "standby" or "witness": repmgr's column "type"
    bool active = true;
    bool voter = false;
    std::string location = "default";
    int priority = 100;
    std::optional<node_id> upstream{};
    std::string address{};   // host:port of the peer port
    std::string conninfo{};  // secrets are taken out before it is written
    std::string slot_name{};
    bool operator==(const node_row&) const = default;
};

struct status_row {
    node_id id = 0;
    std::string role{};
    std::string state{};
    std::optional<node_id> upstream{};
    timeline_id timeline = 0;  // 0: not known
    // Of the primary: both its own WAL end, which is what the lags of the view are counted from.
    lsn receive_lsn{};  // invalid: not known
    lsn replay_lsn{};
    std::optional<std::uint64_t> lag_bytes{};
    std::optional<double> lag_seconds{};
    term_number term = 0;
    // How long ago it was last heard of, by this host's clock; nothing: never.
    std::optional<duration> last_seen_age{};
    std::string reason{};
    bool operator==(const status_row&) const = default;
};

struct event_row {
    std::int64_t id = 0;  // given by the database; not looked at when written
    // Wall clock, for display: wall_clock_text() makes it. Any other form, or none, is replaced by
    // the time of the write.
    std::string time{};
    node_id node = 0;
    std::string node_name{};  // read only: from repld.nodes; empty for a node that has left
    std::string event{};
    bool successful = true;
    std::string details{};
    // A JSON text (evidence_json() makes one); empty: none. What is no JSON is written as a string.
    std::string evidence{};
    bool operator==(const event_row&) const = default;
};

// What the leader knows now; each node once. Whoever is not in it is removed from the tables;
// events stay.
struct snapshot {
    std::vector<node_row> nodes{};
    std::vector<status_row> status{};
};

// "2026-07-01T12:00:00.123456Z" from a reading of CLOCK_REALTIME.
[[nodiscard]] std::string wall_clock_text(duration since_1970);

// The evidence of a decision as a JSON object. A key that comes twice keeps its last value.
[[nodiscard]] std::string evidence_json(
    const std::vector<std::pair<std::string, std::string>>& evidence);

}  // namespace repld::schema
