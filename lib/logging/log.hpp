// The log of a program: one object, made in main and passed by reference. Lines go to stderr, as
// text or as one JSON object each; every message and field passes redact() first. Writing never
// blocks and never fails (line_sink); the object may be used from several threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "logging/rate_limiter.hpp"
#include "logging/redact.hpp"

namespace repld::logging {

enum class level { debug, info, warning, error };
enum class format {
    text,  // "2026-01-31 12:00:00.123 +00:00 [pid] info: message (key=value, ...)"
    json   // {"ts":"...","level":"info","pid":1,"msg":"message","key":"value",...}
};

[[nodiscard]] const char* to_string(level l) noexcept;
[[nodiscard]] const char* to_string(format f) noexcept;
// The spellings that to_string gives; nothing else.
[[nodiscard]] std::optional<level> parse_level(std::string_view text);
[[nodiscard]] std::optional<format> parse_format(std::string_view text);

struct options {
    logging::level level = level::info;
    logging::format format = format::text;
};

// A named value beside the message. A JSON field with the name of a standard one ("ts", "level",
// "pid", "msg") gets a "_" in front, so that no key occurs twice.
struct field {
    std::string key;
    std::string value;
};
using fields = std::vector<field>;

class logger {
public:
    // Longer messages and values are cut, with a note.
    static constexpr std::size_t text_max = 8 * 1024;

    // Under systemd (JOURNAL_STREAM names this very descriptor) text lines carry the priority
    // prefix of sd-daemon(3) instead of time and pid, which the journal adds itself. The descriptor
    // stays the caller's and must outlive the logger.
    explicit logger(const options& o, int descriptor = 2);
    // Waits at most a tenth of a second for a slow reader.
    ~logger();
    logger(const logger&) = delete;
    logger& operator=(const logger&) = delete;

    // Messages are already formatted text. In text format a line break inside becomes line break
    // and tab, so that text from elsewhere cannot pass for a line of ours.
    void log(level l, std::string_view message, const fields& with = {}) noexcept;
    void debug(std::string_view message, const fields& with = {}) noexcept;
    void info(std::string_view message, const fields& with = {}) noexcept;
    void warning(std::string_view message, const fields& with = {}) noexcept;
    void error(std::string_view message, const fields& with = {}) noexcept;

    // For callers that would spend time on a message that is not wanted.
    [[nodiscard]] bool enabled(level l) const noexcept;
    // May be called at any time (SIGHUP); the format stays.
    void set_level(level l) noexcept;

private:
    struct implementation;
    std::unique_ptr<implementation> self_;
};

}  // namespace repld::logging
