// Lets a message through once per key and interval, so that a fault that repeats every second fills
// no log. Not thread safe; belongs to the event loop. Reads no clock: the caller passes `now`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.hpp"

namespace repld::logging {

class rate_limiter {
public:
    // At most this many keys are remembered; the one that spoke longest ago is forgotten first, and
    // at worst speaks too early.
    static constexpr std::size_t keys_max = 256;

    // Empty: say nothing now. Otherwise speak; the number tells how many times the same key was
    // held back since it last spoke ("... (12 more in between)").
    [[nodiscard]] std::optional<std::uint64_t> once_per(std::string_view key, duration interval,
                                                        boot_time now);

    // The condition is over: its next message is news again.
    void forget(std::string_view key);

private:
    struct entry {
        boot_time spoken{};
        std::uint64_t held_back = 0;
    };
    std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace repld::logging
