// The command groups. Each adds its commands to the parser; the one that was typed is left in
// `chosen` by parsing, and run afterwards.
#pragma once

#include <CLI/CLI.hpp>

#include "session.hpp"

namespace repld::cli {

void add_cluster_commands(CLI::App& root, command& chosen);
void add_node_commands(CLI::App& root, command& chosen);
void add_witness_commands(CLI::App& root, command& chosen);
void add_daemon_commands(CLI::App& root, command& chosen);
void add_config_commands(CLI::App& root, command& chosen);
void add_cluster_event(CLI::App* group, command& chosen);

// A group ("cluster") and a command in it ("show"); the example is shown by --help.
[[nodiscard]] CLI::App* add_group(CLI::App& root, const char* name, const char* meaning);
[[nodiscard]] CLI::App* add_command(CLI::App* group, const char* name, const char* meaning,
                                    const char* example);

}  // namespace repld::cli
