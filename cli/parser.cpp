#include "parser.hpp"

#include <algorithm>
#include <cctype>

#include "commands.hpp"
#include "text.hpp"
#include "version.hpp"

namespace repld::cli {
namespace {

output_format format_of(const std::string& word) {
    if (word == "table") return output_format::as_table;
    if (word == "json") return output_format::as_json;
    if (word == "csv") return output_format::as_csv;
    throw CLI::ValidationError("--format", "\"" + word + "\" is not table, json or csv");
}

// Global options with a value, as they may stand in front of the command.
bool takes_value(const std::string& word) {
    return word == "--config" || word == "-f" || word == "--format";
}

// The bare words in front: group and command. Stops where the command is complete.
std::vector<std::string> command_words(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < arguments.size() && words.size() < 2; ++i) {
        if (takes_value(arguments[i])) {
            ++i;
        } else if (!arguments[i].starts_with("-")) {
            words.push_back(arguments[i]);
        }
    }
    return words;
}

std::vector<std::string> names_of(const std::vector<CLI::App*>& apps) {
    std::vector<std::string> names;
    names.reserve(apps.size());
    for (const auto* app : apps) names.push_back(app->get_name());
    return names;
}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

CLI::App* find(const std::vector<CLI::App*>& apps, const std::string& name) {
    const auto found = std::find_if(apps.begin(), apps.end(),
                                    [&](const auto* app) { return app->get_name() == name; });
    return found == apps.end() ? nullptr : *found;
}

std::vector<CLI::App*> children(CLI::App& app) {
    return app.get_subcommands([](CLI::App*) { return true; });
}

error unknown_word(const std::string& prefix, const std::string& word,
                   const std::vector<std::string>& known) {
    error e{errc::usage, "unknown command \"" + prefix + word + "\"", {}, {}};
    const auto near = closest(word, known);
    e.hint = near ? "Perhaps you meant \"" + prefix + *near + "\"."
                  : "There are: " + listed(known) + ".";
    return e;
}

// Group and command are looked up before CLI11 parses, because it cannot say what was meant
// instead.
std::optional<error> check_words(CLI::App& root, const std::vector<std::string>& words) {
    const auto groups = children(root);
    if (words.empty()) {
        return error{errc::usage,
                     "no command is given",
                     {},
                     "Try \"replctl cluster show\" or \"replctl --help\"."};
    }
    auto* group = find(groups, words[0]);
    if (group == nullptr) return unknown_word("", words[0], names_of(groups));
    const auto commands = children(*group);
    if (words.size() < 2) {
        return error{errc::usage,
                     "command \"" + words[0] + "\" is incomplete",
                     {},
                     "There are: " + listed(names_of(commands)) + "."};
    }
    if (find(commands, words[1]) != nullptr) return std::nullopt;
    return unknown_word(words[0] + " ", words[1], names_of(commands));
}

std::vector<std::string> option_names(const std::vector<const CLI::App*>& apps) {
    std::vector<std::string> names;
    for (const auto* app : apps) {
        for (const auto* option : app->get_options()) {
            for (const auto& name : option->get_lnames()) names.push_back("--" + name);
        }
    }
    return names;
}

error explain(const CLI::ParseError& e, const CLI::App& root, const CLI::App* leaf) {
    error what{errc::usage, e.what(), {}, {}};
    if (dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr) {
        // Innermost last: what nobody took is kept by the command where parsing stopped.
        const auto extras = root.remaining(true);
        const std::string word = extras.empty() ? "" : extras.front();
        const bool option = word.starts_with("-");
        what.message = (option ? "unknown option \"" : "unexpected argument \"") + word + "\"";
        if (option) {
            const auto near = closest(word.substr(0, word.find('=')), option_names({leaf, &root}));
            if (near) what.hint = "Perhaps you meant " + *near + ".";
        }
    } else if (dynamic_cast<const CLI::ArgumentMismatch*>(&e) != nullptr) {
        what.message =
            "option \"" + what.message.substr(0, what.message.find(':')) + "\" needs a value";
    }
    if (dynamic_cast<const CLI::ConversionError*>(&e) != nullptr) {
        what.message = "invalid value" +
                       what.message.substr(std::min(what.message.find(':'), what.message.size()));
    }
    // Ours are in PostgreSQL's manner: lower case and without a full stop.
    while (what.message.ends_with('\n') || what.message.ends_with('.')) what.message.pop_back();
    if (what.message.size() > 1 && std::islower(static_cast<unsigned char>(what.message[1])) != 0) {
        what.message[0] =
            static_cast<char>(std::tolower(static_cast<unsigned char>(what.message[0])));
    }
    if (what.hint.empty()) {
        std::string words = "replctl";
        if (leaf != nullptr) words += " " + leaf->get_parent()->get_name() + " " + leaf->get_name();
        what.hint = "Try \"" + words + " --help\".";
    }
    return what;
}

void add_global_options(CLI::App& root, global_options& global) {
    root.add_option("-f,--config", global.config_file,
                    "repld.yaml of this host (default $REPLD_CONFIG, then /etc/repld/repld.yaml)")
        ->type_name("FILE");
    root.add_option_function<std::string>(
            "--format", [&global](const std::string& word) { global.format = format_of(word); },
            "table, json or csv (default table)")
        ->type_name("FORMAT");
    root.add_flag("--no-color", global.no_colour, "no colours, as NO_COLOR=1");
    root.add_flag("--verbose,-v", global.verbose, "say how the command goes about it");
    root.set_help_flag("-h,--help", "show this text");
    root.set_version_flag("--version", std::string("replctl ") + program_version,
                          "show the version");
}

}  // namespace

