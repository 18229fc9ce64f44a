// Writes whole lines to a descriptor without ever waiting for its reader. A log that nobody reads
// (a stopped terminal, a hung journal) must not stop the daemon that renews the lease: lines that
// do not fit are dropped and counted, and the count is written when there is room again. Not thread
// safe; the logger that owns it locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.hpp"

namespace repld::logging {

class line_sink {
public:
    // What may wait for a slow reader.
    static constexpr std::size_t pending_max = 64 * 1024;

    // The descriptor stays the caller's and must outlive this object; its flags are not changed,
    // since stderr is shared with other processes.
    explicit line_sink(int descriptor) noexcept;

    // `line` ends with a newline. Never blocks and never fails: what cannot be written now is kept
    // up to pending_max, then dropped.
    void write(std::string_view line);
    // A line that reports dropped ones, to be written by the caller in its own format first; 0:
    // none. Zero again afterwards.
    [[nodiscard]] std::uint64_t take_dropped() noexcept;
    // Whether a line of this size would be kept now.
    [[nodiscard]] bool has_room(std::size_t size) const noexcept;
    // Hands over what waits, for at most this long (used once, before the process ends).
    void drain(duration at_most);

private:
    void flush();

    int descriptor_;
    std::string pending_;
    std::uint64_t dropped_ = 0;
};

}  // namespace repld::logging
