#include "core/types.hpp"

#include <charconv>

namespace repld {

namespace {

std::string hex_upper(std::uint64_t value) {
    char digits[17];
    auto [end, ec] = std::to_chars(digits, digits + sizeof digits, value, 16);
    std::string text(digits, ec == std::errc{} ? end : digits);
    for (char& c : text)
        if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
    return text;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
    if (text.empty() || text.size() > 8) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string to_string(const ballot& b) {
    return std::to_string(b.term) + "." + std::to_string(b.node);
}

std::string to_string(lsn position) {
    return hex_upper(position.value >> 32) + "/" + hex_upper(position.value & 0xFFFFFFFFU);
}

std::string to_string(const wal_position& p) {
    return to_string(p.end) + " on timeline " + std::to_string(p.timeline);
}

std::optional<lsn> parse_lsn(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto high = parse_hex(text.substr(0, slash));
    const auto low = parse_hex(text.substr(slash + 1));
    if (!high || !low) return std::nullopt;
    return lsn{(*high << 32) | *low};
}

}  // namespace repld
