#include "text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace repld::cli {
namespace {

std::string formatted(const char* format, double value, const char* unit) {
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format, value, unit);
    return buffer.data();
}

std::string two_units(std::uint64_t large, const char* large_unit, std::uint64_t small,
                      const char* small_unit) {
    std::string text = std::to_string(large) + " " + large_unit;
    if (small != 0) text += " " + std::to_string(small) + " " + small_unit;
    return text;
}

// Length of the well-formed UTF-8 sequence at the front of `text`; 0 when there is none.
std::size_t sequence_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t length = 0;
    if (byte(0) < 0x80) return 1;
    if (byte(0) >= 0xC2 && byte(0) < 0xE0) length = 2;
    if (byte(0) >= 0xE0 && byte(0) < 0xF0) length = 3;
    if (byte(0) >= 0xF0 && byte(0) < 0xF5) length = 4;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
    }
    // U+0080..U+009F are control characters too: some terminals take them as escape sequences.
    if (byte(0) == 0xC2 && byte(1) < 0xA0) return 0;
    return length;
}

// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

}  // namespace

std::string bytes_text(double bytes) {
    static constexpr std::array<const char*, 5> units{"kB", "MB", "GB", "TB", "PB"};
    if (!(bytes > 0)) return "0 bytes";
    if (bytes < 1024) return formatted("%.0f %s", bytes, "bytes");
    std::size_t unit = 0;
    double value = bytes / 1024;
    // 1023.95 would print as "1024 kB".
    while (value >= 1023.5 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return formatted(value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

std::string seconds_text(double seconds) {
    if (!(seconds > 0)) seconds = 0;
    seconds = std::min(seconds, 1e12);
    if (seconds < 9.95) return formatted("%.1f %s", seconds, "s");
    const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
    if (whole < 60) return std::to_string(whole) + " s";
    if (whole < 3600) return two_units(whole / 60, "min", whole % 60, "s");
    if (whole < 86400) return two_units(whole / 3600, "h", whole % 3600 / 60, "min");
    return two_units(whole / 86400, "d", whole % 86400 / 3600, "h");
}

std::string printable(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const std::size_t length = sequence_length(text.substr(i));
        if (byte == '\n' || byte == '\t' || byte == '\r') {
            clean += ' ';
        } else if (length == 0 || byte < 0x20 || byte == 0x7F) {
            clean += '?';
        } else {
            clean += text.substr(i, length);
        }
        i += std::max<std::size_t>(length, 1);
    }
    return clean;
}

std::size_t display_width(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
    // Nobody's typo is that long, and the table above grows with the product of the lengths.
    if (word.empty() || word.size() > 64) return std::nullopt;
    std::optional<std::string> best;
    std::size_t best_distance = word.size() / 3 + 2;
    for (const auto& candidate : candidates) {
        const bool begins = word.size() >= 2 && candidate.starts_with(word);
        const std::size_t edits = begins ? 1 : distance(word, candidate);
        // As many edits as letters would turn any word into any other.
        if (edits < best_distance && edits < std::max<std::size_t>(word.size(), 2)) {
            best_distance = edits;
            best = candidate;
        }
    }
    return best;
}

}  // namespace repld::cli
