#include "postgres/wal_file.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

namespace repld::postgres {
namespace {

constexpr std::size_t word_digits = 8;

std::string hex(std::uint32_t n) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text(word_digits, '0');
    for (std::size_t i = word_digits; i-- > 0; n >>= 4) text[i] = digits[n & 0xFU];
    return text;
}

// Exactly eight upper-case digits, as PostgreSQL writes and accepts them.
std::optional<std::uint32_t> parse_hex(std::string_view text) {
    if (text.size() != word_digits) return std::nullopt;
    std::uint32_t n = 0;
    for (const char c : text) {
        const bool decimal = c >= '0' && c <= '9';
        if (!decimal && !(c >= 'A' && c <= 'F')) return std::nullopt;
        n = n << 4U | static_cast<std::uint32_t>(decimal ? c - '0' : c - 'A' + 10);
    }
    return n;
}

// Segments per 4 GiB: the middle part of a name counts these, the last part the segments in one.
std::uint64_t segments_per_id(std::uint64_t segment_size) {
    return (1ULL << 32U) / segment_size;
}

error bad_line(std::size_t line, const std::string& what) {
    return error{errc::corrupt, "timeline history, line " + std::to_string(line) + ": " + what};
}

// Takes what stands before the next tab or blank off the front, and these with it.
std::string_view take_field(std::string_view& text) {
    constexpr std::string_view blanks = " \t";
    const auto field = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(field.size());
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return field;
}

result<timeline_switch> parse_line(std::string_view text, std::size_t line) {
    timeline_switch entry;
    const auto digits = take_field(text);
    const char* const end = digits.data() + digits.size();
    const auto [stop, code] = std::from_chars(digits.data(), end, entry.timeline);
    if (code != std::errc{} || stop != end || entry.timeline == 0) {
        return bad_line(line, "timeline number expected, found \"" + std::string(digits) + "\"");
    }
    const auto position = take_field(text);
    const auto where = parse_lsn(position);
    if (!where) {
        return bad_line(line, "WAL position expected, found \"" + std::string(position) + "\"");
    }
    entry.end = *where;
    entry.reason = text;
    return entry;
}

}  // namespace

bool valid_segment_size(std::uint64_t bytes) noexcept {
    return std::has_single_bit(bytes) && bytes >= (1ULL << 20U) && bytes <= (1ULL << 30U);
}

wal_segment segment_of(timeline_id timeline, lsn position, std::uint64_t segment_size) {
    return {timeline, position.value / segment_size};
}

lsn segment_start(segment_number number, std::uint64_t segment_size) {
    return {number * segment_size};
}

std::string segment_name(const wal_segment& segment, std::uint64_t segment_size) {
    const auto per_id = segments_per_id(segment_size);
    return hex(segment.timeline) + hex(static_cast<std::uint32_t>(segment.number / per_id)) +
           hex(static_cast<std::uint32_t>(segment.number % per_id));
}

std::optional<wal_segment> parse_segment_name(std::string_view name, std::uint64_t segment_size) {
    if (name.size() != 3 * word_digits) return std::nullopt;
    const auto timeline = parse_hex(name.substr(0, word_digits));
    const auto id = parse_hex(name.substr(word_digits, word_digits));
    const auto rest = parse_hex(name.substr(2 * word_digits));
    const auto per_id = segments_per_id(segment_size);
    if (!timeline || !id || !rest || *timeline == 0 || *rest >= per_id) return std::nullopt;
    return wal_segment{*timeline, *id * per_id + *rest};
}

std::string history_name(timeline_id timeline) {
    return hex(timeline) + ".history";
}

std::optional<timeline_id> parse_history_name(std::string_view name) {
    constexpr std::string_view suffix = ".history";
    if (!name.ends_with(suffix)) return std::nullopt;
    const auto timeline = parse_hex(name.substr(0, name.size() - suffix.size()));
    if (!timeline || *timeline == 0) return std::nullopt;
    return *timeline;
}

result<std::vector<timeline_switch>> parse_history(std::string_view text, timeline_id child) {
    std::vector<timeline_switch> history;
    for (std::size_t line = 1; !text.empty(); ++line) {
        std::string_view content = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(content.size() + 1, text.size()));
        if (content.ends_with('\r')) content.remove_suffix(1);
        content.remove_prefix(std::min(content.find_first_not_of(" \t"), content.size()));
        if (content.empty() || content.starts_with('#')) continue;

        auto entry = parse_line(content, line);
        if (!entry) return std::move(entry).error();
        if (!history.empty() && entry->timeline <= history.back().timeline) {
            return bad_line(line, "timeline numbers do not rise");
        }
        if (!history.empty() && entry->end < history.back().end) {
            return bad_line(line, "WAL position lies before that of the timeline before");
        }
        if (entry->timeline >= child) {
            return bad_line(line, "timeline " + std::to_string(entry->timeline) +
                                      " is not below timeline " + std::to_string(child) +
                                      ", whose history this is");
        }
        history.push_back(std::move(*entry));
    }
    return history;
}

std::string print_history(const std::vector<timeline_switch>& history) {
    std::string text;
    for (const auto& entry : history) {
        std::string reason = entry.reason;
        // One entry is one line, whatever the reason holds.
        std::replace_if(
            reason.begin(), reason.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
        text += std::to_string(entry.timeline) + "\t" + to_string(entry.end) + "\t" + reason + "\n";
    }
    return text;
}

}  // namespace repld::postgres
