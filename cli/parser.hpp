// The command line: from arguments to a command that is ready to run.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "session.hpp"

namespace repld::cli {

struct global_options {
    std::string config_file;  // as typed; empty without --config
    output_format format = output_format::as_table;
    bool no_colour = false;
    bool verbose = false;
};

struct typed_command {
    global_options global;
    command run;
};

// Text that was asked for (--help, --version), to be printed as it is.
struct asked_text {
    std::string text;
};

// The third: what was typed cannot be meant. The format is known as far as it was readable.
struct typing_error {
    error what;
    output_format format = output_format::as_table;
};

// `arguments` without the program's name.
[[nodiscard]] std::variant<typed_command, asked_text, typing_error> parse(
    std::vector<std::string> arguments);

}  // namespace repld::cli
