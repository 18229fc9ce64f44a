// Values as people read them, and the small text tools of the printers. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repld::cli {

// Binary units as PostgreSQL prints them: "0 bytes", "512 bytes", "214 MB", "1.2 GB".
[[nodiscard]] std::string bytes_text(double bytes);

// A length of time: "0.2 s", "12 s", "5 min 3 s", "2 h 5 min", "3 d 4 h". Negative becomes "0.0 s".
[[nodiscard]] std::string seconds_text(double seconds);

// What a daemon sent is shown on a terminal, so control characters (escape sequences) and bytes
// that are not UTF-8 become '?', and line ends become spaces.
[[nodiscard]] std::string printable(std::string_view text);

// Columns on a terminal, one per code point. Precondition: valid UTF-8 (printable() makes it so).
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

// The candidate that `word` most likely stands for, when one is near enough to be worth saying.
[[nodiscard]] std::optional<std::string> closest(std::string_view word,
                                                 const std::vector<std::string>& candidates);

}  // namespace repld::cli
