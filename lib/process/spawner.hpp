// Starts children off the event loop.
#pragma once

#include <chrono>

#include "core/result.hpp"
#include "net/asio.hpp"
#include "process/child.hpp"

namespace repld::process {

// posix_spawn holds its caller until the program is loaded, which a hung disk can delay for ever:
// so it runs on a thread of its own, at most 16 at a time. Errors: io (could not be started, or too
// many are being started), timed_out, internal (cancelled). A child that comes to life after the
// caller has left is killed.
[[nodiscard]] task<result<child>> spawn_off_loop(child::parts what,
                                                 std::chrono::steady_clock::time_point deadline);

}  // namespace repld::process
