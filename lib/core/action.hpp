// What the core wants done, in the order given. A `persist` stands before what relies on it, and
// the core itself holds that back until `disk_done` says that it is on disk (R1).
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/durable_state.hpp"
#include "core/error.hpp"
#include "core/message.hpp"
#include "core/result.hpp"
#include "core/server.hpp"

namespace repld {

struct persist {
    std::uint64_t sequence = 0;
    durable_state state;
};

struct send {
    node_id to = 0;
    envelope from;
    message body;
};

struct run_server_task {
    std::uint64_t task = 0;
    server_task what;
};

// Look at PostgreSQL now, not at the next interval.
struct observe_now {};

enum class severity { info, notice, warning, error };

// A decision or a finding, in one sentence, with its evidence (P6). `name` is the event's name in
// the metadata schema; empty: for the log only.
struct note {
    severity level = severity::info;
    std::string name;
    std::string text;
    std::vector<std::pair<std::string, std::string>> evidence{};
};

struct reply {
    std::uint64_t request = 0;
    result<void> outcome;
};

using action = std::variant<persist, send, run_server_task, observe_now, note, reply>;

}  // namespace repld
