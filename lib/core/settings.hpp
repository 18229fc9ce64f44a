// Cluster-wide settings: part of the agreed value, changed only by a committed version of it.
// INTERFACE.md "Configuration" is the source of keys, defaults and meanings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"

namespace repld {

enum class failover_mode { automatic, manual };
enum class crash_policy { promote, restart };
enum class rejoin_policy { follow, rewind, clone };

// At most `count` automatic failovers in `window`; count 0 means no limit.
struct failover_limit_setting {
    unsigned count = 5;
    duration window = std::chrono::minutes(10);
    bool operator==(const failover_limit_setting&) const = default;
};

struct cluster_settings {
    duration lease_duration = std::chrono::seconds(6);
    duration heartbeat_interval = std::chrono::seconds(1);
    // Largest rate error of any host's clock, in millionths (1 % = 10000).
    std::uint32_t clock_drift_max_ppm = 10000;
    // Share of the lease, in millionths, kept for stopping PostgreSQL before the lease ends.
    std::uint32_t demote_margin_ppm = 200000;
    failover_mode failover = failover_mode::automatic;
    failover_limit_setting failover_limit{};
    crash_policy on_crash = crash_policy::promote;
    std::uint64_t max_lag_bytes = 16ULL << 20U;
    unsigned synchronous = 0;
    bool strict = false;
    duration degrade_delay = std::chrono::seconds(10);
    bool hold_commits = true;
    rejoin_policy rejoin = rejoin_policy::rewind;
    std::uint64_t slot_retention_bytes = 10ULL << 30U;
    bool history = false;
    duration history_retention = std::chrono::hours(24 * 7);

    bool operator==(const cluster_settings&) const = default;

    // What the holder may count on out of a lease figure: times (1-d)/(1+d) (R8), because its own
    // clock may be slow by d while a voter's is fast by d.
    [[nodiscard]] duration usable(duration figure) const;
    // How long before the lease's end PostgreSQL is stopped.
    [[nodiscard]] duration demote_margin() const;
};

// One row of `replctl cluster settings`.
struct setting_row {
    std::string key;
    std::string value;
    std::string default_value;
    std::string meaning;
};

[[nodiscard]] std::vector<setting_row> list_settings(const cluster_settings& settings);

// `settings` with one key changed. Errors: unknown key (with the nearest known one), a value that
// cannot be read, or relations that no longer hold; `settings` itself is never changed.
[[nodiscard]] result<cluster_settings> with_setting(cluster_settings settings, std::string_view key,
                                                    std::string_view value);

// The relations between the timings; checked at every change because each of them alone can be
// valid while together they cannot keep a lease.
[[nodiscard]] result<void> check_relations(const cluster_settings& settings);

}  // namespace repld
