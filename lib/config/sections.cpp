#include "config/sections.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "config/section_reader.hpp"

namespace repld::config {

namespace fs = std::filesystem;

namespace {

// Settings that people look for in this file; they are agreed on by the cluster instead.
constexpr std::array<std::string_view, 16> cluster_settings{
    "lease_duration",   "heartbeat_interval", "clock_drift_max", "demote_margin",  "failover",
    "failover_limit",   "on_crash",           "max_lag",         "synchronous",    "strict",
    "degrade_delay",    "hold_commits",       "rejoin",          "slot_retention", "history",
    "history_retention"};

std::string explain_unknown(std::string_view key) {
    if (std::find(cluster_settings.begin(), cluster_settings.end(), key) == cluster_settings.end())
        return {};
    return "this is a setting of the whole cluster, expected it in \"replctl cluster settings " +
           std::string(key) + " VALUE\"";
}

bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Also the application_name and, with '_' for '-', the slot name of the node.
result<std::string> accept_name(const std::string& text) {
    const bool fits = text.size() <= 63 && is_lower_alnum(text.front()) &&
                      std::all_of(text.begin(), text.end(),
                                  [](char c) { return is_lower_alnum(c) || c == '_' || c == '-'; });
    if (fits) return text;
    return error{errc::configuration,
                 "expected 1 to 63 lower-case letters, digits, \"_\" and \"-\", beginning with a "
                 "letter or digit"};
}

result<std::string> accept_location(const std::string& text) {
    const auto allowed = [](char c) {
        return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
    };
    if (text.size() <= 63 && std::all_of(text.begin(), text.end(), allowed)) return text;
    return error{errc::configuration, "expected 1 to 63 letters, digits, \"_\", \"-\" and \".\""};
}

result<node_role> accept_role(const std::string& text) {
    if (text == "data") return node_role::data;
    if (text == "witness") return node_role::witness;
    return error{errc::configuration, "expected \"data\" or \"witness\""};
}

result<logging::level> accept_level(const std::string& text) {
    if (const auto level = logging::parse_level(text)) return *level;
    return error{errc::configuration, "expected \"debug\", \"info\", \"warning\" or \"error\""};
}

result<logging::format> accept_format(const std::string& text) {
    if (const auto format = logging::parse_format(text)) return *format;
    return error{errc::configuration, "expected \"text\" or \"json\""};
}

result<endpoint> accept_endpoint(const std::string& text) {
    return parse_endpoint(text);
}

// Without a slash at the end and without "." and "..", so that paths compare by their parts.
result<fs::path> accept_path(const std::string& text) {
    auto path = fs::path(text);
    if (!path.is_absolute())
        return error{errc::configuration, "expected an absolute path, beginning with \"/\""};
    path = path.lexically_normal();
    if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
    return path;
}

bool is_inside(const fs::path& inner, const fs::path& outer) {
    const auto [outer_end, inner_end] =
        std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return outer_end == outer.end();
}

template <class T>
void set(T& target, std::optional<T> value) {
    if (value) target = std::move(*value);
}

class sections {
public:
    sections(const yaml_node& tree, const conninfo_check& check, std::vector<problem>& problems)
        : root_(problems, &tree, "", 1), check_(check) {}

    host_config read() {
        auto node = root_.section("node");
        auto postgres = root_.section("postgres");
        auto peer = root_.section("peer");
        auto http = root_.section("http");
        auto paths = root_.section("paths");
        auto log = root_.section("log");
        root_.finish(explain_unknown);
        read_node(node);
        read_log(log);
        read_peer(peer);
        if (http.present()) read_http(http);
        read_paths(paths);
        if (postgres.present()) read_postgres(postgres);
        if (role_known_) match_role(postgres);
        check_places(peer, paths);
        return std::move(config_);
    }

private:
    void read_node(section_reader& s) {
        auto& node = config_.node;
        s.require("id", "an integer that no other node of the cluster has");
        s.require("name", "a name that no other node of the cluster has");
        if (const auto id = s.integer("id", 1, std::numeric_limits<std::int32_t>::max()))
            node.id = static_cast<node_id>(*id);
        set(node.name, s.parsed<std::string>("name", accept_name));
        const auto role = s.parsed<node_role>("role", accept_role);
        role_known_ = role || !s.has("role");
        set(node.role, role);
        set(node.location, s.parsed<std::string>("location", accept_location));
        if (const auto priority = s.integer("priority", 0, priority_max))
            node.priority = static_cast<int>(*priority);
        s.finish();
    }

    void read_log(section_reader& s) {
        set(config_.log.level, s.parsed<logging::level>("level", accept_level));
        set(config_.log.format, s.parsed<logging::format>("format", accept_format));
        s.finish();
    }

