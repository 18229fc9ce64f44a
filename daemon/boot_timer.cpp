#include "boot_timer.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "platform/os_error.hpp"

namespace repld {

result<void> boot_timer::open() {
    const int fd = ::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) return platform::os_error("could not create a timer", errno);
    descriptor_.assign(fd);
    return {};
}

void boot_timer::arm(boot_time when, std::function<void()> due) {
    due_ = std::move(due);
    // An absolute time of 0 would disarm it.
    const auto since_boot = std::max<std::int64_t>(when.time_since_epoch().count(), 1);
    itimerspec at{};
    at.it_value.tv_sec = since_boot / 1'000'000'000;
    at.it_value.tv_nsec = since_boot % 1'000'000'000;
    ::timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME, &at, nullptr);
    if (!waiting_) wait();
}

void boot_timer::wait() {
    waiting_ = true;
    descriptor_.async_read_some(asio::buffer(&expirations_, sizeof expirations_),
                                [this](const boost::system::error_code& failure, std::size_t) {
                                    if (failure == asio::error::operation_aborted)
                                        return;  // *this may be gone
                                    waiting_ = false;
                                    if (failure || !due_) return;
                                    const auto due = std::move(due_);
                                    due_ = nullptr;
                                    due();
                                });
}

void boot_timer::cancel() {
    due_ = nullptr;
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

}  // namespace repld
