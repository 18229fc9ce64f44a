#include "core/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>

namespace repld {

namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};

// Largest first: printing takes the first one that divides the value.
constexpr std::array<unit, 7> time_units{{{"d", 86'400'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"min", 60'000'000'000},
                                          {"s", 1'000'000'000},
                                          {"ms", 1'000'000},
                                          {"us", 1'000},
                                          {"ns", 1}}};
constexpr std::array<unit, 5> size_units{{{"TB", std::uint64_t{1} << 40},
                                          {"GB", std::uint64_t{1} << 30},
                                          {"MB", std::uint64_t{1} << 20},
                                          {"kB", std::uint64_t{1} << 10},
                                          {"B", 1}}};

// What one of the two kinds of value is called, and how large it may be.
struct family {
    std::span<const unit> units;
    std::string_view noun;
    std::string_view hint;
    std::uint64_t limit;
};

constexpr family durations{
    time_units, "duration",
    "Valid units are \"us\", \"ms\", \"s\", \"min\", \"h\" and \"d\"; for example 6s or 200ms.",
    static_cast<std::uint64_t>(std::numeric_limits<duration::rep>::max())};
constexpr family sizes{
    size_units, "size",
    "Valid units are \"B\", \"kB\", \"MB\", \"GB\" and \"TB\"; for example 16MB.",
    std::numeric_limits<std::uint64_t>::max()};

std::string_view without_blanks(std::string_view text) {
    constexpr std::string_view blanks = " \t";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

error refuse(const family& kind, std::string_view text, std::string why) {
    // Only the head of a long text is quoted: it may be a whole file pasted by mistake.
    constexpr std::size_t quoted_max = 40;
    std::string head(text.substr(0, quoted_max));
    if (text.size() > quoted_max) head += "...";
    return {errc::usage, "invalid " + std::string(kind.noun) + " \"" + head + "\"", std::move(why),
            std::string(kind.hint)};
}

result<std::uint64_t> parse(const family& kind, std::string_view text) {
    const auto trimmed = without_blanks(text);
    std::uint64_t number = 0;
    const auto* const end = trimmed.data() + trimmed.size();
    const auto [stop, ec] = std::from_chars(trimmed.data(), end, number);
    if (ec == std::errc::result_out_of_range) return refuse(kind, text, "The value is too large.");
    if (ec != std::errc{}) return refuse(kind, text, "It does not begin with a whole number.");
    const auto name =
        without_blanks(trimmed.substr(static_cast<std::size_t>(stop - trimmed.data())));
    if (name.empty()) return refuse(kind, text, "The unit is missing.");
    if (name.front() == '.' || name.front() == ',')
        return refuse(kind, text, "Fractions are not accepted; take a smaller unit.");
    // "m" is how failover_limit ("5/10m") is written; printing always says "min".
    const auto wanted = name == "m" ? std::string_view("min") : name;
    for (const auto& candidate : kind.units) {
        if (candidate.name != wanted) continue;
        if (number > kind.limit / candidate.factor)
            return refuse(kind, text, "The value is too large.");
        return number * candidate.factor;
    }
    return refuse(kind, text, "The unit is not known; units are case sensitive.");
}

std::string format(std::span<const unit> units, std::uint64_t value) {
    for (const auto& candidate : units)
        if (value != 0 && value % candidate.factor == 0)
            return std::to_string(value / candidate.factor) + std::string(candidate.name);
    return {};
}

}  // namespace

result<duration> parse_duration(std::string_view text) {
    auto parsed = parse(durations, text);
    if (!parsed) return std::move(parsed).error();
    return duration{static_cast<duration::rep>(*parsed)};
}

result<std::uint64_t> parse_size(std::string_view text) {
    return parse(sizes, text);
}

std::string format_duration(duration value) {
    if (value <= duration::zero()) return "0s";
    return format(time_units, static_cast<std::uint64_t>(value.count()));
}

std::string format_size(std::uint64_t bytes) {
    if (bytes == 0) return "0B";
    return format(size_units, bytes);
}

}  // namespace repld
