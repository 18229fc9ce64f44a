// Brings a server that has WAL of its own beyond a fork back to the branch of another server, by
// pg_rewind, without losing its configuration, the WAL needed on the way, or track of what is lost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/types.hpp"
#include "net/asio.hpp"
#include "postgres/server.hpp"

namespace repld::postgres {

struct rewind_request {
    std::string source_conninfo{};  // of the new primary; a role that may run pg_rewind's functions
    timeline_id source_timeline = 0;  // waits until the source's control file is on it; 0: any
    timeline_id own_timeline = 0;     // of the divergent WAL
    lsn fork{};                       // where own_timeline was left; 0: not known
    std::filesystem::path aside_directory{};  // gets a folder of divergent WAL; made if missing
    std::filesystem::path state_directory{};  // gets the marker
    duration limit{};                         // for the whole
};

struct rewind_report {
    std::string method{};  // "none" (no rewind was required) or "pg_rewind"
    std::string text{};    // one sentence for the event
    std::uint64_t lost_transactions = 0;
    std::uint64_t lost_bytes = 0;
    bool lost_counted = false;      // false: the two figures could not be found out
    std::filesystem::path aside{};  // where the divergent WAL lies now; empty: there was none
};

// Ends with the server stopped, standby.signal in place and local configuration as before, so that
// local_server::start_as_standby() and follow() can go on.
// Errors: refused (neither wal_log_hints nor checksums, or the source is not on the timeline in
// time: nothing was changed but the server is stopped), needs_person (pg_rewind failed: the marker
// stays, and the directory may only be rewound again or cloned), timed_out, io.
[[nodiscard]] task<result<rewind_report>> rewind(local_server& server, rewind_request request);

// True while a rewind has begun and not ended: that data directory must not be started.
[[nodiscard]] bool rewind_interrupted(const std::filesystem::path& state_directory);
// After the data directory was replaced by a clone.
[[nodiscard]] result<void> clear_rewind_marker(const std::filesystem::path& state_directory);

}  // namespace repld::postgres
