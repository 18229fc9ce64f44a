// Wakes up at a moment of CLOCK_BOOTTIME, also when that moment passed while the host was
// suspended. asio::steady_timer counts CLOCK_MONOTONIC, which stands still then, and would wake a
// leader late.
#pragma once

#include <cstdint>
#include <functional>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld {

// Event loop only. Precondition of all but open(): open() succeeded.
class boot_timer {
public:
    explicit boot_timer(const asio::any_io_executor& executor) : descriptor_(executor) {}

    // errc::io: the kernel gives no timer.
    result<void> open();
    // Replaces an earlier moment. A moment that has passed is due at once.
    void arm(boot_time when, std::function<void()> due);
    void cancel();

private:
    asio::posix::stream_descriptor descriptor_;
    std::function<void()> due_;
    std::uint64_t expirations_ = 0;
    bool waiting_ = false;

    void wait();
};

}  // namespace repld
