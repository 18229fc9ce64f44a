// The two programs that a rewind runs, and what their words mean.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/types.hpp"
#include "net/asio.hpp"
#include "postgres/rewind_source.hpp"

namespace repld::postgres {

struct rewind_outcome {
    bool needed = true;  // false: "no rewind required"
    bool succeeded = false;
    bool touched = true;  // the data directory may have been changed
    std::string words{};  // the end of the output
};
[[nodiscard]] task<result<rewind_outcome>> run_pg_rewind(std::filesystem::path bin_directory,
                                                         std::filesystem::path data_directory,
                                                         program_conninfo source, duration limit);

struct wal_count {
    std::uint64_t commits = 0;
    lsn end{};  // of the last valid record; invalid: there was none
};
// Of one timeline, from a position on. Errors: io (pg_waldump cannot be run), timed_out.
[[nodiscard]] task<result<wal_count>> count_wal(std::filesystem::path bin_directory,
                                                std::filesystem::path wal_directory,
                                                wal_position from, std::uint64_t segment_size,
                                                duration limit);

}  // namespace repld::postgres
