// Durations and sizes as people write them: "6s", "200ms", "16MB". The unit is always part of the
// text, as in postgresql.conf, so that a bare number cannot mean seconds to one and milliseconds to
// another. Whole numbers only; units are case sensitive; sizes are binary (1kB is 1024 bytes).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"

namespace repld {

// Units: ns, us, ms, s, min (or m), h, d. Never negative. Blanks between number and unit are
// allowed. Error: errc::usage, with the reason in the message and, where one helps, a hint.
[[nodiscard]] result<duration> parse_duration(std::string_view text);

// Units: B, kB, MB, GB, TB. The value is in bytes. Errors as above.
[[nodiscard]] result<std::uint64_t> parse_size(std::string_view text);

// The shortest exact spelling, in the largest unit that divides the value: "6s", "1min", "90s".
// What is printed is read back as the same value. Precondition of the first: value >= 0.
[[nodiscard]] std::string format_duration(duration value);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace repld
