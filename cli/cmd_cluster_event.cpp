// `replctl cluster event`: what happened, newest first.
#include <cstdint>
#include <memory>

#include "commands.hpp"

namespace repld::cli {
namespace {

constexpr std::uint32_t limit_max = 1000000;

struct event_options {
    std::uint32_t limit = 20;
    bool limited = false;
    bool all = false;
    std::string node_name;
    std::uint32_t node_id = 0;
    std::string event;
};

table event_table(const session& s, const json& result) {
    const bool csv = s.out.format == output_format::as_csv;
    // The columns of repmgr's list, in its order; CSV has the member names of the JSON form.
    table rows(
        csv ? std::vector<std::string>{"id", "time", "node_id", "node_name", "event", "successful",
                                       "details"}
            : std::vector<std::string>{"Node ID", "Name", "Event", "OK", "Timestamp", "Details"});
    for (const auto& event : array_of(result, "events")) {
        const std::string mark = csv_text_of(event, "successful");
        if (csv) {
            rows.add({text_of(event, "id"), text_of(event, "time"), text_of(event, "node_id"),
                      text_of(event, "node_name"), text_of(event, "event"), mark,
                      text_of(event, "details")});
        } else {
            rows.add({text_of(event, "node_id"), text_of(event, "node_name"),
                      text_of(event, "event"), cell(mark, mark == "f" ? tint::bad : tint::none),
                      text_of(event, "time"), text_of(event, "details")});
        }
    }
    return rows;
}

// What is wrong with the options, or nothing.
std::string objection(const event_options& options) {
    if (options.all && options.limited) return "--all and --limit exclude each other";
    if (options.node_id != 0 && !options.node_name.empty()) {
        return "--node-id and --node-name exclude each other";
    }
    if (options.limit == 0 || options.limit > limit_max) {
        return "--limit must be between 1 and " + std::to_string(limit_max);
    }
    return {};
}

exit_code run_event(session& s, const event_options& options) {
    if (auto wrong = objection(options); !wrong.empty()) {
        s.out.fail({errc::usage, std::move(wrong), {}, "Try \"replctl cluster event --help\"."});
        return exit_code::usage;
    }
    request question{"cluster event"};
    question.args = {{"limit", options.limit}, {"all", options.all}};
    if (!options.node_name.empty()) question.args["node_name"] = options.node_name;
    if (options.node_id != 0) question.args["node_id"] = options.node_id;
    if (!options.event.empty()) question.args["event"] = options.event;
    auto [code, answer] = ask(s, question, {reading_limit});
    if (!answer) return code;
    if (s.out.format == output_format::as_json) {
        s.out.print(pretty(answer->result));
    } else {
        s.out.print(event_table(s, answer->result));
    }
    return code;
}

}  // namespace

void add_cluster_event(CLI::App* group, command& chosen) {
    auto* app = add_command(group, "event", "List what happened, newest first.",
                            "replctl cluster event --node-name n2 --event failover");
    auto options = std::make_shared<event_options>();
    auto* limit =
        app->add_option("--limit", options->limit, "at most so many (default 20)")->type_name("N");
    app->add_flag("--all", options->all, "all of them");
    app->add_option("--node-name", options->node_name, "only those of this node")
        ->type_name("NAME");
    app->add_option("--node-id", options->node_id, "only those of the node with this id")
        ->type_name("N");
    app->add_option("--event", options->event, "only those of this kind")->type_name("EVENT");
    app->callback([options, limit, &chosen] {
        options->limited = limit->count() > 0;
        chosen = [options](session& s) { return run_event(s, *options); };
    });
}

}  // namespace repld::cli
