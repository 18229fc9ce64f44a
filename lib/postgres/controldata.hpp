// What pg_control says, read through pg_controldata, so that one parser serves servers 13 to 18;
// and the versions of a data directory and of a set of server programs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/types.hpp"
#include "net/asio.hpp"

namespace repld::postgres {

enum class cluster_state_on_disk {
    starting_up,
    shut_down,              // cleanly, as a primary
    shut_down_in_recovery,  // cleanly, as a standby
    shutting_down,
    in_crash_recovery,
    in_archive_recovery,  // a standby that runs, or ran when the host died
    in_production         // a primary that runs, or ran when it died
};

struct control_data {
    std::uint32_t pg_control_version = 0;  // 1300: servers 13 to 16
    std::uint64_t system_identifier = 0;
    cluster_state_on_disk state = cluster_state_on_disk::starting_up;
    lsn checkpoint{};  // start of the latest checkpoint record
    lsn redo{};
    timeline_id timeline = 0;  // of the latest checkpoint
    timeline_id previous_timeline = 0;
    lsn min_recovery_end{};  // invalid unless a standby or a backup
    timeline_id min_recovery_end_timeline = 0;
    bool wal_log_hints = false;
    std::uint32_t data_checksum_version = 0;  // 0: off
    std::uint64_t wal_segment_size = 0;       // bytes
};

[[nodiscard]] const char* to_string(
    cluster_state_on_disk state) noexcept;  // pg_controldata's words

// Of pg_controldata's output with LC_ALL=C. Pure. Error: corrupt, naming the line that is missing
// or wrong, or that the control file's checksum does not match.
[[nodiscard]] result<control_data> parse_control_data(std::string_view text);

// Errors: timed_out, io (could not be run or failed; detail has its words), corrupt.
[[nodiscard]] task<result<control_data>> read_control_data(std::filesystem::path bin_directory,
                                                           std::filesystem::path data_directory,
                                                           duration limit);

// Major version from PG_VERSION. Errors: refused when the file is not there, corrupt, io.
[[nodiscard]] result<int> data_directory_version(const std::filesystem::path& data_directory);

// Major version from "postgres --version". Errors: timed_out, io, protocol (not understood).
[[nodiscard]] task<result<int>> server_programs_version(std::filesystem::path bin_directory,
                                                        duration limit);
[[nodiscard]] result<int> parse_program_version(std::string_view text);

}  // namespace repld::postgres
