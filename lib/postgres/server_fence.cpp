// fence() and stop().
#include <csignal>

#include "platform/files.hpp"
#include "postgres/server_files.hpp"
#include "postgres/server_kept_wal.hpp"
#include "postgres/server_kill.hpp"
#include "postgres/server_state.hpp"
#include "process/runner.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

// Kept for the killing whatever the deadline: SIGKILL takes effect within milliseconds, and a fence
// that gives up has failed.
constexpr duration kill_time = 1s;

result<void> leave_as_standby(const std::filesystem::path& data_directory) {
    // A promotion under way removes the first standby.signal, and its own file would promote the
    // server when it starts next.
    auto put = put_standby_signal(data_directory);
    auto removed = platform::remove_file_durably(data_directory / "promote");
    return put ? removed : put;
}

}  // namespace

task<result<void>> local_server::fence(boot_time deadline, std::string why) {
    const auto held = state_;
    const auto& directory = held->settings.data_directory;
    held->note(note_level::warning, "fencing PostgreSQL: " + why);
    const boot_time begun = platform::boot_now();
    const duration time = until(deadline);

    // A disk that hangs must not hold the killing up: the file is written again after it.
    auto first = co_await held->raise_standby_signal(std::max<duration>(time / 10, 50ms));
    if (!first) held->note(note_level::warning, first.error().message);

    std::vector<server_process> noted;
    if (auto all = living_server_processes(directory)) noted = std::move(*all);
    auto alive = find_postmaster(directory);
    const bool orderly = alive && alive->has_value() && time > duration::zero();
    bool ended = false;
    if (orderly) {
        // A fast stop ends in a checkpoint, which would recycle the WAL before the fork that a
        // rewind of this server needs. The checkpointer reads the setting before it shuts down.
        // Without it (a full disk) the rewind may have to be a clone.
        std::function<result<void>()> keep = [directory] { return keep_wal(directory); };
        auto kept = co_await held->disk.run(std::move(keep), std::max<duration>(time / 10, 50ms));
        if (kept)
            static_cast<void>(signal_postmaster(held->executor, directory, SIGHUP).has_value());
        else
            held->note(note_level::warning, kept.error().message);
        static_cast<void>(signal_postmaster(held->executor, directory, SIGINT).has_value());
        ended = co_await wait_for_end(directory, begun + time * 2 / 5);
        if (!ended) {
            held->note(note_level::warning, "fast stop takes too long, stopping immediately");
            static_cast<void>(signal_postmaster(held->executor, directory, SIGQUIT).has_value());
            ended = co_await wait_for_end(directory, begun + time * 7 / 10);
        }
        if (!ended) held->note(note_level::warning, "immediate stop takes too long, killing");
    }
    auto killed = co_await kill_all(directory, std::move(noted), deadline + kill_time);
    std::function<result<void>()> last = [directory] { return leave_as_standby(directory); };
    auto left = co_await held->disk.run(std::move(last), kill_time);
    held->promoting = {};
    if (!killed) co_return killed;
    if (left) held->note(note_level::info, "PostgreSQL is fenced: nothing of it runs");
    co_return left;
}

task<result<void>> local_server::stop(stop_mode mode, duration limit) {
    const auto held = state_;
    const auto& directory = held->settings.data_directory;
    const boot_time deadline = platform::boot_now() + limit;
    const std::string& service = held->settings.service.stop;
    const bool by_service = mode == stop_mode::fast && !service.empty();
    if (by_service) {
        auto outcome = co_await process::run_shell(service, limit);
        auto done = process::require_success(std::move(outcome), "stop PostgreSQL");
        if (!done) co_return std::move(done).error();
    } else {
        const int signal = mode == stop_mode::fast ? SIGINT : SIGQUIT;
        auto sent = signal_postmaster(held->executor, directory, signal);
        if (!sent) co_return sent;
    }
    if (co_await wait_for_end(directory, deadline)) co_return result<void>{};
    co_return time_is_up("stop PostgreSQL", "It was told to stop and still runs.");
}

}  // namespace repld::postgres
