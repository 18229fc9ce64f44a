#include "schema/row_json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "postgres/conninfo.hpp"

namespace repld::schema {

namespace {

using nlohmann::json;

constexpr std::size_t text_bytes_max = std::size_t{8} * 1024;
constexpr std::size_t evidence_bytes_max = std::size_t{16} * 1024;
constexpr std::size_t nesting_max = 32;

std::string fit_text(std::string_view text, std::size_t bytes_max = text_bytes_max) {
    std::string fit(text.substr(0, bytes_max));
    std::replace(fit.begin(), fit.end(), '\0', '?');
    return fit;
}

// PostgreSQL has no unsigned 64-bit type; none of our numbers comes near the limit by itself.
std::int64_t fit_number(std::uint64_t number) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(
        number, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
}

template <class T>
json or_null(const std::optional<T>& value) {
    if (!value) return json();
    return json(*value);
}

json or_null(lsn position) {
    return position.valid() ? json(to_string(position)) : json();
}

std::string without_secrets(const std::string& conninfo_text) {
    const auto parsed = postgres::conninfo::parse(conninfo_text);
    // What cannot be understood cannot be cleaned either.
    if (!parsed) return {};
    return parsed->without("password").without("sslpassword").to_string();
}

// Invalid UTF-8 becomes U+FFFD.
std::string dumped(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool digits(std::string_view text, std::size_t from, std::size_t count, int most) {
    int value = 0;
    for (std::size_t i = from; i < from + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    return value <= most;
}

// The form of wall_clock_text() and nothing else.
bool is_wall_clock(std::string_view t) {
    constexpr std::string_view form = "0000-00-00T00:00:00.000000Z";
    if (t.size() != form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i) {
        if (form[i] != '0' && t[i] != form[i]) return false;
    }
    if (!digits(t, 0, 4, 9999) || !digits(t, 5, 2, 12) || !digits(t, 8, 2, 31) ||
        !digits(t, 11, 2, 23) || !digits(t, 14, 2, 59) || !digits(t, 17, 2, 59) ||
        !digits(t, 20, 6, 999999)) {
        return false;
    }
    const auto number = [&t](std::size_t at, std::size_t n) {
        return std::stoi(std::string(t.substr(at, n)));
    };
    const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                          std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                          std::chrono::day(static_cast<unsigned>(number(8, 2)))};
    return day.ok() && number(0, 4) > 0;
}

// jsonb refuses what JSON allows: \u0000, and nesting beyond the server's stack.
std::string fit_evidence(const std::string& text) {
    if (text.empty()) return {};
    const auto opened = static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; }));
    if (text.size() <= evidence_bytes_max && opened <= nesting_max &&
        text.find("\\u0000") == std::string::npos) {
        const json parsed = json::parse(text, nullptr, false);
        if (!parsed.is_discarded()) return dumped(parsed);
    }
    return dumped(json(fit_text(text, evidence_bytes_max)));
}

}  // namespace

std::string wall_clock_text(duration since_1970) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_1970);
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(since_1970 - seconds).count();
    const std::time_t whole = static_cast<std::time_t>(seconds.count());
    std::tm utc{};
    if (::gmtime_r(&whole, &utc) == nullptr) return {};
    std::array<char, 80> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                  utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                  utc.tm_sec, static_cast<int>(micros));
    return std::string(text.data());
}

std::string evidence_json(const std::vector<std::pair<std::string, std::string>>& evidence) {
    if (evidence.empty()) return {};
    json object = json::object();
    for (const auto& [key, value] : evidence) object[fit_text(key)] = fit_text(value);
    return dumped(object);
}

event_row made_fit(event_row event) {
    if (!is_wall_clock(event.time)) event.time.clear();
    event.event = fit_text(event.event);
    event.details = fit_text(event.details);
    event.evidence = fit_evidence(event.evidence);
    return event;
}

std::string nodes_json(const std::vector<node_row>& rows) {
    json list = json::array();
    for (const auto& row : rows) {
        const std::string slot = fit_text(row.slot_name);
        list.push_back(json{{"node_id", row.id},
                            {"node_name", fit_text(row.name)},
                            {"role", fit_text(row.role)},
                            {"active", row.active},
                            {"voter", row.voter},
                            {"location", fit_text(row.location)},
                            {"priority", row.priority},
                            {"upstream_node_id", or_null(row.upstream)},
                            {"address", fit_text(row.address)},
                            {"conninfo", fit_text(without_secrets(row.conninfo))},
                            {"slot_name", slot.empty() ? json() : json(slot)}});
    }
    return dumped(list);
}

std::string status_json(const std::vector<status_row>& rows) {
    json list = json::array();
    for (const auto& row : rows) {
        json one{{"node_id", row.id},
                 {"role", fit_text(row.role)},
                 {"state", fit_text(row.state)},
                 {"upstream_node_id", or_null(row.upstream)},
                 {"timeline", row.timeline == 0 ? json() : json(row.timeline)},
                 {"receive_lsn", or_null(row.receive_lsn)},
                 {"replay_lsn", or_null(row.replay_lsn)},
                 {"lag_seconds", or_null(row.lag_seconds)},
                 {"term", fit_number(row.term)},
                 {"reason", fit_text(row.reason)}};
        if (row.lag_bytes) one["lag_bytes"] = fit_number(*row.lag_bytes);
        if (row.last_seen_age) {
            one["age"] = std::chrono::duration<double>(*row.last_seen_age).count();
        }
        list.push_back(std::move(one));
    }
    return dumped(list);
}

std::string events_json(const std::vector<queued_event>& rows, std::int64_t source) {
    json list = json::array();
    for (const auto& row : rows) {
        json one{{"node_id", row.event.node},
                 {"event", row.event.event},
                 {"successful", row.event.successful},
                 {"details", row.event.details},
                 {"source", source},
                 {"source_number", fit_number(row.number)}};
        if (!row.event.time.empty()) one["event_time"] = row.event.time;
        if (!row.event.evidence.empty()) {
            one["evidence"] = json::parse(row.event.evidence, nullptr, false);
        }
        list.push_back(std::move(one));
    }
    return dumped(list);
}

}  // namespace repld::schema
