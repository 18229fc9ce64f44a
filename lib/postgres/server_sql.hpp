// The one statement that a look at the server takes, and how its answer is read.
#pragma once

#include <string>

#include "core/result.hpp"
#include "postgres/row_set.hpp"
#include "postgres/server_position.hpp"
#include "postgres/server_types.hpp"

namespace repld::postgres {

// Run once on a new connection. The statement is prepared, since planning it costs more than
// running it.
[[nodiscard]] std::string session_sql();
[[nodiscard]] std::string observe_sql();

struct server_answer {
    observation seen{};  // core.state, position and reason are left to the caller
    standby_facts standby{};
    std::string config_file{};
};
// Error: protocol, naming the column.
[[nodiscard]] result<server_answer> read_answer(const row_set& rows);

}  // namespace repld::postgres
