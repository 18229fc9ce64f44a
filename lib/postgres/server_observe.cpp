// One look at the server: what state it is in, and everything that the state does not hide.
#include <filesystem>

#include "postgres/server_files.hpp"
#include "postgres/server_sql.hpp"
#include "postgres/server_state.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::string_view sqlstate_starting = "57P03";  // and stopping, and in crash recovery
constexpr std::string_view sqlstate_wrong_state = "55000";

std::string words_of(const error& e) {
    return e.detail.empty() ? e.message : e.message + ": " + e.detail;
}

// No postmaster lives. A backend can outlive it by seconds and still commit.
observation without_postmaster(const fs::path& data_directory) {
    observation seen;
    const auto left = all_server_processes(data_directory);
    if (!left) {
        seen.core.reason = words_of(left.error());
        return seen;
    }
    std::size_t living = 0;
    for (const auto& p : *left) living += p.server_program ? 1 : 0;
    if (living > 0) {
        seen.core.reason =
            "the postmaster is dead and " + std::to_string(living) + " of its processes still live";
        return seen;
    }
    seen.core.state = server_state::stopped;
    seen.core.reason = "PostgreSQL does not run";
    seen.core.position_unknown = "PostgreSQL does not run";
    return seen;
}

// The postmaster lives and did not answer the statement.
void judge_silence(const error& failure, postmaster_status status, observation& seen) {
    const auto sqlstate = sqlstate_of(failure);
    const bool early = status == postmaster_status::starting && failure.code != errc::timed_out;
    seen.core.reason = words_of(failure);
    seen.core.position_unknown = "PostgreSQL does not answer";
    if (status == postmaster_status::stopping) {
        seen.core.reason = "PostgreSQL is shutting down";
    } else if (status == postmaster_status::standby) {
        seen.core.state = server_state::starting;
        seen.core.reason = "PostgreSQL is in recovery and hot_standby is off";
    } else if (sqlstate == sqlstate_starting || early) {
        seen.core.state = server_state::starting;
    }
}

}  // namespace

bool local_server::state::promotion_signalled(const postmaster_life& life) const {
    if (promoting.pid != 0 && promoting == life) return true;
    std::error_code failed;
    if (fs::exists(settings.data_directory / "promote", failed)) return true;
    // A server in recovery that lets clients in has standby.signal or recovery.signal; the end of
    // recovery removes it some time before pg_is_in_recovery() turns false.
    const bool standby = fs::exists(settings.data_directory / "standby.signal", failed);
    const bool recovery = fs::exists(settings.data_directory / "recovery.signal", failed);
    return !failed && !standby && !recovery;
}

task<result<observation>> local_server::state::answer(boot_time deadline) {
    auto rows = co_await statement_until(observe_sql(), deadline);
    if (!rows && sqlstate_of(rows.error()) == sqlstate_wrong_state)
        rows = co_await statement_until(observe_sql(), deadline);
    if (!rows) co_return std::move(rows).error();
    auto read = read_answer(*rows);
    if (!read) co_return std::move(read).error();
    config_file = read->config_file;
    auto& seen = read->seen;
    if (!seen.in_recovery) {
        seen.core.position = wal_position{seen.timeline, seen.wal_end};
        co_return std::move(seen);
    }
    remember(memory, read->standby);
    // The wait event may be younger than the replay position beside it: only a second look, after
    // the wait was seen, tells a position that is the end.
    const bool restarted = !seen.receive.valid() && !memory.end_reached;
    if (restarted && waits_for_wal(read->standby)) {
        const lsn before = seen.replay;
        rows = co_await statement_until(observe_sql(), deadline);
        if (!rows) co_return std::move(rows).error();
        auto again = read_answer(*rows);
        if (!again) co_return std::move(again).error();
        remember(memory, again->standby);
        const bool same = again->standby.startup == read->standby.startup;
        if (same && waits_for_wal(again->standby) && again->seen.replay == before)
            memory.end_reached = true;
        *read = std::move(*again);
    }
    co_return std::move(read->seen);
}

task<observation> local_server::state::look(duration limit) {
    const boot_time deadline = platform::boot_now() + limit;
    auto alive = find_postmaster(settings.data_directory);
    if (!alive) {
        observation seen;
        seen.core.reason = words_of(alive.error());
        co_return seen;
    }
    if (!alive->has_value()) co_return without_postmaster(settings.data_directory);
    const postmaster_life life{(*alive)->file.pid, (*alive)->start_ticks};
    arm_watch(life);

    auto answered = co_await answer(deadline);
    if (!answered) {
        observation seen;
        seen.postmaster = life.pid;
        judge_silence(answered.error(), (*alive)->file.status, seen);
        // It may have died while we waited for it.
        auto still = find_postmaster(settings.data_directory);
        if (still && !still->has_value()) co_return without_postmaster(settings.data_directory);
        co_return seen;
    }
    observation seen = std::move(*answered);
    seen.postmaster = life.pid;
    seen.core.streaming = seen.walreceiver != 0 && seen.walreceiver_status == "streaming";
    if (!seen.in_recovery) {
        promoting = {};
        seen.core.state = server_state::primary;
    } else {
        seen.promotion_under_way = promotion_signalled(life);
        seen.core.state = seen.promotion_under_way ? server_state::primary : server_state::standby;
        if (seen.promotion_under_way) seen.core.reason = "a promotion is under way";
        co_await locate(seen, deadline);
    }
    if (spare_ready != life) {
        if (co_await keep_spare_signal(until(deadline))) spare_ready = life;
    }
    co_return seen;
}

task<observation> local_server::observe(duration limit) {
    const auto held = state_;
    co_return co_await held->look(limit);
}

task<result<void>> local_server::state::raise_standby_signal(duration limit) {
    std::function<result<void>()> work = [directory = settings.data_directory] {
        return put_standby_signal(directory);
    };
    co_return co_await disk.run(std::move(work), limit);
}

task<result<void>> local_server::state::keep_spare_signal(duration limit) {
    std::function<result<void>()> work = [directory = settings.data_directory] {
        return put_spare_signal(directory);
    };
    co_return co_await disk.run(std::move(work), limit);
}

}  // namespace repld::postgres
