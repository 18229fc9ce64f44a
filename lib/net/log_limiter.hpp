// Lets the same complaint through once per interval. A stranger who knocks a thousand times a
// second must fill neither the log nor the memory, so the number of remembered complaints is
// bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace repld::net {

class log_limiter {
public:
    using clock = std::chrono::steady_clock;

    explicit log_limiter(clock::duration interval = std::chrono::minutes(1),
                         std::size_t keys_max = 1024)
        : interval_(interval), keys_max_(keys_max) {}

    // True when nothing was let through under `key` within the interval. When all places are taken
    // by fresh keys the answer is no: a flood of distinct strangers stays silent, not unbounded.
    [[nodiscard]] bool allow(const std::string& key, clock::time_point now = clock::now());

private:
    clock::duration interval_;
    std::size_t keys_max_;
    std::map<std::string, clock::time_point> last_;
};

}  // namespace repld::net
