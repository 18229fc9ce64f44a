#include "logging/log.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>

#include "logging/line_sink.hpp"

namespace repld::logging {

namespace {

constexpr std::array<const char*, 4> level_names{"debug", "info", "warning", "error"};
constexpr std::array<const char*, 2> format_names{"text", "json"};

spdlog::level::level_enum to_spdlog(level l) {
    switch (l) {
        case level::debug: return spdlog::level::debug;
        case level::info: return spdlog::level::info;
        case level::warning: return spdlog::level::warn;
        case level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

// sd-daemon(3): the priorities of syslog in angle brackets.
class journal_priority final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&,
                spdlog::memory_buf_t& target) override {
        std::string_view prefix = "<6>";
        if (message.level == spdlog::level::debug) prefix = "<7>";
        if (message.level == spdlog::level::warn) prefix = "<4>";
        if (message.level == spdlog::level::err) prefix = "<3>";
        target.append(prefix.data(), prefix.data() + prefix.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<journal_priority>();
    }
};

class stream_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    stream_sink(int descriptor, format f) : lines_(descriptor), format_(f) {}
    ~stream_sink() override { lines_.drain(std::chrono::milliseconds(100)); }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        report_dropped();
        write(message);
    }
    void flush_() override {}

private:
    void write(const spdlog::details::log_msg& message) {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        lines_.write({line.data(), line.size()});
    }

    void report_dropped() {
        constexpr std::size_t report_size_max = 512;
        if (!lines_.has_room(report_size_max)) return;
        const auto dropped = lines_.take_dropped();
        if (dropped == 0) return;
        auto text = std::to_string(dropped) + " log lines were lost because nobody read them";
        if (format_ == format::json) text = "\"msg\":\"" + text + "\"";
        write(spdlog::details::log_msg("", spdlog::level::warn, text));
    }

    line_sink lines_;
    format format_;
};

// JOURNAL_STREAM is "device:inode" of the socket that systemd connected; it is inherited by
// children whose stderr was redirected since, so the descriptor itself is compared.
bool is_journal(int descriptor) {
    const char* const named = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (named == nullptr || ::fstat(descriptor, &status) != 0) return false;
    return named == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::unique_ptr<spdlog::formatter> line_formatter(format f, int descriptor) {
    auto pattern = std::make_unique<spdlog::pattern_formatter>();
    if (f == format::json) {
        pattern->set_pattern(R"({"ts":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","pid":%P,%v})");
    } else if (is_journal(descriptor)) {
        pattern->add_flag<journal_priority>('*').set_pattern("%*%v");
    } else {
        pattern->set_pattern("%Y-%m-%d %H:%M:%S.%e %z [%P] %l: %v");
    }
    return pattern;
}

std::string shown(std::string_view text) {
    if (text.size() <= logger::text_max) return redact(text);
    return redact(text.substr(0, logger::text_max)) + " ... (cut, " + std::to_string(text.size()) +
           " bytes)";
}

std::string json_string(std::string_view text) {
    // Bytes that are no UTF-8 are replaced: a line that no parser takes would hide the message.
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_members(std::string_view message, const fields& with) {
    std::string members = "\"msg\":" + json_string(shown(message));
    for (const auto& [key, value] : with) {
        const bool taken = key == "ts" || key == "level" || key == "pid" || key == "msg";
        members += "," + json_string(taken ? "_" + key : key) + ":";
        members += names_secret(key) ? "\"********\"" : json_string(shown(value));
    }
    return members;
}

void append_printable(std::string& target, std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            target += "\n\t";
        } else if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
            // An escape sequence from elsewhere must not reach the terminal of whoever reads this.
            target += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
        } else {
            target += c;
        }
    }
}

std::string text_line(std::string_view message, const fields& with) {
    std::string line;
    append_printable(line, shown(message));
    const char* separator = " (";
    for (const auto& [key, value] : with) {
        line += separator + key + "=";
        append_printable(line, names_secret(key) ? "********" : shown(value));
        separator = ", ";
    }
    if (!with.empty()) line += ")";
    return line;
}

}  // namespace

const char* to_string(level l) noexcept {
    return level_names[static_cast<std::size_t>(l)];
}
const char* to_string(format f) noexcept {
    return format_names[static_cast<std::size_t>(f)];
}

std::optional<level> parse_level(std::string_view text) {
    for (std::size_t i = 0; i < level_names.size(); ++i)
        if (text == level_names[i]) return static_cast<level>(i);
    return std::nullopt;
}

std::optional<format> parse_format(std::string_view text) {
    for (std::size_t i = 0; i < format_names.size(); ++i)
        if (text == format_names[i]) return static_cast<format>(i);
    return std::nullopt;
}

struct logger::implementation {
    implementation(const options& o, int descriptor)
        : format(o.format), log("", std::make_shared<stream_sink>(descriptor, o.format)) {
        log.set_formatter(line_formatter(o.format, descriptor));
        log.set_level(to_spdlog(o.level));
        // spdlog reports its own failures on stderr, with a wait: there is nothing to say there.
        log.set_error_handler([](const std::string&) {});
    }

    logging::format format;
    spdlog::logger log;
};

logger::logger(const options& o, int descriptor)
    : self_(std::make_unique<implementation>(o, descriptor)) {}

logger::~logger() = default;

void logger::log(level l, std::string_view message, const fields& with) noexcept {
    if (!enabled(l)) return;
    try {
        const auto payload =
            self_->format == format::json ? json_members(message, with) : text_line(message, with);
        self_->log.log(to_spdlog(l), spdlog::string_view_t(payload.data(), payload.size()));
    } catch (...) {
        // Only memory can be short here. A lost line is better than a daemon that ends over it.
        return;
    }
}

void logger::debug(std::string_view m, const fields& with) noexcept {
    log(level::debug, m, with);
}
void logger::info(std::string_view m, const fields& with) noexcept {
    log(level::info, m, with);
}
void logger::warning(std::string_view m, const fields& with) noexcept {
    log(level::warning, m, with);
}
void logger::error(std::string_view m, const fields& with) noexcept {
    log(level::error, m, with);
}

bool logger::enabled(level l) const noexcept {
    return self_->log.should_log(to_spdlog(l));
}
void logger::set_level(level l) noexcept {
    self_->log.set_level(to_spdlog(l));
}

}  // namespace repld::logging
