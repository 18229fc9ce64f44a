#include "postgres/server_position.hpp"

#include <algorithm>
#include <charconv>

namespace repld::postgres {
namespace {

constexpr std::uint64_t page_size = 8192;
constexpr std::uint64_t short_header = 24;
constexpr std::uint64_t long_header = 40;  // of the first page of a segment

std::uint64_t header_at(std::uint64_t page_start, std::uint64_t segment_size) {
    return page_start % segment_size == 0 ? long_header : short_header;
}

}  // namespace

void remember(position_memory& memory, const standby_facts& now) {
    if (memory.startup != now.startup) {
        memory = position_memory{};
        memory.startup = now.startup;
    }
    if (now.walreceiver != 0) memory.had_walreceiver = true;
    if (now.received_timeline != 0) memory.received_timeline = now.received_timeline;
}

bool waits_for_wal(const standby_facts& now) {
    // A paused or delayed replay waits with other events (RecoveryPause, RecoveryApplyDelay).
    return !now.replay_paused && (now.startup_wait == "RecoveryWalStream" ||
                                  now.startup_wait == "RecoveryRetrieveRetryInterval");
}

bool timeline_holds(const position_memory& memory, const standby_facts& now) {
    if (memory.replayed_timeline == 0 || memory.asked_with.startup != now.startup) return false;
    if (memory.asked_with.replay == now.replay) return true;
    return now.walreceiver != 0 && now.walreceiver == memory.asked_with.walreceiver &&
           now.received_timeline == memory.replayed_timeline &&
           memory.asked_with.received_timeline == memory.replayed_timeline;
}

position_verdict judge_position(const position_memory& memory, const standby_facts& now,
                                timeline_id replayed, timeline_id newest_history) {
    position_verdict verdict;
    if (replayed == 0) {
        verdict.unknown = "the timeline of the last replayed record is not known";
        return verdict;
    }
    if (now.received_timeline > replayed) {
        verdict.unknown = "timeline " + std::to_string(now.received_timeline) +
                          " is being received and is not replayed yet";
        return verdict;
    }
    // Without a received position nothing says what lies in pg_wal beyond replay; with one, the
    // startup process had read all local WAL before it asked for a walreceiver.
    if (!now.receive.valid() && !memory.end_reached) {
        if (memory.scanned && !memory.had_walreceiver) {
            verdict.position = wal_position{std::max(memory.scanned->timeline, replayed),
                                            std::max(memory.scanned->end, now.replay)};
            return verdict;
        }
        verdict.unknown = now.replay_paused
                              ? "replay is paused and has not reached the end of local WAL"
                              : "replay has not reached the end of local WAL";
        verdict.scan = now.walreceiver == 0;
        return verdict;
    }
    if (now.receive > now.replay) {
        // The last record is one that was received: its timeline is the walreceiver's.
        const bool other = memory.received_timeline != 0 ? memory.received_timeline != replayed
                                                         : newest_history > replayed;
        if (other) {
            verdict.unknown = "WAL of a timeline after " + std::to_string(replayed) +
                              " was received and is not replayed yet";
            return verdict;
        }
    }
    verdict.position = wal_position{replayed, std::max(now.receive, now.replay)};
    return verdict;
}

lsn record_end(lsn start, std::uint64_t length, std::uint64_t segment_size) {
    std::uint64_t at = start.value;
    std::uint64_t left = (length + 7) / 8 * 8;
    for (;;) {
        const std::uint64_t page_end = (at / page_size + 1) * page_size;
        const std::uint64_t room = page_end - at;
        if (left <= room) return lsn{at + left};
        left -= room;
        at = page_end + header_at(page_end, segment_size);
    }
}

std::optional<lsn> end_of_waldump_line(const std::string& line, std::uint64_t segment_size) {
    // "rmgr: Heap  len (rec/tot):  54/  54, tx:  0, lsn: 0/01000060, prev 0/01000028, desc: ..."
    constexpr std::string_view length_mark = "len (rec/tot):";
    constexpr std::string_view lsn_mark = ", lsn: ";
    const auto length_at = line.find(length_mark);
    const auto lsn_at = line.find(lsn_mark);
    if (!line.starts_with("rmgr:") || length_at == std::string::npos || lsn_at == std::string::npos)
        return std::nullopt;
    const auto slash = line.find('/', length_at + length_mark.size());
    if (slash == std::string::npos || slash > lsn_at) return std::nullopt;
    auto digits = line.find_first_not_of(' ', slash + 1);
    if (digits == std::string::npos) return std::nullopt;
    std::uint64_t length = 0;
    const auto read = std::from_chars(line.data() + digits, line.data() + line.size(), length);
    if (read.ec != std::errc() || length == 0 || length > (std::uint64_t{1} << 31))
        return std::nullopt;
    const auto begin = lsn_at + lsn_mark.size();
    const auto start =
        parse_lsn(std::string_view(line).substr(begin, line.find(',', begin) - begin));
    if (!start) return std::nullopt;
    // A switch record fills its segment.
    const auto desc = line.find("desc: ");
    const bool xlog = line.find("XLOG") < length_at;
    if (xlog && desc != std::string::npos && line.compare(desc + 6, 6, "SWITCH") == 0) {
        return lsn{(start->value / segment_size + 1) * segment_size};
    }
    return record_end(*start, length, segment_size);
}

}  // namespace repld::postgres
