// R14: no WAL comes in any more, and it stays so.
#include <csignal>

#include "postgres/server_state.hpp"
#include "postgres/server_title.hpp"
#include "postgres/settings_file.hpp"
#include "process/proc_table.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

// A walreceiver that waits for a paused or delayed replay does not see the setting: it stays and
// goes on acknowledging.
constexpr duration patience = 20ms;
constexpr duration look_again = 1ms;
constexpr duration settle = 4ms;
constexpr duration signal_again = 50ms;

struct living_process {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
};

// By /proc and not by the view: the view hides a walreceiver that is starting or ending.
result<std::optional<living_process>> find_walreceiver(pid_t postmaster) {
    auto children = process::children_of(postmaster);
    if (!children) return std::move(children).error();
    for (const auto& child : *children) {
        if (child.state != process::process_state::alive) continue;
        const auto words = process::command_line(child.pid);
        if (!words.empty() && is_walreceiver_title(words.front()))
            return std::optional(living_process{child.pid, child.start_ticks});
    }
    return std::optional<living_process>();
}

// Its number was read from the list of the postmaster's children; the handle and the start time
// make sure that the signal reaches that very process.
void ask_to_end(const asio::any_io_executor& executor, const living_process& walreceiver) {
    auto handle = process::process_watch::open(executor, walreceiver.pid, walreceiver.start_ticks);
    if (!handle) return;
    if (auto sent = handle->send(SIGTERM); !sent) return;  // gone meanwhile: the loop looks again
}

task<result<void>> wait_until_gone(asio::any_io_executor executor, pid_t postmaster,
                                   boot_time deadline) {
    const boot_time begun = platform::boot_now();
    boot_time signal_at = begun + patience;
    int absent = 0;
    for (;;) {
        auto walreceiver = find_walreceiver(postmaster);
        if (!walreceiver) co_return std::move(walreceiver).error();
        if (!walreceiver->has_value()) {
            // Twice, and some milliseconds apart: between two walreceivers there is a moment with
            // none, and the startup process learns of the reload a moment after the postmaster.
            if (++absent == 2) co_return result<void>{};
            co_await pause_for(settle);
        } else {
            absent = 0;
            if (platform::boot_now() >= signal_at) {
                ask_to_end(executor, **walreceiver);
                signal_at = platform::boot_now() + signal_again;
            }
        }
        if (passed(deadline)) {
            co_return time_is_up("freeze the standby",
                                 walreceiver->has_value()
                                     ? "The walreceiver (process " +
                                           std::to_string((*walreceiver)->pid) + ") does not end."
                                     : "");
        }
        co_await pause_for(look_again);
    }
}

error not_a_standby(const observation& seen) {
    error e{errc::refused, "cannot freeze PostgreSQL, which is no standby"};
    if (!seen.core.reason.empty()) e.detail = "State: " + seen.core.reason + ".";
    return e;
}

}  // namespace

task<result<wal_position>> local_server::freeze(duration limit) {
    const auto held = state_;
    const boot_time deadline = platform::boot_now() + limit;
    observation seen = co_await held->look(limit);
    if (seen.core.state != server_state::standby) {
        if (passed(deadline)) co_return time_is_up("freeze the standby", seen.core.reason);
        co_return not_a_standby(seen);
    }

    // A statement of ours that ran out of time goes on in its backend, and could set it again
    // later.
    for (;;) {
        auto abandoned = co_await held->statement_until(
            "SELECT count(pg_terminate_backend(pid)) AS number FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND state = 'active'"
            " AND query LIKE 'ALTER SYSTEM SET primary_conninfo%'",
            deadline);
        if (!abandoned) co_return std::move(abandoned).error();
        if (abandoned->number(0, "number") == 0) break;
        if (passed(deadline))
            co_return time_is_up("freeze the standby", "An earlier ALTER SYSTEM does not end.");
        co_await pause_for(look_again);
    }

    // The file tells what is durable; a session's own copy of the setting may be behind it.
    auto stored = read_auto_setting(held->settings.data_directory, "primary_conninfo");
    if (!stored) co_return std::move(stored).error();
    const bool emptied = stored->has_value() && (*stored)->empty();
    if (!emptied) {
        auto altered =
            co_await held->statement_until("ALTER SYSTEM SET primary_conninfo = ''", deadline);
        if (!altered) co_return std::move(altered).error();
    }
    if (!emptied || !seen.primary_conninfo.empty() || seen.walreceiver != 0) {
        auto reloaded = co_await held->statement_until("SELECT pg_reload_conf()", deadline);
        if (!reloaded) co_return std::move(reloaded).error();
    }
    auto gone = co_await wait_until_gone(held->executor, seen.postmaster, deadline);
    if (!gone) co_return std::move(gone).error();

    // Read after the end of the walreceiver, which flushes what it has when it ends. A position
    // that is not known yet becomes so when replay or the scan reaches the end.
    for (;;) {
        seen = co_await held->look(std::max<duration>(until(deadline), 1ms));
        if (seen.core.state != server_state::standby) co_return not_a_standby(seen);
        if (seen.walreceiver != 0) {
            gone = co_await wait_until_gone(held->executor, seen.postmaster, deadline);
            if (!gone) co_return std::move(gone).error();
            continue;
        }
        if (seen.core.position) co_return *seen.core.position;
        if (passed(deadline) || until(deadline) < 5ms) break;
        co_await pause_for(5ms);
    }
    co_return error{errc::refused, "cannot tell how far the WAL of this standby goes",
                    "It is frozen, but " + seen.core.position_unknown + "."};
}

}  // namespace repld::postgres
