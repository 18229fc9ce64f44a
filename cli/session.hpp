// What a command is given: the global options, the printer, and the way to the daemon.
#pragma once

#include <functional>
#include <string>

#include "client.hpp"
#include "console.hpp"
#include "exit_codes.hpp"
#include "progress_bar.hpp"

namespace repld::cli {

struct session {
    std::string config_file;  // resolved, see config_file_name()
    console out;
};

// A parsed command, ready to run.
using command = std::function<exit_code(session&)>;

// Loads the host's settings, asks the local daemon and reports what went wrong: notices and errors
// are printed, and the answer comes back only when there is a result to show. With `display` the
// progress is shown there, and finished before anything else is printed.
struct outcome {
    exit_code code = exit_code::done;
    std::optional<response> answer;
};
[[nodiscard]] outcome ask(session& s, const request& question, const patience& wait,
                          progress_display* display = nullptr);

// Prints notices and the failure of an answer. True when there is a result to show.
[[nodiscard]] bool report(session& s, const response& answer);

// How long commands wait for an answer.
inline constexpr duration reading_limit = std::chrono::seconds(5);
// A change is agreed on by the quorum, or the daemon says within this time why not.
inline constexpr duration changing_limit = std::chrono::seconds(30);
// The daemon reports on long operations at least every 5 s.
inline constexpr duration silence_limit = std::chrono::seconds(60);

}  // namespace repld::cli
