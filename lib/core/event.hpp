// What reaches the core.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/message.hpp"
#include "core/server.hpp"

namespace repld {

// Time passed. `realtime` is CLOCK_REALTIME since its epoch: used to distrust, never to trust
// (R12).
struct tick {
    duration realtime{};
};

struct message_received {
    envelope from;
    message body;
};

// The durable write with this number, and all before it, reached the disk; or could not.
struct disk_done {
    std::uint64_t sequence = 0;
    bool ok = true;
    std::string reason;
};

struct server_seen {
    server_observation seen;
};

struct server_task_done {
    std::uint64_t task = 0;
    bool ok = false;
    std::string text;  // why not, or what was found
    std::optional<wal_position>
        position;  // freeze: where the WAL ends; promote: where the new timeline began
};

// Requests of a person, all answered by a `reply` action with the same number.
struct create_cluster {
    std::string cluster;
    std::uint64_t system_identifier = 0;
    member self;
    cluster_settings settings;
    wal_position position;  // of the running primary
};
struct enter_cluster {  // this node was told by the leader that it may join
    std::string cluster;
    std::uint64_t system_identifier = 0;
};
struct add_member {
    member added;
};
struct change_settings {
    std::vector<std::pair<std::string, std::string>> changes;
};
// The daemon is about to end and will not watch the lease any more.
struct step_down {
    std::string why;
};

struct operator_request {
    std::uint64_t request = 0;
    std::variant<create_cluster, enter_cluster, add_member, change_settings, step_down> what;
};

using event = std::variant<tick, message_received, disk_done, server_seen, server_task_done,
                           operator_request>;

}  // namespace repld
