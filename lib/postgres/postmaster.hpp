// Which processes are the PostgreSQL server of one data directory, from postmaster.pid and /proc.
// Nothing here asks the server. Synchronous and fast.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "postgres/conninfo.hpp"

namespace repld::postgres {

enum class postmaster_status { unknown, starting, stopping, ready, standby };

struct postmaster_file {
    pid_t pid = 0;            // positive; see standalone
    bool standalone = false;  // a single-user backend, not a postmaster
    std::filesystem::path data_directory{};
    std::int64_t start_time = 0;  // seconds since 1970, wall clock; shown, not compared
    int port = 0;                 // 0 while not written yet
    std::filesystem::path socket_directory{};               // the first one; may be empty
    std::string listen_address{};                           // the first one; may be empty
    std::string shared_memory{};                            // "key id"; empty while not written yet
    postmaster_status status = postmaster_status::unknown;  // as last written
};

// Pure. Error: corrupt. A file that is just being written has only its first lines: the rest of the
// fields keep their defaults.
[[nodiscard]] result<postmaster_file> parse_postmaster_file(std::string_view text);

struct postmaster_process {
    postmaster_file file{};
    std::uint64_t start_ticks = 0;  // for process_watch::open
};

// The living postmaster of this data directory; nullopt when postmaster.pid is not there, or names
// a process that is gone, is a zombie, or is another program (the number was used again). Errors:
// corrupt, io.
[[nodiscard]] result<std::optional<postmaster_process>> find_postmaster(
    const std::filesystem::path& data_directory);

enum class server_process_kind { postmaster, child, by_directory };

struct server_process {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    std::string comm{};
    server_process_kind kind = server_process_kind::by_directory;
    // False for a program other than postgres that has the data directory as its working directory
    // (archive_command, a DBA's shell): it cannot write to the database.
    bool server_program = true;
};

// The postmaster, its children, and every process with the data directory as working directory:
// backends outlive a killed postmaster by seconds and can still commit. Each process once, zombies
// left out. One pass: after a kill, look until two passes in a row are empty. Errors: io; corrupt
// (postmaster.pid), but only when no process is found by directory.
[[nodiscard]] result<std::vector<server_process>> all_server_processes(
    const std::filesystem::path& data_directory);

// How to reach that server locally: host=<socket directory, else localhost> port= user=
// dbname=postgres. Precondition: the port is known. `user` empty: the name of the owner of the data
// directory, else "postgres".
[[nodiscard]] conninfo local_conninfo(const postmaster_file& file, std::string_view user = {});

}  // namespace repld::postgres
