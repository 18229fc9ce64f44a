// R26: out of recovery, on exactly the timeline that the register gave out.
#include <csignal>

#include <sys/stat.h>

#include "platform/files.hpp"
#include "postgres/server_files.hpp"
#include "postgres/server_kill.hpp"
#include "postgres/server_state.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

constexpr duration look_again = 2ms;

error took_another(timeline_id wanted, timeline_id taken) {
    return error{errc::needs_person,
                 "PostgreSQL was promoted to timeline " + std::to_string(taken) + ", not " +
                     std::to_string(wanted),
                 "A history file in pg_wal or in the archive kept the number from being taken.",
                 "Fence this server; it has to be rewound or cloned."};
}

}  // namespace

// By file and signal, as pg_ctl does it, and not by pg_promote(): one round trip and one backend
// less in the way, and a lock or a full connection table cannot hold it up.
task<result<void>> local_server::state::trigger_promotion(timeline_id current, timeline_id wanted,
                                                          boot_time deadline) {
    std::function<result<void>()> reserve = [directory = settings.data_directory, current, wanted] {
        return reserve_timelines(directory, current, wanted);
    };
    auto reserved = co_await disk.run(std::move(reserve), until(deadline));
    if (!reserved) co_return reserved;
    // Work of its own: it is skipped when this promotion was ended before its turn came.
    std::function<result<void>()> work = [directory = settings.data_directory] {
        // Durability is not wanted here: a host that dies now must not promote when it comes back.
        return platform::write_file_durably(directory / "promote", "", S_IRUSR | S_IWUSR);
    };
    auto written = co_await disk.run(std::move(work), until(deadline));
    if (!written) co_return written;
    co_return signal_postmaster(executor, settings.data_directory, SIGUSR1);
}

task<result<void>> local_server::state::wait_until_writable(boot_time deadline) {
    std::optional<error> last;
    for (;;) {
        if (passed(deadline)) {
            co_return time_is_up("promote PostgreSQL", last ? last->message : std::string());
        }
        auto rows = co_await statement_until("SELECT pg_is_in_recovery()", deadline);
        if (rows && !rows->flag(0, "pg_is_in_recovery")) co_return result<void>{};
        if (!rows) {
            last = rows.error();
            auto alive = find_postmaster(settings.data_directory);
            if (alive && !alive->has_value()) {
                co_return error{errc::io, "PostgreSQL ended while it was promoted"};
            }
        }
        co_await pause_for(look_again);
    }
}

task<result<promotion>> local_server::promote(timeline_id timeline, boot_time deadline) {
    const auto held = state_;
    observation seen = co_await held->look(until(deadline));
    if (seen.core.state != server_state::standby) {
        co_return error{
            errc::refused, "cannot promote PostgreSQL, which is no standby",
            seen.core.reason.empty() ? std::string() : "State: " + seen.core.reason + "."};
    }
    if (seen.timeline == 0) {
        co_return error{errc::refused, "cannot promote PostgreSQL",
                        "Its timeline is not known: " + seen.core.position_unknown + "."};
    }
    if (timeline <= seen.timeline) {
        co_return error{errc::refused, "cannot promote to timeline " + std::to_string(timeline),
                        "The server is on timeline " + std::to_string(seen.timeline) + "."};
    }
    if (seen.replay_paused) {
        auto resumed = co_await held->statement_until("SELECT pg_wal_replay_resume()", deadline);
        if (!resumed) co_return std::move(resumed).error();
    }
    if (auto alive = find_postmaster(held->settings.data_directory); alive && alive->has_value())
        held->promoting = {(*alive)->file.pid, (*alive)->start_ticks};
    auto told = co_await held->trigger_promotion(seen.timeline, timeline, deadline);
    if (!told) co_return std::move(told).error();
    auto writable = co_await held->wait_until_writable(deadline);
    if (!writable) co_return std::move(writable).error();

    auto answered = co_await held->answer(deadline);
    if (!answered) co_return std::move(answered).error();
    if (answered->timeline != timeline) co_return took_another(timeline, answered->timeline);
    std::function<result<lsn>()> last = [directory = held->settings.data_directory, timeline] {
        // One that is left would turn the next backend crash into a demotion.
        auto removed = platform::remove_file_durably(directory / "standby.signal");
        if (!removed) return result<lsn>(removed.error());
        return timeline_begin(directory, timeline);
    };
    auto fork = co_await held->disk.run(std::move(last), std::max<duration>(until(deadline), 1s));
    if (!fork) co_return std::move(fork).error();
    held->promoting = {};
    co_return promotion{timeline, *fork, answered->wal_end};
}

}  // namespace repld::postgres
