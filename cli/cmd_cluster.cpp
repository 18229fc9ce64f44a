// `replctl cluster ...`: create, token, show, event, settings.
#include <unistd.h>

#include <memory>

#include "cmd_cluster_show.hpp"
#include "commands.hpp"
#include "core/units.hpp"
#include "text.hpp"

namespace repld::cli {
namespace {

struct create_options {
    std::string name;
    std::vector<std::string> settings;
    bool dry_run = false;
};

struct token_options {
    std::string expires = "1h";
};

struct settings_options {
    std::string key;
    std::string value;
    bool change = false;
    bool dry_run = false;
};

exit_code usage_error(session& s, std::string message, std::string hint) {
    s.out.fail({errc::usage, std::move(message), {}, std::move(hint)});
    return exit_code::usage;
}

void show_created(const session& s, const json& result, bool dry_run) {
    const std::string cluster = text_of(result, "cluster");
    std::string text = dry_run ? "would create cluster \"" : "created cluster \"";
    text += cluster + "\" of PostgreSQL system " + text_of(result, "system_identifier") + "\n";
    for (const auto& step : array_of(result, "steps")) text += "  - " + text_of(step) + "\n";
    const json& lines = array_of(result, "pg_hba");
    if (!lines.empty()) {
        text +=
            "\nOther hosts need these lines in the pg_hba.conf of this server (reload it then):\n";
        for (const auto& line : lines) text += "  " + text_of(line) + "\n";
    }
    if (!dry_run) text += "\nTo add a host, type here: replctl cluster token\n";
    s.out.print(text);
}

exit_code run_create(session& s, const create_options& options) {
    json settings = json::object();
    for (const auto& pair : options.settings) {
        const std::size_t equals = pair.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return usage_error(s, "invalid value \"" + pair + "\" of --set",
                               "It has the form KEY=VALUE, as in --set lease_duration=4s.");
        }
        const std::string key = pair.substr(0, equals);
        if (settings.contains(key)) {
            return usage_error(s, "setting \"" + key + "\" is given twice", "Give it once.");
        }
        settings[key] = pair.substr(equals + 1);
    }
    request question{"cluster create", effect::changes};
    question.args = {{"settings", std::move(settings)}, {"dry_run", options.dry_run}};
    if (!options.name.empty()) question.args["name"] = options.name;
    progress_display display(isatty(STDERR_FILENO) == 1);
    auto [code, answer] = ask(s, question, {changing_limit, silence_limit}, &display);
    if (!answer) return code;
    if (s.out.format == output_format::as_json) {
        s.out.print(pretty(answer->result));
    } else {
        show_created(s, answer->result, options.dry_run);
    }
    return code;
}

// Whoever has the token may join, so it goes to stdout alone, where a variable or a pipe takes it
// up, and is repeated only on the terminal that shows it anyway.
void explain_token(const session& s, const json& result) {
    const bool seen = isatty(STDOUT_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
    const std::string token = seen ? text_of(result, "token") : "TOKEN";
    const std::string address = text_of(result, "address");
    s.out.remark("The token lets one host join within " +
                 seconds_text(number_of(result, "expires_seconds").value_or(0)) +
                 ". Type on that host:");
    s.out.remark("  replctl node join " + address + " --token " + token);
    s.out.remark("or, on a witness host:");
    s.out.remark("  replctl witness join " + address + " --token " + token);
}

exit_code run_token(session& s, const token_options& options) {
    const auto expires = parse_duration(options.expires);
    if (!expires) {
        auto e = expires.error();
        e.message = "invalid value \"" + options.expires + "\" of --expires";
        if (e.hint.empty()) e.hint = "Give a number with a unit, such as 30min or 1h.";
        s.out.fail(e);
        return exit_code::usage;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*expires).count();
    if (seconds < 1) {
        return usage_error(s, "--expires is shorter than one second", "Give 10min, for instance.");
    }
    request question{"cluster token", effect::changes};
    question.args = {{"expires_seconds", seconds}};
    auto [code, answer] = ask(s, question, {changing_limit});
    if (!answer) return code;
    const json& result = answer->result;
    switch (s.out.format) {
        case output_format::as_json: s.out.print(pretty(result)); break;
        case output_format::as_csv: {
            table rows({"token", "address", "expires_seconds"});
            rows.add({text_of(result, "token"), text_of(result, "address"),
                      text_of(result, "expires_seconds")});
            s.out.print(rows);
            break;
        }
        case output_format::as_table:
            s.out.print(text_of(result, "token") + "\n");
            explain_token(s, result);
            break;
    }
    return code;
}

table settings_table(const session& s, const json& result) {
    const bool csv = s.out.format == output_format::as_csv;
    table rows(csv ? std::vector<std::string>{"key", "value", "default", "meaning"}
                   : std::vector<std::string>{"Key", "Value", "Default", "Meaning"});
    for (const auto& entry : array_of(result, "settings")) {
        rows.add({text_of(entry, "key"), text_of(entry, "value"), text_of(entry, "default"),
                  text_of(entry, "meaning")});
    }
    return rows;
}

std::string value_of(const json& result, const std::string& key) {
    for (const auto& entry : array_of(result, "settings")) {
        if (text_of(entry, "key") == key) return text_of(entry, "value");
    }
    return {};
}

exit_code run_settings(session& s, const settings_options& options) {
    request question{"cluster settings"};
    if (!options.key.empty()) question.args["key"] = options.key;
    // The value before the change is asked for as well, so that a person can take it back.
    auto before = ask(s, question, {reading_limit});
    if (!before.answer) return before.code;
    if (!options.change) {
        if (s.out.format == output_format::as_json) {
            s.out.print(pretty(before.answer->result));
        } else {
            s.out.print(settings_table(s, before.answer->result));
        }
        return before.code;
    }
    question.what = effect::changes;
    question.args["value"] = options.value;
    question.args["dry_run"] = options.dry_run;
    auto [code, answer] = ask(s, question, {changing_limit});
    if (!answer) return code;
    switch (s.out.format) {
        case output_format::as_json: s.out.print(pretty(answer->result)); break;
        case output_format::as_csv: s.out.print(settings_table(s, answer->result)); break;
        case output_format::as_table: {
            const std::string was = value_of(before.answer->result, options.key);
            std::string now = value_of(answer->result, options.key);
            // On a dry run the daemon may answer with what is in effect still.
            if (options.dry_run || now.empty()) now = printable(options.value);
            s.out.print((options.dry_run ? "would set " : "") + printable(options.key) + ": " +
                        was + " -> " + now + "\n");
            break;
        }
    }
    return code;
}

void add_create(CLI::App* group, command& chosen) {
    auto* app = add_command(group, "create",
                            "Make the PostgreSQL of this host the primary of a new cluster.",
                            "replctl cluster create --name main --set lease_duration=4s");
    auto options = std::make_shared<create_options>();
    app->add_option("--name", options->name, "name of the cluster (the daemon has a default)")
        ->type_name("NAME");
    app->add_option("--set", options->settings, "first value of a cluster-wide setting; repeatable")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app->add_flag("--dry-run", options->dry_run, "check and tell, change nothing");
    app->callback(
        [options, &chosen] { chosen = [options](session& s) { return run_create(s, *options); }; });
}

void add_settings(CLI::App* group, command& chosen) {
    auto* app =
        add_command(group, "settings", "Show the cluster-wide settings, or one, or change one.",
                    "replctl cluster settings lease_duration 4s");
    auto options = std::make_shared<settings_options>();
    app->add_option("KEY", options->key, "the setting; all when left out");
    auto* value = app->add_option("VALUE", options->value, "its new value, with its unit");
    app->add_flag("--dry-run", options->dry_run, "check and tell, change nothing");
    app->callback([options, value, &chosen] {
        options->change = value->count() > 0;
        chosen = [options](session& s) { return run_settings(s, *options); };
    });
}

}  // namespace

void add_cluster_commands(CLI::App& root, command& chosen) {
    auto* group = add_group(root, "cluster", "The cluster as a whole.");
    add_create(group, chosen);

    auto* token = add_command(group, "token", "Print a one-time token that lets a host join.",
                              "T=$(replctl cluster token --expires 10min)");
    auto token_values = std::make_shared<token_options>();
    token->add_option("--expires", token_values->expires, "how long it may be used (default 1h)")
        ->type_name("TIME");
    token->callback([token_values, &chosen] {
        chosen = [token_values](session& s) { return run_token(s, *token_values); };
    });

    auto* show = add_command(group, "show", "Show every node, the quorum and what is wrong.",
                             "replctl cluster show --format json");
    show->callback([&chosen] { chosen = run_cluster_show; });

    add_cluster_event(group, chosen);
    add_settings(group, chosen);
}

}  // namespace repld::cli
