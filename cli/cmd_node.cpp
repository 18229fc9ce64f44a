// `replctl node join` and `replctl witness join`: make this host a member of a cluster.
#include <unistd.h>

#include <memory>

#include "commands.hpp"

namespace repld::cli {
namespace {

struct join_options {
    std::string address;
    std::string token;
    bool replace = false;
    bool dry_run = false;
};

enum class member_kind { data, witness };

void show_joined(const session& s, const json& result, bool dry_run) {
    std::string text = text_of(result, "text");
    if (text.empty()) {
        text = (dry_run ? "would join cluster \"" : "joined cluster \"") +
               text_of(result, "cluster") + "\" as node \"" + text_of(result, "node") + "\"";
        const std::string upstream = text_of(result, "upstream");
        if (!upstream.empty()) text += ", following \"" + upstream + "\"";
    }
    s.out.print(text + "\n");
    for (const auto& step : array_of(result, "steps")) s.out.print("  - " + text_of(step) + "\n");
}

void show_joined_csv(const session& s, const json& result) {
    table rows({"node", "cluster", "upstream"});
    rows.add({text_of(result, "node"), text_of(result, "cluster"), text_of(result, "upstream")});
    s.out.print(rows);
}

exit_code run_join(session& s, member_kind kind, const join_options& options) {
    const auto address = parse_address(options.address);
    if (!address) {
        s.out.fail(address.error());
        return exit_code::usage;
    }
    const bool v6 = address->host.find(':') != std::string::npos;
    request question{kind == member_kind::data ? "node join" : "witness join", effect::changes};
    question.args = {{"address", (v6 ? "[" + address->host + "]" : address->host) + ":" +
                                     std::to_string(address->port)},
                     {"replace", options.replace},
                     {"dry_run", options.dry_run}};
    if (!options.token.empty()) question.args["token"] = options.token;
    progress_display display(isatty(STDERR_FILENO) == 1);
    auto [code, answer] = ask(s, question, {changing_limit, silence_limit}, &display);
    if (!answer) return code;
    switch (s.out.format) {
        case output_format::as_json: s.out.print(pretty(answer->result)); break;
        case output_format::as_csv: show_joined_csv(s, answer->result); break;
        case output_format::as_table: show_joined(s, answer->result, options.dry_run); break;
    }
    return code;
}

void add_join(CLI::App* group, command& chosen, member_kind kind, const char* meaning,
              const char* example) {
    auto* app = add_command(group, "join", meaning, example);
    auto options = std::make_shared<join_options>();
    app->add_option("ADDRESS", options->address, "peer address of any member, host:port")
        ->required();
    app->add_option("--token", options->token,
                    "from `replctl cluster token`; not needed where the key file is here already")
        ->type_name("TOKEN");
    if (kind == member_kind::data) {
        app->add_flag("--replace", options->replace,
                      "clone even when the data directory is not empty; what it held is given up");
    }
    app->add_flag("--dry-run", options->dry_run, "check and tell, change nothing");
    app->callback([options, kind, &chosen] {
        chosen = [options, kind](session& s) { return run_join(s, kind, *options); };
    });
}

}  // namespace

void add_node_commands(CLI::App& root, command& chosen) {
    auto* group = add_group(root, "node", "This host's PostgreSQL as a member.");
    add_join(group, chosen, member_kind::data,
             "Join a cluster: clone if there are no data yet, start, follow, register.",
             "replctl node join 10.0.0.11:7432 --token T");
}

void add_witness_commands(CLI::App& root, command& chosen) {
    auto* group = add_group(root, "witness", "A member that votes and has no PostgreSQL.");
    add_join(group, chosen, member_kind::witness, "Join a cluster as a witness.",
             "replctl witness join 10.0.0.11:7432 --token T");
}

}  // namespace repld::cli
