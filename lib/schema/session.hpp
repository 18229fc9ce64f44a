// Connections for work on the metadata schema, and the time that is left for it. Internal to this
// folder.
#pragma once

#include <memory>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "postgres/connection.hpp"

namespace repld::schema {

// One limit for a call that takes several statements. Precondition: it is far from 1 ms.
class time_budget {
public:
    explicit time_budget(duration limit);
    [[nodiscard]] duration left() const;  // at least 1 ms: the statement itself then times out
    [[nodiscard]] bool used_up() const;

private:
    boot_time end_;
};

// `local_conninfo` with another dbname unless `database` is empty. The session looks names up in
// pg_catalog only, commits locally and may write whatever the server's defaults are.
[[nodiscard]] task<result<std::unique_ptr<postgres::connection>>> open_session(
    std::string local_conninfo, std::string database, time_budget budget);

// BEGIN, with the server's own limits on statements, locks and idling set to what is left: a daemon
// that is gone or hangs leaves no lock behind.
[[nodiscard]] task<result<void>> begin(postgres::connection& on, time_budget budget);

// Takes the value out of a row_set that nobody needs.
[[nodiscard]] result<void> outcome_of(const result<postgres::row_set>& answer);

}  // namespace repld::schema
