// `replctl daemon status`: what the daemon of this host is, knows and decided last.
#include "commands.hpp"
#include "text.hpp"

namespace repld::cli {
namespace {

using fields = std::vector<std::pair<std::string, std::string>>;

void put(fields& lines, const char* name, std::string value) {
    if (!value.empty()) lines.emplace_back(name, std::move(value));
}

std::string ago(const json& object) {
    const auto age = number_of(object, "age_seconds");
    return age ? seconds_text(*age) + " ago" : "";
}

std::string lease_text(const json& lease) {
    const std::string holder = text_of(lease, "holder");
    if (holder.empty()) return {};
    const auto left = number_of(lease, "left_ms");
    if (!left) return "held by " + holder;
    if (*left <= 0) return "of " + holder + ", has run out";
    return "held by " + holder + ", " + seconds_text(*left / 1000) + " left";
}

std::string with_reason(const json& object) {
    std::string text = text_of(object, "state");
    const std::string reason = text_of(object, "reason");
    if (reason.empty()) return text;
    return text.empty() ? reason : text + ": " + reason;
}

// null is known to be nobody; a daemon that does not tell leaves the member out.
std::string or_none(const json& result, const char* key) {
    if (result.is_object() && result.contains(key) && member(result, key).is_null()) return "none";
    return text_of(result, key);
}

void put_postgres(fields& lines, const json& postgres) {
    if (!postgres.is_object()) return;
    std::string server = text_of(postgres, "state");
    const std::string version = text_of(postgres, "version");
    const std::string pid = text_of(postgres, "pid");
    if (!version.empty()) server += (server.empty() ? "version " : ", version ") + version;
    if (!pid.empty()) server += ", pid " + pid;
    put(lines, "PostgreSQL", server);
    put(lines, "In recovery", text_of(postgres, "in_recovery"));
    put(lines, "Timeline", text_of(postgres, "timeline"));
    put(lines, "WAL position", text_of(postgres, "lsn"));
}

std::string peer_text(const json& peer) {
    std::string text = text_of(peer, "name");
    const std::string id = text_of(peer, "id");
    if (!id.empty()) text += " (id " + id + ")";
    text += bool_of(peer, "connected") == true ? ": connected" : ": not connected";
    const std::string seen = ago(peer);
    text += seen.empty() ? ", never heard" : ", heard " + seen;
    const std::string address = text_of(peer, "address");
    if (!address.empty()) text += ", " + address;
    return text;
}

fields status_fields(const json& result) {
    fields lines;
    std::string node = text_of(result, "node");
    const std::string id = text_of(result, "id");
    if (!id.empty()) node += " (id " + id + ")";
    put(lines, "Node", node);
    put(lines, "Role", text_of(result, "role"));
    put(lines, "State", with_reason(result));
    std::string daemon;
    const std::string version = text_of(result, "version");
    if (!version.empty()) daemon = "repld " + version;
    if (const std::string pid = text_of(result, "pid"); !pid.empty()) {
        daemon += (daemon.empty() ? "pid " : ", pid ") + pid;
    }
    if (const auto up = number_of(result, "uptime_seconds")) {
        daemon += (daemon.empty() ? "up " : ", up ") + seconds_text(*up);
    }
    put(lines, "Daemon", daemon);
    put(lines, "Cluster", or_none(result, "cluster"));
    put(lines, "Term", text_of(result, "term"));
    put(lines, "Promised", or_none(result, "promised"));
    put(lines, "Leader", or_none(result, "leader"));
    put(lines, "Lease", lease_text(member(result, "lease")));
    put_postgres(lines, member(result, "postgres"));
    put(lines, "State directory", text_of(result, "disk"));
    for (const auto& peer : array_of(result, "peers")) put(lines, "Peer", peer_text(peer));
    for (const auto& decision : array_of(result, "decisions")) {
        const std::string when = ago(decision);
        put(lines, "Decision", (when.empty() ? "" : when + ": ") + text_of(decision, "text"));
    }
    return lines;
}

void show(const session& s, const fields& lines) {
    if (s.out.format == output_format::as_csv) {
        table rows({"key", "value"});
        for (const auto& [name, value] : lines) rows.add({name, value});
        s.out.print(rows);
        return;
    }
    std::size_t width = 0;
    for (const auto& [name, value] : lines) width = std::max(width, name.size());
    for (const auto& [name, value] : lines) {
        s.out.print(name + ":" + std::string(width - name.size() + 1, ' ') + value + "\n");
    }
}

exit_code run_status(session& s) {
    auto [code, answer] = ask(s, {"daemon status"}, {reading_limit});
    if (!answer) return code;
    if (s.out.format == output_format::as_json) {
        s.out.print(pretty(answer->result));
    } else {
        show(s, status_fields(answer->result));
    }
    return code;
}

}  // namespace

void add_daemon_commands(CLI::App& root, command& chosen) {
    auto* group = add_group(root, "daemon", "The repld daemon of this host.");
    auto* status = add_command(group, "status", "Show what the daemon is doing and decided last.",
                               "replctl daemon status --format json");
    status->callback([&chosen] { chosen = run_status; });
}

}  // namespace repld::cli
