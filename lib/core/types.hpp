// The vocabulary: node ids, ballots, WAL positions. Plain values, ordered, printable.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace repld {

// Of the configuration; > 0; 0 means "no node".
using node_id = std::uint32_t;
using term_number = std::uint64_t;
using version_number = std::uint64_t;
using round_number = std::uint64_t;
using timeline_id = std::uint32_t;
// A random number that tells one attempt, installation or process from another.
using nonce = std::uint64_t;

// (term, node): totally ordered, unique per attempt by R2's nonce. {0, 0} is "none".
struct ballot {
    term_number term = 0;
    node_id node = 0;
    auto operator<=>(const ballot&) const = default;
    [[nodiscard]] bool none() const noexcept { return term == 0; }
};

// A byte position in the WAL, printed as PostgreSQL does ("0/3000148"). 0 is invalid.
struct lsn {
    std::uint64_t value = 0;
    auto operator<=>(const lsn&) const = default;
    [[nodiscard]] bool valid() const noexcept { return value != 0; }
};

// How far a server's WAL goes: the timeline of its last valid record, and that record's end (R15).
// Ordered by timeline first: the register numbers timelines in the order of reigns (R26).
struct wal_position {
    timeline_id timeline = 0;
    lsn end{};
    auto operator<=>(const wal_position&) const = default;
};

[[nodiscard]] std::string to_string(const ballot& b);        // "7.2": term 7 of node 2
[[nodiscard]] std::string to_string(lsn position);           // "0/3000148"
[[nodiscard]] std::string to_string(const wal_position& p);  // "0/3000148 on timeline 1"
// Two hexadecimal numbers of at most 8 digits around a slash; nothing else.
[[nodiscard]] std::optional<lsn> parse_lsn(std::string_view text);

}  // namespace repld
