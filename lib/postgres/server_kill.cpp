#include "postgres/server_kill.hpp"

#include <csignal>
#include <string>

#include "platform/files.hpp"
#include "postgres/server_state.hpp"
#include "process/proc_table.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

constexpr duration between_looks = 2ms;

bool lives(const server_process& p) {
    const auto now = process::look_up(p.pid);
    return now && now->state == process::process_state::alive && now->start_ticks == p.start_ticks;
}

}  // namespace

result<std::vector<server_process>> living_server_processes(
    const std::filesystem::path& data_directory) {
    auto all = all_server_processes(data_directory);
    if (!all) return all;
    // A DBA's shell that stands in the folder cannot write to the database.
    std::erase_if(*all, [](const server_process& p) { return !p.server_program; });
    return all;
}

result<void> signal_postmaster(const asio::any_io_executor& executor,
                               const std::filesystem::path& data_directory, int signal) {
    auto alive = find_postmaster(data_directory);
    if (!alive) return std::move(alive).error();
    if (!alive->has_value()) return {};
    auto handle = process::process_watch::open(executor, (*alive)->file.pid, (*alive)->start_ticks);
    if (!handle) {
        if (handle.error().code == errc::unreachable) return {};
        return std::move(handle).error();
    }
    auto sent = handle->send(signal);
    if (!sent && sent.error().code != errc::unreachable) return sent;
    return {};
}

task<bool> wait_for_end(std::filesystem::path data_directory, boot_time moment) {
    for (;;) {
        // The postmaster ends last; the look for backends costs more and is made after that.
        auto alive = find_postmaster(data_directory);
        if (alive && !alive->has_value()) {
            const auto left = living_server_processes(data_directory);
            if (left && left->empty()) co_return true;
        }
        if (passed(moment)) co_return false;
        co_await pause_for(between_looks);
    }
}

task<result<void>> kill_all(std::filesystem::path data_directory, std::vector<server_process> noted,
                            boot_time deadline) {
    const auto executor = co_await asio::this_coro::executor;
    int empty_looks = 0;
    for (;;) {
        auto living = living_server_processes(data_directory);
        // Without a list of them the noted ones can still be killed.
        std::vector<server_process> targets = living ? *living : std::vector<server_process>{};
        for (const auto& p : noted) {
            if (lives(p)) targets.push_back(p);
        }
        for (const auto& p : targets) {
            auto handle = process::process_watch::open(executor, p.pid, p.start_ticks);
            if (handle) static_cast<void>(handle->send(SIGKILL).has_value());
        }
        empty_looks = living && targets.empty() ? empty_looks + 1 : 0;
        if (empty_looks == 2) co_return result<void>{};
        if (passed(deadline)) {
            if (!living) co_return std::move(living).error();
            error e = time_is_up("end all processes of PostgreSQL");
            if (!targets.empty()) {
                e.detail = "Process " + std::to_string(targets.front().pid) + " (" +
                           targets.front().comm + ") and " + std::to_string(targets.size() - 1) +
                           " others live.";
            }
            co_return e;
        }
        co_await pause_for(between_looks);
    }
}

result<void> drop_stale_pid_file(const std::filesystem::path& data_directory) {
    const auto path = data_directory / "postmaster.pid";
    auto text = platform::read_file(path, 64 * 1024);
    if (!text) return text.error().code == errc::refused ? result<void>() : text.error();
    const auto file = parse_postmaster_file(*text);
    if (!file) return {};
    const auto process = process::look_up(file->pid);
    if (!process || process->state != process::process_state::zombie) return {};
    const auto living = living_server_processes(data_directory);
    if (!living || !living->empty()) return {};
    // The socket's own lock file names the same process; the first line is its number.
    if (!file->socket_directory.empty() && file->port != 0) {
        auto lock = file->socket_directory / (".s.PGSQL." + std::to_string(file->port) + ".lock");
        if (lock.is_relative()) lock = data_directory / lock;
        const auto owner = platform::read_file(lock, 64 * 1024);
        if (owner && owner->starts_with(std::to_string(file->pid) + "\n")) {
            if (auto gone = platform::remove_file_durably(lock); !gone) return gone;
        }
    }
    return platform::remove_file_durably(path);
}

}  // namespace repld::postgres
