// What /proc says about processes. Synchronous: the kernel answers from memory, a scan of some
// thousand processes takes milliseconds. A process may end between two looks; then it is left out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace repld::process {

enum class process_state { absent, zombie, alive };

struct process_info {
    pid_t pid = 0;
    pid_t parent = 0;
    std::uint64_t start_ticks =
        0;  // clock ticks since boot: with pid it names one process of a boot
    process_state state = process_state::absent;
    std::string comm{};  // at most 15 bytes, chosen by the process
};

[[nodiscard]] std::optional<process_info> look_up(pid_t pid);
[[nodiscard]] process_state state_of(pid_t pid);
[[nodiscard]] bool is_alive(pid_t pid);  // a zombie is not
[[nodiscard]] std::optional<std::uint64_t> start_ticks(pid_t pid);

// Direct children, zombies included. Errors: io when /proc cannot be read.
[[nodiscard]] result<std::vector<process_info>> children_of(pid_t pid);

// Every living process whose working directory is this very folder (same device and inode).
// Processes of other users are seen only by root. Errors: io when the folder cannot be looked at.
[[nodiscard]] result<std::vector<process_info>> processes_with_cwd(
    const std::filesystem::path& directory);

// True when this process's working directory is the folder; nullopt when that cannot be known.
[[nodiscard]] std::optional<bool> has_cwd(pid_t pid, const std::filesystem::path& directory);

// Empty when the process is gone or a kernel thread.
[[nodiscard]] std::vector<std::string> command_line(pid_t pid);

// Path of the program, without the mark of a file deleted by an upgrade; empty when not readable.
[[nodiscard]] std::filesystem::path executable(pid_t pid);

// Pure, of the text of /proc/<pid>/stat; for tests.
[[nodiscard]] std::optional<process_info> parse_stat(const std::string& text);

}  // namespace repld::process
