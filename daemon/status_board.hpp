// What this daemon knows of every node: its own status and what the others last said of themselves.
// For people and dashboards only; nothing is decided from it. Ages are by this host's clock.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/cluster_state.hpp"
#include "core/node.hpp"
#include "schema/rows.hpp"

namespace repld {

// One node of itself, as it travels between daemons.
struct node_status {
    node_id id = 0;
    std::string role;   // primary, standby, witness
    std::string state;  // running, stopped, starting, rewinding, fenced, ...
    std::string reason;
    node_id upstream = 0;
    bool streaming = false;
    bool writable = false;
    timeline_id timeline = 0;
    lsn receive{};
    lsn replay{};
    double lag_seconds = 0.0;
    term_number term = 0;
    node_id leader = 0;
    int server_version = 0;
    std::string program_version;
    // Of the leader only.
    bool leads = false;
    bool has_quorum = false;
    std::size_t voters = 0;
    std::size_t reached = 0;
    std::int64_t lease_left_ms = 0;
};

[[nodiscard]] nlohmann::json encode(const node_status& s);
// Nothing when a field is missing or of the wrong kind.
[[nodiscard]] std::optional<node_status> decode_status(const nlohmann::json& body);

class status_board {
public:
    void put(const node_status& status, boot_time now) { rows_[status.id] = {status, now}; }
    void heard(node_id id, boot_time now) {
        if (const auto it = rows_.find(id); it != rows_.end()) it->second.at = now;
    }
    [[nodiscard]] const node_status* find(node_id id) const;

    // INTERFACE.md "replctl cluster show". Precondition: the node is in a cluster.
    struct shown {
        nlohmann::json body;
        bool problems = false;
    };
    [[nodiscard]] shown show(const cluster_state& state, const node_view& view, node_id self,
                             boot_time now) const;
    [[nodiscard]] schema::snapshot snapshot(const cluster_state& state, node_id leader,
                                            boot_time now) const;

private:
    struct row {
        node_status status;
        boot_time at{};
    };
    std::map<node_id, row> rows_;
};

}  // namespace repld
