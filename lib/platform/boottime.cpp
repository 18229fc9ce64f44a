#include "platform/boottime.hpp"

#include <ctime>

#include <cstdlib>

namespace repld::platform {
namespace {

duration read_clock(clockid_t clock) noexcept {
    timespec t{};
    // Fails only for a clock that this kernel does not have; no lease can be judged without it.
    if (::clock_gettime(clock, &t) != 0) std::abort();
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

boot_time boot_now() noexcept {
    return boot_time(read_clock(CLOCK_BOOTTIME));
}

duration realtime_since_epoch() noexcept {
    return read_clock(CLOCK_REALTIME);
}

}  // namespace repld::platform
