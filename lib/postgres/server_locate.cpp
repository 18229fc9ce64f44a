// R15 on a living standby: asks for the timeline, lets pg_wal be scanned where nothing else tells.
#include "postgres/server_files.hpp"
#include "postgres/server_position.hpp"
#include "postgres/server_state.hpp"
#include "process/runner.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

constexpr duration scan_limit = 10min;

standby_facts facts_of(const observation& seen, const position_memory& memory) {
    return {memory.startup,        {},          seen.replay_paused,
            seen.receive,          seen.replay, seen.walreceiver,
            seen.received_timeline};
}

struct scan_order {
    std::filesystem::path pg_waldump{};
    std::filesystem::path wal{};
    pid_t startup = 0;
    wal_position from{};
    std::uint64_t segment_size = 0;
};

// Why pg_waldump stops where valid WAL stops: in a segment, before its first record, or because the
// next segment was never made.
bool says_end_of_wal(std::string_view line) {
    if (!line.starts_with("pg_waldump: ")) return false;
    for (const std::string_view reason :
         {"error in WAL record at", "could not find a valid record", "could not find file"}) {
        if (line.find(reason) != std::string_view::npos) return true;
    }
    return false;
}

// The last record that pg_waldump can read, from the replay position on. It ends with an error
// where valid WAL ends; that is the answer, not a failure.
task<std::optional<lsn>> scan_for_end(scan_order order) {
    process::command what({"/bin/sh", "-c", "\"$1\" -p \"$2\" -t \"$3\" -s \"$4\" | tail -n 1",
                           "sh", order.pg_waldump.string(), order.wal.string(),
                           std::to_string(order.from.timeline), to_string(order.from.end)});
    what.extra_env = {{"LC_ALL", "C"}};
    auto outcome = co_await process::run_command(std::move(what), scan_limit);
    if (!outcome || !outcome->succeeded()) co_return std::nullopt;
    // Standard error comes through the same pipe, before or after the line of tail.
    std::optional<lsn> end;
    std::string_view text = outcome->output;
    bool natural_end = false;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (const auto found = end_of_waldump_line(std::string(line), order.segment_size))
            end = found;
        natural_end = natural_end || says_end_of_wal(line);
    }
    // Any other reason to stop (a disk error, a missing program) must not pass for the end: a
    // position that is too low elects a loser.
    if (!natural_end) co_return std::nullopt;
    co_return end ? end : std::optional<lsn>(order.from.end);
}

}  // namespace

task<result<timeline_id>> local_server::state::replayed_timeline(const observation& seen,
                                                                 boot_time deadline) {
    const standby_facts now = facts_of(seen, memory);
    if (timeline_holds(memory, now)) co_return memory.replayed_timeline;
    auto where = link_conninfo();
    if (!where) co_return std::move(where).error();
    // "database": such a connection is matched by the pg_hba lines of that database; "true" would
    // need a line for "replication".
    where->set("replication", "database");
    auto opened = co_await connection::open(where->to_string(), until(deadline));
    if (!opened) co_return std::move(opened).error();
    auto rows = co_await (*opened)->query_simple("IDENTIFY_SYSTEM", until(deadline));
    if (!rows) co_return std::move(rows).error();
    const auto number = rows->number(0, "timeline");
    if (!number || *number <= 0) {
        co_return error{errc::protocol, "could not read the answer to IDENTIFY_SYSTEM"};
    }
    memory.replayed_timeline = static_cast<timeline_id>(*number);
    memory.asked_with = now;
    co_return memory.replayed_timeline;
}

task<void> local_server::state::locate(observation& seen, boot_time deadline) {
    auto timeline = co_await replayed_timeline(seen, deadline);
    if (!timeline) {
        seen.core.position_unknown =
            "the timeline of the last replayed record is not known: " + timeline.error().message;
        co_return;
    }
    seen.timeline = *timeline;
    const standby_facts now = facts_of(seen, memory);
    const bool look_for_history = now.receive > now.replay && memory.received_timeline == 0;
    const timeline_id newest = look_for_history ? newest_history(settings.data_directory) : 0;
    auto verdict = judge_position(memory, now, *timeline, newest);
    seen.core.position = verdict.position;
    seen.core.position_unknown = std::move(verdict.unknown);
    if (verdict.position) seen.wal_end = verdict.position->end;
    if (verdict.scan) begin_scan(seen);
}

void local_server::state::begin_scan(const observation& seen) {
    if (scanning) return;
    // WAL of a later timeline would have to be followed across the switch; replay does that.
    if (newest_history(settings.data_directory) > seen.timeline) return;
    scan_order order{settings.bin_directory / "pg_waldump", settings.data_directory / "pg_wal",
                     memory.startup, wal_position{seen.timeline, seen.replay},
                     seen.wal_segment_size};
    scanning = true;
    auto scan = [](std::weak_ptr<state> owner, scan_order what) -> task<void> {
        const pid_t startup = what.startup;
        const timeline_id timeline = what.from.timeline;
        const auto end = co_await scan_for_end(std::move(what));
        const auto held = owner.lock();
        if (!held) co_return;
        held->scanning = false;
        if (end && held->memory.startup == startup)
            held->memory.scanned = wal_position{timeline, *end};
    };
    asio::co_spawn(executor, scan(weak_from_this(), std::move(order)), asio::detached);
}

}  // namespace repld::postgres