    void read_peer(section_reader& s) {
        auto& peer = config_.peer;
        const auto listen = s.parsed<endpoint>("listen", accept_endpoint);
        const bool listen_usable = listen || !s.has("listen");
        set(peer.listen, listen);
        if (s.has("advertise")) {
            set(peer.advertise, s.parsed<endpoint>("advertise", accept_endpoint));
            if (peer.advertise.wildcard())
                s.complain("advertise", "found \"" + to_string(peer.advertise) +
                                            "\", expected an address that other hosts connect to");
        } else if (!peer.listen.wildcard()) {
            peer.advertise = peer.listen;
        } else if (listen_usable) {
            s.complain("advertise",
                       "missing, expected host:port that other hosts connect to, since "
                       "peer.listen is \"" +
                           to_string(peer.listen) + "\"");
        }
        set(peer.key_file, s.parsed<fs::path>("key_file", accept_path));
        s.finish();
    }

    void read_http(section_reader& s) {
        s.require("listen", "host:port (leave the section out to switch HTTP off)");
        config_.http.emplace();
        set(config_.http->listen, s.parsed<endpoint>("listen", accept_endpoint));
        const auto& ours = config_.http->listen;
        const auto& peer = config_.peer.listen;
        if (ours.port == peer.port &&
            (ours.host == peer.host || ours.wildcard() || peer.wildcard()))
            s.complain("listen", "found \"" + to_string(ours) +
                                     "\", expected another port than "
                                     "that of peer.listen");
        s.finish();
    }

    void read_paths(section_reader& s) {
        set(config_.paths.state, s.parsed<fs::path>("state", accept_path));
        set(config_.paths.run, s.parsed<fs::path>("run", accept_path));
        if (config_.paths.run.native().size() > run_length_max)
            s.complain("run", "found a path of " +
                                  std::to_string(config_.paths.run.native().size()) +
                                  " characters, expected " + std::to_string(run_length_max) +
                                  " at most, since sockets are made in it");
        s.finish();
    }

    void read_postgres(section_reader& s) {
        auto& postgres = config_.postgres.emplace();
        const auto accept_conninfo = [this](const std::string& text) -> result<std::string> {
            if (!check_) return text;
            if (auto judged = check_(text); !judged)
                return error{errc::configuration,
                             "expected a connection string: " + judged.error().message};
            return text;
        };
        s.require("data_directory", "the path of the data directory");
        s.require("conninfo", "a connection string with which other hosts reach this server");
        set(postgres.data_directory, s.parsed<fs::path>("data_directory", accept_path));
        set(postgres.bin_directory, s.parsed<fs::path>("bin_directory", accept_path));
        set(postgres.conninfo, s.parsed<std::string>("conninfo", accept_conninfo));
        set(postgres.local_conninfo, s.parsed<std::string>("local_conninfo", accept_conninfo));
        auto service = s.section("service");
        set(postgres.service.start, service.text("start", "a command"));
        set(postgres.service.stop, service.text("stop", "a command"));
        set(postgres.service.restart, service.text("restart", "a command"));
        set(postgres.service.reload, service.text("reload", "a command"));
        set(postgres.service.promote, service.text("promote", "a command"));
        service.finish();
        s.finish();
    }

    void match_role(section_reader& postgres) {
        const bool data = config_.node.role == node_role::data;
        if (data && !postgres.present())
            root_.complain("postgres",
                           "missing, expected a section with data_directory and conninfo, "
                           "or node.role \"witness\" on a host without PostgreSQL");
        if (!data && postgres.present())
            root_.complain("postgres",
                           "found a section, expected none, since node.role is \"witness\"");
    }

    // A data directory is copied, rewound and replaced as a whole: nothing of ours may lie in it.
    void check_places(section_reader& peer, section_reader& paths) {
        if (!config_.postgres || config_.postgres->data_directory.empty()) return;
        const auto& data = config_.postgres->data_directory;
        const auto judge = [&](section_reader& s, std::string_view key, const fs::path& path) {
            if (is_inside(path, data))
                s.complain(key, "found \"" + path.string() +
                                    "\", expected a path outside "
                                    "postgres.data_directory");
        };
        judge(paths, "state", config_.paths.state);
        judge(paths, "run", config_.paths.run);
        judge(peer, "key_file", config_.peer.key_file);
    }

    static constexpr long long priority_max = 10'000;
    // sun_path has 108 bytes; the rest is for the names of the sockets.
    static constexpr std::size_t run_length_max = 80;

    section_reader root_;
    const conninfo_check& check_;
    host_config config_{};
    bool role_known_ = true;
};

}  // namespace

host_config read_sections(const yaml_node& root, const conninfo_check& check,
                          std::vector<problem>& problems) {
    return sections(root, check, problems).read();
}

}  // namespace repld::config
