// WAL from before the fork that this host has recycled and the source still has. pg_rewind looks
// for the last common checkpoint in the local pg_wal only, and a checkpoint of the divergent server
// may have let go of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "postgres/rewind_wal.hpp"
#include "postgres/server.hpp"

namespace repld::postgres {

// Pure. The segment that pg_rewind's words say is missing in the local pg_wal, when it lies before
// the fork: nullopt otherwise, since from the fork on the servers differ.
[[nodiscard]] std::optional<std::string> missing_segment(std::string_view words,
                                                         const wal_fork& where);

// Brings one segment from the source's pg_wal, with the function that pg_rewind itself reads files
// by, and keeps it from pg_rewind as keep_common_wal() does.
// Errors: refused (the source does not have it), postgres, unreachable, timed_out, io.
[[nodiscard]] task<result<void>> fetch_segment(local_server& server, std::string conninfo_text,
                                               std::string segment, wal_fork where,
                                               boot_time deadline);

}  // namespace repld::postgres
