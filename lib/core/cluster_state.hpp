// The cluster state: the one small value that the quorum agrees on (DESIGN section 4). It is
// replaced as a whole by every version.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/settings.hpp"
#include "core/types.hpp"

namespace repld {

enum class node_role { data, witness };

struct member {
    node_id id = 0;
    nonce identity = 0;      // of the installation (R24)
    std::string machine_id;  // of the host (R24)
    std::string name;
    node_role role = node_role::data;
    std::string address;   // host:port of the peer port
    std::string conninfo;  // how other hosts reach its PostgreSQL; empty on a witness
    std::string location = "default";
    int priority = 100;  // 0: never primary
    bool operator==(const member&) const = default;
};

// A timeline that the register gave out (R26): who may write on it, and where it leaves its parent.
// It is listed from the election on: from then on somebody may have written on it.
struct timeline_entry {
    timeline_id timeline = 0;
    timeline_id parent = 0;  // 0: the first one of this cluster
    lsn fork{};
    ballot by{};
    bool operator==(const timeline_entry&) const = default;
};

using voter_set = std::set<node_id>;

struct cluster_state {
    std::string cluster;
    std::uint64_t system_identifier = 0;
    version_number version = 0;
    node_id leader = 0;
    std::vector<member> members;
    voter_set voters;
    // While a change is under way: the voters to be (R22). Both sets count until it is gone.
    std::optional<voter_set> next_voters;
    cluster_settings settings;
    std::vector<timeline_entry> timelines;  // ascending; the last one is the leader's
    bool paused = false;

    bool operator==(const cluster_state&) const = default;

    [[nodiscard]] const member* find(node_id id) const;
    [[nodiscard]] const member* find(const std::string& name) const;
    [[nodiscard]] bool is_voter(node_id id) const {
        return voters.contains(id) || (next_voters && next_voters->contains(id));
    }
    [[nodiscard]] timeline_id last_timeline() const {
        return timelines.empty() ? 0 : timelines.back().timeline;
    }
};

// (ballot, version) orders values (R3): one ballot sees many of them.
struct accepted_value {
    ballot under{};
    cluster_state value;
    bool operator==(const accepted_value&) const = default;
    [[nodiscard]] bool older_than(const accepted_value& other) const {
        return std::pair(under, value.version) < std::pair(other.under, other.value.version);
    }
};

// Where a position stands against the living branch, which ends in the last timeline of the list
// (R26).
struct lineage {
    enum class relation { on_branch, diverged, unknown_timeline };
    relation is = relation::on_branch;
    // What the position is worth in a comparison: itself on the branch; cut to the point where it
    // left the branch; nothing on a timeline that the register never gave out.
    wal_position counts{};
};
[[nodiscard]] lineage locate(const cluster_state& state, const wal_position& position);

// Why `added` cannot become a member: its id, name or address belongs to another installation.
[[nodiscard]] std::optional<error> membership_conflict(const cluster_state& state,
                                                       const member& added);

}  // namespace repld
