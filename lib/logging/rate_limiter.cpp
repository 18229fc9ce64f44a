#include "logging/rate_limiter.hpp"

#include <algorithm>

namespace repld::logging {

std::optional<std::uint64_t> rate_limiter::once_per(std::string_view key, duration interval,
                                                    boot_time now) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
        auto& known = found->second;
        if (now - known.spoken < interval) {
            ++known.held_back;
            return std::nullopt;
        }
        const auto held_back = known.held_back;
        known = entry{now, 0};
        return held_back;
    }
    if (entries_.size() >= keys_max) {
        entries_.erase(std::min_element(
            entries_.begin(), entries_.end(),
            [](const auto& a, const auto& b) { return a.second.spoken < b.second.spoken; }));
    }
    entries_.emplace(std::string(key), entry{now, 0});
    return 0;
}

void rate_limiter::forget(std::string_view key) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) entries_.erase(found);
}

}  // namespace repld::logging
