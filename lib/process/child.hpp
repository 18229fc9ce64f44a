// A started child process: spawn, kill as a group, reap. No event loop here.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "platform/unique_fd.hpp"

namespace repld::process {

// Owns a child until it is reaped. An owner that lets go of a child that still runs kills its
// group; what could not be reaped then is reaped by a later spawn(). One thread.
class child {
public:
    struct parts {
        std::vector<std::string> argv{};
        std::vector<std::string> environment{};  // "key=value"; see environment_with()
        std::filesystem::path working_dir{};
    };

    // Blocks until the program is loaded. May be called on any thread. Errors: io, naming the
    // program.
    [[nodiscard]] static result<child> spawn(const parts& what);

    child(child&& other) noexcept;
    child& operator=(child&&) = delete;
    ~child();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // Read end of the child's output, non-blocking; the caller takes it over.
    [[nodiscard]] platform::unique_fd take_output() noexcept { return std::move(output_); }
    [[nodiscard]] platform::unique_fd take_pidfd() noexcept { return std::move(pidfd_); }

    // To the whole group; a group that is gone is not an error.
    void kill_group(int signal) const noexcept;
    // The wait status once the child has ended; never blocks. nullopt: it runs.
    [[nodiscard]] std::optional<int> reap();
    // Stops owning a child that cannot be killed; a later spawn() reaps it.
    void abandon() noexcept;

private:
    child(pid_t pid, platform::unique_fd output, platform::unique_fd pidfd) noexcept
        : pid_(pid), output_(std::move(output)), pidfd_(std::move(pidfd)) {}

    pid_t pid_ = 0;  // 0: reaped or moved from
    platform::unique_fd output_{};
    platform::unique_fd pidfd_{};
};

// Our own environment with these added or in place. On the thread that may change the environment.
[[nodiscard]] std::vector<std::string> environment_with(
    const std::map<std::string, std::string>& extra);

}  // namespace repld::process
