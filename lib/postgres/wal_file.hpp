// Names of WAL segments and the content of timeline history files. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"

namespace repld::postgres {

using segment_number = std::uint64_t;

struct wal_segment {
    timeline_id timeline = 0;
    segment_number number = 0;
    auto operator<=>(const wal_segment&) const = default;
};

// A power of two from 1 MiB to 1 GiB. Precondition of every function below that takes one.
[[nodiscard]] bool valid_segment_size(std::uint64_t bytes) noexcept;

// The segment in which the byte at `position` lies.
[[nodiscard]] wal_segment segment_of(timeline_id timeline, lsn position,
                                     std::uint64_t segment_size);
[[nodiscard]] lsn segment_start(segment_number number, std::uint64_t segment_size);

// 24 upper-case hexadecimal digits.
[[nodiscard]] std::string segment_name(const wal_segment& segment, std::uint64_t segment_size);
// nullopt for any other name (.partial, .history, .backup) and for numbers that this size excludes.
[[nodiscard]] std::optional<wal_segment> parse_segment_name(std::string_view name,
                                                            std::uint64_t segment_size);

// "00000003.history"
[[nodiscard]] std::string history_name(timeline_id timeline);
[[nodiscard]] std::optional<timeline_id> parse_history_name(std::string_view name);

// One line: `timeline` ended at `end`, where the next line's (or the file's own) timeline begins.
struct timeline_switch {
    timeline_id timeline = 0;
    lsn end{};
    std::string reason{};
    bool operator==(const timeline_switch&) const = default;
};

// Oldest first. Blank lines and what follows a # are left out. `child` is the timeline whose
// history it is. Error: corrupt, with the line number: not "number<tab>LSN<tab>reason", numbers
// that do not rise, positions that go back, or a number not below `child`.
[[nodiscard]] result<std::vector<timeline_switch>> parse_history(std::string_view text,
                                                                 timeline_id child);
[[nodiscard]] std::string print_history(const std::vector<timeline_switch>& history);

}  // namespace repld::postgres
