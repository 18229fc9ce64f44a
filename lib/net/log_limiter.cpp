#include "net/log_limiter.hpp"

namespace repld::net {

bool log_limiter::allow(const std::string& key, clock::time_point now) {
    if (const auto found = last_.find(key); found != last_.end()) {
        if (now - found->second < interval_) return false;
        found->second = now;
        return true;
    }
    if (last_.size() >= keys_max_) {
        std::erase_if(last_, [&](const auto& entry) { return now - entry.second >= interval_; });
        if (last_.size() >= keys_max_) return false;
    }
    last_.emplace(key, now);
    return true;
}

}  // namespace repld::net
