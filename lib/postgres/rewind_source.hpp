// What a rewind or a clone asks the other server beforehand.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "postgres/conninfo.hpp"
#include "postgres/wal_file.hpp"

namespace repld::postgres {

// A connection string as a program of PostgreSQL may be given it: without the password, which other
// users could read in the process list, but through the environment.
struct program_conninfo {
    std::string text{};
    std::string password{};  // empty: from a passfile, or none
};
[[nodiscard]] result<program_conninfo> for_program(const std::string& conninfo_text);

// Returns when the source's control file is on `timeline` or a later one: pg_rewind goes by it, and
// it changes with the first checkpoint after a promotion. The timeline that it is on.
// Errors: refused (not in time), configuration, unreachable, postgres.
[[nodiscard]] task<result<timeline_id>> wait_for_timeline(std::string conninfo_text,
                                                          timeline_id timeline, boot_time deadline);

// The source's history of that timeline; empty for timeline 1. Needs a role with REPLICATION.
[[nodiscard]] task<result<std::vector<timeline_switch>>> read_history(std::string conninfo_text,
                                                                      timeline_id timeline,
                                                                      duration limit);

}  // namespace repld::postgres
