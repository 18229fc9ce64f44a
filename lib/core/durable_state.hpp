// What a node must not forget (R1): written as a whole, before any message that relies on it
// leaves.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/cluster_state.hpp"

namespace repld {

struct promise_record {
    ballot to{};
    nonce attempt = 0;  // an equal ballot of another attempt is refused (R2)
    bool operator==(const promise_record&) const = default;
};

// What this node remembers of a peer, so that a peer whose state went back is noticed (R24).
struct peer_memory {
    nonce identity = 0;
    std::uint64_t boot = 0;        // counts that peer's daemon starts
    nonce start = 0;               // of the start with that number: a copy has another
    std::uint64_t generation = 0;  // counts that peer's durable writes
    bool operator==(const peer_memory&) const = default;
};

// One start of this node's daemon, and the generation that the state had reached when it ended:
// what a peer remembers beyond that was written by a run that this state does not know (R24).
struct start_record {
    std::uint64_t boot = 0;
    nonce start = 0;
    std::uint64_t generation = 0;
    bool operator==(const start_record&) const = default;
};

struct durable_state {
    // Identity of this installation (R24).
    node_id id = 0;
    nonce identity = 0;
    std::string machine_id;
    std::string cluster;  // empty: not in a cluster yet
    std::uint64_t system_identifier = 0;

    std::uint64_t boot = 0;            // raised at every start of the daemon
    std::uint64_t generation = 0;      // raised at every write, not at a start
    std::vector<start_record> starts;  // the last ones, oldest first, without the running one
    nonce start = 0;                   // of the running one, or of the last
    bool went_back = false;            // R24: not admitted again yet
    term_number own_term = 0;  // the highest term this node ever proposed with, voter or not
    promise_record promise{};
    // R24: what it may have promised before its state went back; nothing below passes.
    ballot floor{};
    std::optional<accepted_value> accepted;
    duration grant_max{};                   // the longest lease this node may have granted (R9)
    std::map<node_id, term_number> closed;  // R10: ballots (t, node) with t up to this are closed
    bool void_in_s = false;                 // R25
    std::map<node_id, peer_memory> peers;

    bool operator==(const durable_state&) const = default;

    [[nodiscard]] bool in_cluster() const { return !cluster.empty(); }
    // A node's terms only go up and are durable before use, so a closed ballot closes all its
    // earlier ones with it; one number per node is enough and stays bounded.
    [[nodiscard]] bool is_closed(const ballot& b) const {
        const auto it = closed.find(b.node);
        return it != closed.end() && b.term <= it->second;
    }
};

}  // namespace repld
