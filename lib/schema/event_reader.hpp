// Reads the table of events, on a primary or a standby.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "schema/rows.hpp"

namespace repld::postgres {
class connection;
}

namespace repld::schema {

struct event_filter {
    int limit = 20;    // the newest ones; at least 1
    bool all = false;  // instead of limit: the newest 10,000
    std::optional<node_id> node{};
    std::optional<std::string> node_name{};  // of a node that is in repld.nodes
    std::optional<std::string> event{};
};

// Newest first. `time` comes in UTC ("2026-07-01 12:00:00.123456Z"), `evidence` as JSON text.
// The connection must be to the metadata database.
// Errors: refused (no schema repld there), and those of connection::query.
[[nodiscard]] task<result<std::vector<event_row>>> read_events(postgres::connection& on,
                                                               event_filter filter, duration limit);

}  // namespace repld::schema
