// R15: how far the WAL of a standby goes, or why that is not known. Pure, but for the memory that
// the caller keeps.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/types.hpp"

namespace repld::postgres {

// What one look at a standby says that matters here.
struct standby_facts {
    pid_t startup = 0;           // pid of the startup process
    std::string startup_wait{};  // its wait event
    bool replay_paused = false;
    lsn receive{};
    lsn replay{};
    pid_t walreceiver = 0;
    timeline_id received_timeline = 0;  // 0 without a walreceiver
};

// What earlier looks have shown. It holds for one startup process: after the crash of a backend the
// same postmaster replays anew, with another one.
struct position_memory {
    pid_t startup = 0;
    bool end_reached = false;      // replay has stood at the end of local WAL
    bool had_walreceiver = false;  // one was seen: its WAL is beyond what a scan before it found
    std::optional<wal_position> scanned{};  // the end that pg_waldump found
    timeline_id received_timeline = 0;      // of the last walreceiver seen
    // The timeline of the last replayed record, and the look that it was asked with.
    timeline_id replayed_timeline = 0;
    standby_facts asked_with{};
};

// Forgets what was of another startup process; takes up the walreceiver's timeline.
void remember(position_memory& memory, const standby_facts& now);

// True when the startup process waits for WAL that is not there: it has read all that is.
[[nodiscard]] bool waits_for_wal(const standby_facts& now);

// The remembered timeline still holds: either nothing has been replayed since, or the same
// walreceiver brings WAL of that very timeline.
[[nodiscard]] bool timeline_holds(const position_memory& memory, const standby_facts& now);

struct position_verdict {
    std::optional<wal_position> position{};
    std::string unknown{};  // why, when there is none
    bool scan = false;      // a scan of pg_wal from the replay position can tell
};

// Preconditions: remember() was called with `now`; `replayed` is the timeline of the last replayed
// record. `newest_history`: the highest timeline that has a history file in pg_wal, 0 for none.
[[nodiscard]] position_verdict judge_position(const position_memory& memory,
                                              const standby_facts& now, timeline_id replayed,
                                              timeline_id newest_history);

// Where a record ends, as PostgreSQL counts: `length` bytes from `start`, headers of the WAL pages
// crossed left out, rounded up to 8. Precondition: segment_size is valid, pages are 8 kB.
[[nodiscard]] lsn record_end(lsn start, std::uint64_t length, std::uint64_t segment_size);
// Of a line of pg_waldump's output: the end of that record. nullopt when it is none.
[[nodiscard]] std::optional<lsn> end_of_waldump_line(const std::string& line,
                                                     std::uint64_t segment_size);

}  // namespace repld::postgres
