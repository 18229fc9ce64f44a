// Ends the processes of a server by signal, up to the last backend.
#pragma once

#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "postgres/postmaster.hpp"

namespace repld::postgres {

// The processes of the server program that live now.
[[nodiscard]] result<std::vector<server_process>> living_server_processes(
    const std::filesystem::path& data_directory);

// Signals the living postmaster; success when there is none.
[[nodiscard]] result<void> signal_postmaster(const asio::any_io_executor& executor,
                                             const std::filesystem::path& data_directory,
                                             int signal);
// True when no process of the server lives; false when the moment came first.
[[nodiscard]] task<bool> wait_for_end(std::filesystem::path data_directory, boot_time moment);

// SIGKILL to all of them and to those of `noted` that still live, until two looks in a row find
// nobody. Errors: timed_out, io.
[[nodiscard]] task<result<void>> kill_all(std::filesystem::path data_directory,
                                          std::vector<server_process> noted, boot_time deadline);

// Removes postmaster.pid, and the lock file of its first socket, where it names a postmaster that
// is dead and was not reaped (an init that does not reap: containers): PostgreSQL takes a zombie
// for a living server and does not start. Does nothing when any process of the server lives.
// Errors: io.
[[nodiscard]] result<void> drop_stale_pid_file(const std::filesystem::path& data_directory);

}  // namespace repld::postgres
