#include "cmd_cluster_show.hpp"

#include "logging/redact.hpp"
#include "text.hpp"

namespace repld::cli {
namespace {

// The local daemon answers from memory; one that needs longer than this hangs.
constexpr duration local_limit = std::chrono::seconds(1);
constexpr duration members_limit = std::chrono::seconds(2);

bool is_member_with(const json& node, const char* role) {
    return text_of(node, "role") == role;
}

cell status_of(const json& node, const std::string& leader) {
    const std::string state = text_of(node, "state");
    const bool primary = is_member_with(node, "primary");
    if (state == "unreachable" || bool_of(node, "reachable") == false) {
        return {"? unreachable", tint::bad};
    }
    if (state.empty()) return {"? unknown", tint::bad};
    if (state == "running") {
        if (!primary) return {"  running"};
        // Two nodes may call themselves primary for a moment; the quorum's choice is the one.
        if (!leader.empty() && text_of(node, "name") != leader) {
            return {"! running as primary", tint::bad};
        }
        return {"* running", tint::good};
    }
    if (state == "failed" || state == "stopped") return {"- " + state, tint::bad};
    return {"! " + state, tint::doubtful};
}

std::string lag_of(const json& node) {
    if (!is_member_with(node, "standby")) return {};
    const auto bytes = number_of(node, "lag_bytes");
    if (!bytes) return "?";
    std::string text = bytes_text(*bytes);
    if (const auto seconds = number_of(node, "lag_seconds"); seconds && *seconds >= 1) {
        text += ", " + seconds_text(*seconds);
    }
    return text;
}

std::optional<double> age_of(const json& node) {
    const auto age = number_of(node, "age_seconds");
    return age ? age : number_of(node, "last_seen_seconds");
}

std::string conninfo_of(const json& node) {
    return logging::redact(text_of(node, "conninfo"));
}

table node_table(const json& result) {
    table rows({"ID", "Name", "Role", "Status", "Upstream", "Location", "Priority", "Timeline",
                "Lag", "Connection string"});
    const std::string leader = text_of(result, "leader");
    for (const auto& node : array_of(result, "nodes")) {
        rows.add({text_of(node, "id"), text_of(node, "name"), text_of(node, "role"),
                  status_of(node, leader), text_of(node, "upstream"), text_of(node, "location"),
                  text_of(node, "priority"), text_of(node, "timeline"), lag_of(node),
                  conninfo_of(node)});
    }
    return rows;
}

table node_rows(const json& result) {
    static const std::vector<std::string> names{
        "id",          "name",     "role",        "state",       "reachable",  "upstream",
        "location",    "priority", "timeline",    "receive_lsn", "replay_lsn", "lag_bytes",
        "lag_seconds", "voter",    "age_seconds", "reason",      "conninfo"};
    table rows(names);
    for (const auto& node : array_of(result, "nodes")) {
        std::vector<cell> row;
        for (const auto& name : names) row.emplace_back(csv_text_of(node, name.c_str()));
        if (row[14].text.empty()) row[14] = text_of(node, "last_seen_seconds");
        row.back() = conninfo_of(node);
        rows.add(std::move(row));
    }
    return rows;
}

std::string reason_lines(const json& result) {
    std::string lines;
    for (const auto& node : array_of(result, "nodes")) {
        const std::string reason = text_of(node, "reason");
        if (!reason.empty()) lines += text_of(node, "name") + ": " + reason + "\n";
    }
    return lines;
}

std::string warning_lines(const json& result, colours use) {
    std::string lines;
    for (const auto& warning : array_of(result, "warnings")) {
        const std::string text = warning.is_object() ? text_of(warning, "text") : text_of(warning);
        lines += tinted("WARNING:", tint::doubtful, use) + " " + text + "\n";
        const std::string hint = text_of(warning, "hint");
        if (!hint.empty()) lines += "  HINT: " + hint + "\n";
    }
    return lines;
}

std::string quorum_line(const json& result, colours use) {
    const json& quorum = member(result, "quorum");
    if (!quorum.is_object()) return {};
    const bool lost = bool_of(quorum, "has_quorum") == false;
    std::string line = "Quorum: ";
    if (lost) line += tinted("lost", tint::bad, use) + ", ";
    line += text_of(quorum, "reached") + " of " + text_of(quorum, "voters") + " voters reached; ";
    const std::string holder = text_of(quorum, "holder");
    const auto left = number_of(quorum, "lease_left_ms");
    if (holder.empty()) {
        line += "no lease known";
    } else if (left && *left > 0) {
        line += "lease held by " + holder + ", " + seconds_text(*left / 1000) + " left";
    } else {
        line += "lease of " + holder + (left ? " has run out" : "");
    }
    line += "; term " + text_of(result, "term");
    std::string silent;
    for (const auto& node : array_of(result, "nodes")) {
        if (bool_of(node, "voter") == false) {
            silent += (silent.empty() ? "" : ", ") + text_of(node, "name");
        }
    }
    if (!silent.empty()) line += "; without a vote: " + silent;
    return line + "\n";
}

std::string age_line(const json& result) {
    const std::string source = text_of(result, "source");
    std::string line;
    for (const auto& node : array_of(result, "nodes")) {
        if (text_of(node, "name") == source) continue;
        const auto age = age_of(node);
        line += (line.empty() ? "" : ", ") + text_of(node, "name") +
                (age ? " " + seconds_text(*age) + " ago" : " never");
    }
    if (line.empty()) return {};
    return "Seen by " + (source.empty() ? "this node" : source) + ": " + line + "\n";
}

std::string settings_line(const json& result) {
    const json& settings = member(result, "settings");
    std::string line;
    const auto add = [&](const std::string& key, const std::string& value) {
        line += (line.empty() ? "Settings: " : ", ") + key + " " + value;
    };
    if (settings.is_object()) {
        for (const auto& [key, value] : settings.items()) add(printable(key), text_of(value));
    } else if (settings.is_array()) {
        for (const auto& entry : settings) add(text_of(entry, "key"), text_of(entry, "value"));
    }
    return line.empty() ? line : line + "\n";
}

void show_table(const session& s, const json& result) {
    const colours use = s.out.stdout_colours;
    s.out.print(node_table(result));
    s.out.print("\n");
    s.out.print(reason_lines(result));
    s.out.print(warning_lines(result, use));
    s.out.print(quorum_line(result, use));
    s.out.print(age_line(result));
    if (s.out.verbose) s.out.print(settings_line(result));
    if (bool_of(result, "paused") == true) {
        s.out.print(tinted("Paused:", tint::doubtful, use) +
                    " no automatic failover until `replctl cluster resume`\n");
    }
}

void show_csv(const session& s, const json& result) {
    s.out.print(node_rows(result));
    for (const auto& warning : array_of(result, "warnings")) {
        s.out.warning(warning.is_object() ? text_of(warning, "text") : text_of(warning));
    }
}

// What was answered, but no password: a conninfo is written by people.
json without_passwords(json result) {
    if (!array_of(result, "nodes").is_array() || !result.contains("nodes")) return result;
    for (auto& node : result["nodes"]) {
        if (member(node, "conninfo").is_string()) {
            node["conninfo"] = logging::redact(node["conninfo"].get<std::string>());
        }
    }
    return result;
}

void show(const session& s, const json& result) {
    switch (s.out.format) {
        case output_format::as_table: show_table(s, result); return;
        case output_format::as_csv: show_csv(s, result); return;
        case output_format::as_json: s.out.print(pretty(without_passwords(result))); return;
    }
}

result<response> ask_others(const session& s, const host_settings& host, const request& question,
                            const error& local) {
    s.out.warning(local.message);
    if (!local.detail.empty()) s.out.remark("DETAIL: " + local.detail);
    s.out.explain("asking the other members named in " + host.members_file);
    auto answer = ask_members(host, question, members_limit);
    if (!answer) return answer;
    if (!local.hint.empty()) s.out.remark("HINT: " + local.hint);
    s.out.notice("the answer is that of node \"" + answer->answered_by + "\"");
    if (answer->code == exit_code::done) answer->code = exit_code::problems;
    return answer;
}

}  // namespace

exit_code run_cluster_show(session& s) {
    const request question{"cluster show"};
    const auto host = load_host_settings(s.config_file);
    if (!host) {
        s.out.fail(host.error());
        return exit_code::usage;
    }
    s.out.explain("asking the daemon at " + host->control_socket);
    auto answer = ask_local(*host, question, {local_limit}, {});
    if (!answer) answer = ask_others(s, *host, question, answer.error());
    if (!answer) {
        s.out.fail(answer.error());
        return exit_code_of(answer.error().code);
    }
    if (report(s, *answer)) show(s, answer->result);
    return answer->code;
}

}  // namespace repld::cli
