#include "core/settings.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include "core/units.hpp"

namespace repld {

namespace {

constexpr std::uint32_t million = 1'000'000;

error bad_value(std::string_view key, std::string_view value, std::string expected) {
    return {
        errc::configuration,
        "invalid value for setting \"" + std::string(key) + "\": \"" + std::string(value) + "\"",
        "Expected " + std::move(expected) + "."};
}

std::string format_percent(std::uint32_t ppm) {
    std::string text = std::to_string(ppm / 10000);
    if (const std::uint32_t rest = ppm % 10000; rest != 0) {
        std::string digits = std::to_string(rest + 10000).substr(1);
        while (digits.back() == '0') digits.pop_back();
        text += "." + digits;
    }
    return text + "%";
}

std::optional<std::uint32_t> parse_percent(std::string_view text) {
    if (text.size() < 2 || text.back() != '%') return std::nullopt;
    text.remove_suffix(1);
    const auto dot = text.find('.');
    const std::string_view whole_text = text.substr(0, dot);
    std::uint32_t whole = 0;
    auto [end, ec] =
        std::from_chars(whole_text.data(), whole_text.data() + whole_text.size(), whole);
    if (ec != std::errc{} || end != whole_text.data() + whole_text.size() || whole > 100)
        return std::nullopt;
    std::uint32_t ppm = whole * 10000;
    if (dot != std::string_view::npos) {
        const std::string_view digits = text.substr(dot + 1);
        if (digits.empty() || digits.size() > 4) return std::nullopt;
        std::uint32_t scale = 1000;
        for (const char c : digits) {
            if (c < '0' || c > '9') return std::nullopt;
            ppm += static_cast<std::uint32_t>(c - '0') * scale;
            scale /= 10;
        }
    }
    return ppm;
}

std::optional<bool> parse_bool(std::string_view text) {
    if (text == "on" || text == "true" || text == "yes") return true;
    if (text == "off" || text == "false" || text == "no") return false;
    return std::nullopt;
}

// One key: how it is shown and how it is read. `read` changes the settings or says what it
// expected.
struct key_entry {
    const char* key;
    const char* meaning;
    std::function<std::string(const cluster_settings&)> show;
    std::function<std::optional<std::string>(cluster_settings&, std::string_view)> read;
};

template <class Member>
auto duration_key(Member member) {
    return [member](cluster_settings& s, std::string_view text) -> std::optional<std::string> {
        const auto value = parse_duration(text);
        if (!value) return "a duration with a unit, such as 6s or 200ms";
        s.*member = *value;
        return std::nullopt;
    };
}

template <class Member>
auto size_key(Member member) {
    return [member](cluster_settings& s, std::string_view text) -> std::optional<std::string> {
        const auto value = parse_size(text);
        if (!value) return "a size with a unit, such as 16MB or 10GB";
        s.*member = *value;
        return std::nullopt;
    };
}

template <class Member>
auto bool_key(Member member) {
    return [member](cluster_settings& s, std::string_view text) -> std::optional<std::string> {
        const auto value = parse_bool(text);
        if (!value) return "on or off";
        s.*member = *value;
        return std::nullopt;
    };
}

std::optional<std::string> read_limit(cluster_settings& s, std::string_view text) {
    const char* expected = "a count and a window such as 5/10m, or off";
    if (text == "off") {
        s.failover_limit.count = 0;
        return std::nullopt;
    }
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return expected;
    unsigned count = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + slash, count);
    const auto window = parse_duration(text.substr(slash + 1));
    if (ec != std::errc{} || end != text.data() + slash || count == 0 || !window ||
        *window <= duration::zero())
        return expected;
    s.failover_limit = {count, *window};
    return std::nullopt;
}

// A margin is a share of the lease; a duration is turned into the share it is at present.
std::optional<std::string> read_margin(cluster_settings& s, std::string_view text) {
    if (const auto ppm = parse_percent(text)) {
        s.demote_margin_ppm = *ppm;
        return std::nullopt;
    }
    const auto margin = parse_duration(text);
    if (!margin || *margin > s.lease_duration)
        return "a share of the lease such as 20%, or a duration within it";
    s.demote_margin_ppm =
        static_cast<std::uint32_t>(margin->count() / (s.lease_duration.count() / million));
    return std::nullopt;
}

std::string on_off(bool value) {
    return value ? "on" : "off";
}

using S = const cluster_settings&;
using R = std::optional<std::string>;

std::vector<key_entry> failover_keys() {
    return {
        {"lease_duration", "how long a promise lasts",
         [](S s) { return format_duration(s.lease_duration); },
         duration_key(&cluster_settings::lease_duration)},
        {"heartbeat_interval", "how often it is renewed (at most a third of the lease)",
         [](S s) { return format_duration(s.heartbeat_interval); },
         duration_key(&cluster_settings::heartbeat_interval)},
        {"clock_drift_max", "largest rate error of any host's clock",
         [](S s) { return format_percent(s.clock_drift_max_ppm); },
         [](cluster_settings& s, std::string_view t) -> R {
             const auto ppm = parse_percent(t);
             if (!ppm || *ppm > 200000) return "a percentage of at most 20%";
             s.clock_drift_max_ppm = *ppm;
             return std::nullopt;
         }},
        {"demote_margin", "part of the lease that is kept for stopping PostgreSQL before it ends",
         [](S s) { return format_percent(s.demote_margin_ppm); }, read_margin},
        {"failover", "automatic, or manual: everything but the promotion",
         [](S s) {
             return std::string(s.failover == failover_mode::automatic ? "automatic" : "manual");
         },
         [](cluster_settings& s, std::string_view t) -> R {
             if (t == "automatic")
                 s.failover = failover_mode::automatic;
             else if (t == "manual")
                 s.failover = failover_mode::manual;
             else
                 return "automatic or manual";
             return std::nullopt;
         }},
        {"failover_limit", "automatic failovers in a window; then the next one waits",
         [](S s) {
             return s.failover_limit.count == 0 ? std::string("off")
                                                : std::to_string(s.failover_limit.count) + "/" +
                                                      format_duration(s.failover_limit.window);
         },
         read_limit},
        {"on_crash", "what the death of the postmaster alone means: promote or restart",
         [](S s) {
             return std::string(s.on_crash == crash_policy::promote ? "promote" : "restart");
         },
         [](cluster_settings& s, std::string_view t) -> R {
             if (t == "promote")
                 s.on_crash = crash_policy::promote;
             else if (t == "restart")
                 s.on_crash = crash_policy::restart;
             else
                 return "promote or restart";
             return std::nullopt;
         }},
        {"max_lag", "a standby further behind is not promoted automatically",
         [](S s) { return format_size(s.max_lag_bytes); },
         size_key(&cluster_settings::max_lag_bytes)},
    };
}

std::vector<key_entry> replication_keys() {
    return {
        {"synchronous", "standbys that must confirm a commit; 0: asynchronous",
         [](S s) { return std::to_string(s.synchronous); },
         [](cluster_settings& s, std::string_view t) -> R {
             unsigned value = 0;
             const auto [end, ec] = std::from_chars(t.data(), t.data() + t.size(), value);
             if (ec != std::errc{} || end != t.data() + t.size() || value > 100)
                 return "a number of standbys, 0 to 100";
             s.synchronous = value;
             return std::nullopt;
         }},
        {"strict", "never go on with fewer synchronous standbys",
         [](S s) { return on_off(s.strict); }, bool_key(&cluster_settings::strict)},
        {"degrade_delay", "how long to wait before going on with fewer",
         [](S s) { return format_duration(s.degrade_delay); },
         duration_key(&cluster_settings::degrade_delay)},
        {"hold_commits", "stop acknowledging when two heartbeats found no majority",
         [](S s) { return on_off(s.hold_commits); }, bool_key(&cluster_settings::hold_commits)},
        {"rejoin", "follow, rewind or clone; each includes those before it",
         [](S s) {
             switch (s.rejoin) {
                 case rejoin_policy::follow: return std::string("follow");
                 case rejoin_policy::rewind: return std::string("rewind");
                 case rejoin_policy::clone: return std::string("clone");
             }
             return std::string();
         },
         [](cluster_settings& s, std::string_view t) -> R {
             if (t == "follow")
                 s.rejoin = rejoin_policy::follow;
             else if (t == "rewind")
                 s.rejoin = rejoin_policy::rewind;
             else if (t == "clone")
                 s.rejoin = rejoin_policy::clone;
             else
                 return "follow, rewind or clone";
             return std::nullopt;
         }},
        {"slot_retention", "WAL kept for a member that is away; then it must be cloned",
         [](S s) { return format_size(s.slot_retention_bytes); },
         size_key(&cluster_settings::slot_retention_bytes)},
        {"history", "keep rows in monitoring_history", [](S s) { return on_off(s.history); },
         bool_key(&cluster_settings::history)},
        {"history_retention", "for how long",
         [](S s) { return format_duration(s.history_retention); },
         duration_key(&cluster_settings::history_retention)},
    };
}

const std::vector<key_entry>& keys() {
    static const std::vector<key_entry> table = [] {
        auto all = failover_keys();
        for (auto& entry : replication_keys()) all.push_back(std::move(entry));
        return all;
    }();
    return table;
}

// Levenshtein distance, for the nearest known key.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] =
                std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

duration cluster_settings::usable(duration figure) const {
    // Split so that a lease of days times a million does not overflow.
    const auto kept = static_cast<std::int64_t>(million - clock_drift_max_ppm);
    const auto whole = static_cast<std::int64_t>(million + clock_drift_max_ppm);
    const auto count = figure.count();
    return duration(count / whole * kept + count % whole * kept / whole);
}

duration cluster_settings::demote_margin() const {
    return duration(lease_duration.count() / million * demote_margin_ppm);
}

std::vector<setting_row> list_settings(const cluster_settings& settings) {
    const cluster_settings defaults;
    std::vector<setting_row> rows;
    for (const auto& entry : keys())
        rows.push_back({entry.key, entry.show(settings), entry.show(defaults), entry.meaning});
    return rows;
}

result<cluster_settings> with_setting(cluster_settings settings, std::string_view key,
                                      std::string_view value) {
    for (const auto& entry : keys()) {
        if (key != entry.key) continue;
        if (auto expected = entry.read(settings, value)) return bad_value(key, value, *expected);
        return settings;
    }
    const auto nearest = std::min_element(keys().begin(), keys().end(), [&](auto& a, auto& b) {
        return distance(key, a.key) < distance(key, b.key);
    });
    return error{errc::configuration, "unknown setting \"" + std::string(key) + "\"", "",
                 "Did you mean \"" + std::string(nearest->key) +
                     "\"? \"replctl cluster settings\" lists all."};
}

result<void> check_relations(const cluster_settings& s) {
    const auto refuse = [](std::string text, std::string detail) -> result<void> {
        return error{errc::configuration, std::move(text), std::move(detail)};
    };
    if (s.lease_duration < std::chrono::milliseconds(500) ||
        s.lease_duration > std::chrono::minutes(1))
        return refuse("\"lease_duration\" must lie between 500ms and 1min",
                      "It is " + format_duration(s.lease_duration) + ".");
    if (s.heartbeat_interval < std::chrono::milliseconds(20))
        return refuse("\"heartbeat_interval\" must be at least 20ms",
                      "It is " + format_duration(s.heartbeat_interval) + ".");
    if (s.heartbeat_interval > s.lease_duration / 3)
        return refuse("\"heartbeat_interval\" must be at most a third of \"lease_duration\"",
                      "They are " + format_duration(s.heartbeat_interval) + " and " +
                          format_duration(s.lease_duration) + ".");
    if (s.slot_retention_bytes < (64ULL << 20U))
        return refuse("\"slot_retention\" must be at least 64MB",
                      "It is " + format_size(s.slot_retention_bytes) +
                          "; a standby that restarts would lose its slot.");
    if (s.demote_margin() < std::chrono::milliseconds(100))
        return refuse("\"demote_margin\" must be at least 100ms",
                      "It is " + format_percent(s.demote_margin_ppm) + " of " +
                          format_duration(s.lease_duration) + ".");
    // Two rounds must fit between the sending of one round and the stop, or one late answer
    // demotes.
    if (s.usable(s.lease_duration) - s.demote_margin() < 2 * s.heartbeat_interval)
        return refuse(
            "\"lease_duration\" leaves no room for two heartbeats before the demote margin",
            "Lease " + format_duration(s.lease_duration) + ", demote margin " +
                format_duration(s.demote_margin()) + ", heartbeat " +
                format_duration(s.heartbeat_interval) + ".");
    // Accepting the setting without carrying it out would be a promise of durability that is not
    // kept.
    if (s.synchronous != 0 || s.strict)
        return refuse("synchronous mode is not available in this version",
                      "\"synchronous\" must be 0 and \"strict\" off.");
    return {};
}

}  // namespace repld
