// The death of a process, not necessarily our child, as an event.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "core/result.hpp"
#include "net/asio.hpp"

namespace repld::process {

// Holds a pidfd: whatever happens to the number afterwards, it means this one process.
class process_watch {
public:
    // `start_ticks` (process::start_ticks of an earlier look) guards against a number used again.
    // Errors: unreachable when the process is gone, is a zombie, or is another than expected;
    // io otherwise.
    [[nodiscard]] static result<process_watch> open(
        asio::any_io_executor executor, pid_t pid,
        std::optional<std::uint64_t> start_ticks = std::nullopt);

    process_watch(process_watch&&) noexcept = default;
    process_watch& operator=(process_watch&&) noexcept = default;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] bool dead() const;  // a zombie is dead

    // Returns when the process is dead. Error internal when the wait was cancelled before that.
    // One wait at a time; the object outlives it.
    [[nodiscard]] task<result<void>> wait_dead();

    // Never hits another process. Errors: unreachable when it is dead already, io otherwise.
    [[nodiscard]] result<void> send(int signal) const;

private:
    process_watch(asio::posix::stream_descriptor descriptor, pid_t pid)
        : descriptor_(std::move(descriptor)), pid_(pid) {}

    mutable asio::posix::stream_descriptor descriptor_;
    pid_t pid_ = 0;
};

}  // namespace repld::process
