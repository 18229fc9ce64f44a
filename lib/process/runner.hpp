// Runs one program to its end, with a time limit and bounded output, without blocking the loop.
//
// The child gets its own process group, /dev/null as standard input, one pipe for standard output
// and standard error together, an empty signal mask, default signal actions and no other
// descriptor. Its death is an event (pidfd). The output is complete when the child has ended: a
// descendant that lives on (a server started by it) does not hold the caller up, and finds the pipe
// closed. Precondition: SIGCHLD is not ignored in this process. All calls come from one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::process {

struct command {
    explicit command(std::vector<std::string> arguments) : argv(std::move(arguments)) {}

    std::vector<std::string> argv;  // argv[0] is searched in PATH when it has no slash
    std::map<std::string, std::string> extra_env{};  // added to, or in place of, our own
    std::filesystem::path working_dir{};             // empty: ours
    // Called for each line (ended by \n or \r, which are taken off; empty lines are left out) as it
    // comes; a line longer than 8 KiB comes in pieces. Must not throw.
    std::function<void(std::string_view line)> on_line{};
    std::size_t output_limit = 64 * 1024;  // bytes; the tail is kept
    // From SIGTERM, which the group gets when the limit passes, to SIGKILL. 0: SIGKILL at once.
    duration kill_grace = std::chrono::seconds(1);
};

struct command_outcome {
    int exit_code = 0;  // valid when signal == 0
    int signal = 0;     // that ended the child; 0: it exited
    bool timed_out = false;
    std::string output{};

    [[nodiscard]] bool succeeded() const noexcept {
        return exit_code == 0 && signal == 0 && !timed_out;
    }
};

// Waits for the end at most `limit`, plus the grace, plus one second in which SIGKILL takes effect.
// A child that cannot be killed even then (another user's, or stuck in the kernel) is left to
// itself: timed_out with signal SIGKILL; it is reaped by a later call.
// If the coroutine is cancelled or destroyed, the group is killed.
// Errors: io when the program could not be started, timed_out when it could not even be loaded
// within the limit; the outcome of a started one is a value.
[[nodiscard]] task<result<command_outcome>> run_command(command what, duration limit);

// The same through "/bin/sh -c", for command lines from the configuration.
[[nodiscard]] task<result<command_outcome>> run_shell(std::string command_line, duration limit);

// "exited with status 1", "was killed by signal 9", "did not end in time".
[[nodiscard]] std::string describe(const command_outcome& outcome);

// Success stays; any other outcome becomes an error of this code: message `could not <purpose>`,
// detail the outcome and the last lines of the output.
[[nodiscard]] result<command_outcome> require_success(result<command_outcome> outcome,
                                                      std::string_view purpose,
                                                      errc code = errc::io);

}  // namespace repld::process