CLI::App* add_group(CLI::App& root, const char* name, const char* meaning) {
    auto* group = root.add_subcommand(name, meaning)->group("Commands");
    group->require_subcommand(1);
    return group;
}

CLI::App* add_command(CLI::App* group, const char* name, const char* meaning, const char* example) {
    auto* app = group->add_subcommand(name, meaning)->group("Commands");
    app->footer(std::string("Options of every command: --config FILE, --format table|json|csv, "
                            "--verbose, --no-color\n\nExample:\n  ") +
                example);
    return app;
}

std::variant<typed_command, asked_text, typing_error> parse(std::vector<std::string> arguments) {
    typed_command typed;
    CLI::App root("Shows and steers a repld cluster through the daemon of this host.", "replctl");
    // Global options may stand behind the command as well; subcommands inherit this.
    root.fallthrough();
    root.require_subcommand(1);
    const auto formatter = root.get_formatter();
    for (const char* label : {"TEXT", "UINT", "REQUIRED"}) formatter->label(label, "");
    formatter->label("SUBCOMMAND", "COMMAND");
    formatter->label("Positionals", "Arguments");
    formatter->column_width(24);
    add_global_options(root, typed.global);
    add_cluster_commands(root, typed.run);
    add_node_commands(root, typed.run);
    add_witness_commands(root, typed.run);
    add_daemon_commands(root, typed.run);
    add_config_commands(root, typed.run);
    root.footer(
        "Example:\n  replctl cluster show\n\n"
        "Exit codes: 0 done, 1 usage or configuration, 2 refused, 3 not reachable, 4 timed "
        "out while the\noperation goes on, 5 failed and undone, 6 failed and needs a person, "
        "25 problems were seen.");

    const auto words = command_words(arguments);
    const auto is_any_of = [&](std::initializer_list<const char*> names) {
        return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& a) {
            return std::find(names.begin(), names.end(), a) != names.end();
        });
    };
    const bool asks = is_any_of({"--help", "-h", "--version"});
    if (!asks) {
        if (auto wrong = check_words(root, words)) return typing_error{std::move(*wrong)};
    }
    const auto groups = children(root);
    CLI::App* group = words.empty() ? nullptr : find(groups, words[0]);
    CLI::App* leaf =
        group == nullptr || words.size() < 2 ? nullptr : find(children(*group), words[1]);
    try {
        std::reverse(arguments.begin(), arguments.end());  // CLI11 takes from the back
        root.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        return asked_text{root.help()};
    } catch (const CLI::CallForVersion& e) {
        return asked_text{std::string(e.what()) + "\n"};
    } catch (const CLI::ParseError& e) {
        return typing_error{explain(e, root, leaf), typed.global.format};
    }
    return typed;
}

}  // namespace repld::cli
