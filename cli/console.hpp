// Where replctl writes: results to stdout; errors, notices and progress to stderr, so that a script
// reads stdout alone. In JSON format an error is also an object on stdout.
#pragma once

#include <string_view>

#include "core/error.hpp"
#include "table_printer.hpp"

namespace repld::cli {

enum class output_format { as_table, as_json, as_csv };

class console {
public:
    output_format format = output_format::as_table;
    colours stdout_colours = colours::off;
    colours stderr_colours = colours::off;
    bool verbose = false;

    // To stdout, as it is.
    void print(std::string_view text) const;

    // To stderr, control characters replaced: "NOTICE: ...", "WARNING: ...", or the bare line.
    void notice(std::string_view text) const;
    void warning(std::string_view text) const;
    void remark(std::string_view text) const;

    // Only with --verbose: how the command goes about it.
    void explain(std::string_view text) const;

    // "ERROR: ..", "DETAIL: ..", "HINT: .." to stderr; with JSON also {"error":{...}} to stdout.
    void fail(const error& e) const;

    // A table goes out as text or CSV; JSON is the caller's, because it prints what came verbatim.
    void print(const table& rows) const;

    // False when what was printed could not be written, for instance to a full disk.
    [[nodiscard]] static bool flush();
};

}  // namespace repld::cli
