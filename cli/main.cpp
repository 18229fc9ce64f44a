// replctl: what a DBA types. Parses, runs one command, turns the outcome into an exit code.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>

#include "parser.hpp"

namespace {

using namespace repld;
using namespace repld::cli;

// A token typed on the command line is a secret, and every user of the host can read this process's
// arguments (ps); so they are overwritten as soon as they have been copied.
void hide_tokens(int argc, char** argv) {
    constexpr std::string_view option = "--token";
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == option && i + 1 < argc) {
            std::memset(argv[i + 1], '*', std::strlen(argv[i + 1]));
        } else if (argument.starts_with("--token=")) {
            std::memset(argv[i] + option.size() + 1, '*', argument.size() - option.size() - 1);
        }
    }
}

colours colours_for(int descriptor, bool no_colour) {
    const char* variable = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    const bool refused = no_colour || (variable != nullptr && *variable != '\0') ||
                         (terminal != nullptr && std::string_view(terminal) == "dumb");
    return !refused && isatty(descriptor) == 1 ? colours::on : colours::off;
}

exit_code run(std::vector<std::string> arguments) {
    auto parsed = parse(std::move(arguments));
    session s;
    s.out.stderr_colours = colours_for(STDERR_FILENO, false);
    if (const auto* text = std::get_if<asked_text>(&parsed)) {
        s.out.print(text->text);
        return exit_code::done;
    }
    if (const auto* wrong = std::get_if<typing_error>(&parsed)) {
        s.out.format = wrong->format;
        s.out.fail(wrong->what);
        return exit_code::usage;
    }
    const auto& typed = std::get<typed_command>(parsed);
    s.config_file = config_file_name(typed.global.config_file);
    s.out.format = typed.global.format;
    s.out.verbose = typed.global.verbose;
    s.out.stdout_colours = colours_for(STDOUT_FILENO, typed.global.no_colour);
    s.out.stderr_colours = colours_for(STDERR_FILENO, typed.global.no_colour);
    s.out.explain("configuration file " + s.config_file);
    return typed.run(s);
}

}  // namespace

int main(int argc, char** argv) {
    exit_code code = exit_code::needs_person;
    try {
        std::vector<std::string> arguments(argv + 1, argv + argc);
        hide_tokens(argc, argv);
        code = run(std::move(arguments));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "ERROR: internal error of replctl\nDETAIL: %s\n", e.what());
    }
    if (!console::flush()) {
        std::fprintf(stderr, "ERROR: could not write the output\nDETAIL: %s.\n",
                     std::strerror(errno));
        if (code == exit_code::done) code = exit_code::usage;
    }
    return static_cast<int>(code);
}
