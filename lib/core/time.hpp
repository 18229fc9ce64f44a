// Time as values. The core never reads a clock: `now` comes in with every event and is a reading of
// this host's CLOCK_BOOTTIME. Points of two hosts are never compared (DESIGN promise P4).
#pragma once

#include <chrono>
#include <cstdint>

namespace repld {

using duration = std::chrono::nanoseconds;

// Tag of CLOCK_BOOTTIME; it has no now() on purpose (platform/boottime.hpp reads it).
struct boot_clock {
    using duration = repld::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<boot_clock>;
    static constexpr bool is_steady = true;
};
using boot_time = boot_clock::time_point;

}  // namespace repld
