// How this library speaks to the log: a callback given at construction, so that it depends on no
// logging library. Texts are one line, in PostgreSQL's message style, and never contain a key.
#pragma once

#include <functional>
#include <string>

#include "core/error.hpp"

namespace repld::net {

enum class log_level { debug, info, notice, warning, error };

// May be empty: then nothing is logged. Called on the event loop; must not block or throw.
using log_sink = std::function<void(log_level, std::string)>;

inline void log_to(const log_sink& sink, log_level level, std::string text) {
    if (sink) sink(level, std::move(text));
}

// "message: detail" for a log line; the hint is for people at a terminal.
[[nodiscard]] inline std::string one_line(const repld::error& e) {
    return e.detail.empty() ? e.message : e.message + ": " + e.detail;
}

}  // namespace repld::net
