// Rows as JSON texts: a whole table goes to the server as one parameter, whatever its number of
// rows. Internal to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/rows.hpp"

namespace repld::schema {

// An event in the queue. (source, number) is the same however often it is sent.
struct queued_event {
    std::uint64_t number = 0;
    event_row event{};
};

// Texts are made fit for the server: valid UTF-8 without NUL, bounded. Never fails.
[[nodiscard]] std::string nodes_json(const std::vector<node_row>& rows);
[[nodiscard]] std::string status_json(const std::vector<status_row>& rows);
[[nodiscard]] std::string events_json(const std::vector<queued_event>& rows, std::int64_t source);

// Bounds what the queue holds and replaces what the server would refuse: one refused event would
// otherwise hold up all that come after it.
[[nodiscard]] event_row made_fit(event_row event);

}  // namespace repld::schema
