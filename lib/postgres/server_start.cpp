// start_as_standby(): up, read-only, with no upstream.
#include <algorithm>
#include <array>
#include <fstream>

#include <unistd.h>

#include "platform/files.hpp"
#include "postgres/server_files.hpp"
#include "postgres/server_kept_wal.hpp"
#include "postgres/server_kill.hpp"
#include "postgres/server_state.hpp"
#include "postgres/server_title.hpp"
#include "postgres/settings_file.hpp"
#include "process/proc_table.hpp"
#include "process/runner.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Between the return of pg_ctl, or of the service command, and the first sign of a postmaster.
constexpr duration appears_within = 5s;
constexpr duration look_again = 5ms;
constexpr duration look_at_progress = 200ms;
constexpr std::size_t log_lines_shown = 12;
constexpr std::size_t log_bytes_read = 8192;

result<void> prepare(const fs::path& data_directory, const upstream_target& upstream) {
    // All of these files decide what the server becomes; standby.signal comes first, so that a
    // crash in between leaves a server that starts as a standby.
    if (auto put = put_standby_signal(data_directory); !put) return put;
    if (auto gone = platform::remove_file_durably(data_directory / "promote"); !gone) return gone;
    if (auto gone = drop_reservations(data_directory); !gone) return gone;
    if (auto kept = keep_wal(data_directory); !kept) return kept;
    if (auto gone = drop_stale_pid_file(data_directory); !gone) return gone;
    return write_auto_settings(data_directory, {{"primary_conninfo", upstream.conninfo},
                                                {"primary_slot_name", upstream.slot}});
}

// The arguments of the last start, quoted for a shell as the server wrote them: a configuration
// file elsewhere (Debian) or a port given there must stay.
std::string earlier_arguments(const fs::path& data_directory) {
    auto text = platform::read_file(data_directory / "postmaster.opts", 64 * 1024);
    if (!text) return {};
    const auto first = text->find(" \"");
    if (first == std::string::npos) return {};
    std::string arguments = text->substr(first + 1);
    while (!arguments.empty() && (arguments.back() == '\n' || arguments.back() == '\r'))
        arguments.pop_back();
    return arguments;
}

fs::path log_file_of(const server_settings& settings) {
    if (!settings.log_file.empty()) return settings.log_file;
    fs::path beside = settings.data_directory;
    if (!beside.has_filename()) beside = beside.parent_path();
    beside += ".log";
    if (::access(beside.c_str(), W_OK) == 0 ||
        (::access(beside.c_str(), F_OK) != 0 && ::access(beside.parent_path().c_str(), W_OK) == 0))
        return beside;
    return settings.data_directory / "repld-start.log";
}

// Where the server writes now: the collector's file, else ours.
std::string log_tail(const server_settings& settings) {
    fs::path path = log_file_of(settings);
    if (auto text = platform::read_file(settings.data_directory / "current_logfiles", 4096)) {
        if (const auto at = text->find("stderr "); at != std::string::npos) {
            const auto begin = at + 7;
            fs::path collected = text->substr(begin, text->find('\n', begin) - begin);
            if (collected.is_relative()) collected = settings.data_directory / collected;
            std::error_code failed;
            const auto ours = fs::last_write_time(path, failed);
            const bool no_ours = static_cast<bool>(failed);
            const auto theirs = fs::last_write_time(collected, failed);
            if (!failed && (no_ours || theirs >= ours)) path = collected;
        }
    }
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return {};
    const auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, file.tellg()));
    const std::size_t from = size > log_bytes_read ? size - log_bytes_read : 0;
    file.seekg(static_cast<std::streamoff>(from));
    std::string text(size - from, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    std::size_t at = text.size();
    for (std::size_t lines = 0; lines < log_lines_shown && at != std::string::npos && at > 0;
         ++lines)
        at = text.rfind('\n', at - 1);
    return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

error did_not_start(const server_settings& settings, std::string what) {
    error e{errc::io, "could not start PostgreSQL as a standby", std::move(what)};
    const std::string tail = log_tail(settings);
    if (!tail.empty()) e.detail += " Its log ends with:\n" + tail;
    return e;
}

// What changes while recovery gets on: the segment in the startup process's title.
std::string recovery_title(pid_t postmaster) {
    const auto children = process::children_of(postmaster);
    if (!children) return {};
    for (const auto& child : *children) {
        const auto words = process::command_line(child.pid);
        if (!words.empty() && is_startup_title(words.front())) return words.front();
    }
    return {};
}

task<result<void>> run_start(const server_settings& settings, duration limit) {
    result<process::command_outcome> outcome = process::command_outcome{};
    if (!settings.service.start.empty()) {
        outcome = co_await process::run_shell(settings.service.start, limit);
    } else {
        std::vector<std::string> words{(settings.bin_directory / "pg_ctl").string(),
                                       "start",
                                       "-W",
                                       "-s",
                                       "-D",
                                       settings.data_directory.string(),
                                       "-l",
                                       log_file_of(settings).string()};
        const std::string arguments = earlier_arguments(settings.data_directory);
        if (!arguments.empty()) {
            words.push_back("-o");
            words.push_back(arguments);
        }
        outcome = co_await process::run_command(process::command(std::move(words)), limit);
    }
    auto done = process::require_success(std::move(outcome), "start PostgreSQL as a standby");
    if (!done) co_return std::move(done).error();
    co_return result<void>{};
}

}  // namespace

task<result<void>> local_server::state::wait_until_up(duration limit) {
    boot_time deadline = platform::boot_now() + limit;
    const boot_time appears = platform::boot_now() + std::min(limit, appears_within);
    boot_time next_title = platform::boot_now() + look_at_progress;
    std::string title;
    bool seen_alive = false;
    for (;;) {
        auto alive = find_postmaster(settings.data_directory);
        if (!alive) co_return std::move(alive).error();
        if (alive->has_value()) {
            seen_alive = true;
            const auto status = (*alive)->file.status;
            if (status == postmaster_status::standby) {
                co_return error{errc::refused, "PostgreSQL does not accept connections",
                                "It is in recovery and hot_standby is off.",
                                "Set hot_standby to on."};
            }
            if (status == postmaster_status::ready) {
                auto rows = co_await statement("SELECT pg_is_in_recovery()", until(deadline));
                if (rows) co_return result<void>{};
            }
            if (passed(next_title)) {
                next_title = platform::boot_now() + look_at_progress;
                std::string now = recovery_title((*alive)->file.pid);
                if (!now.empty() && now != title) {
                    title = std::move(now);
                    deadline = platform::boot_now() + limit;
                }
            }
        } else if (seen_alive || passed(appears)) {
            co_return did_not_start(
                settings, seen_alive ? "The postmaster ended." : "No postmaster appeared.");
        }
        if (passed(deadline)) {
            co_return time_is_up("start PostgreSQL as a standby",
                                 title.empty() ? "" : "Recovery stands at \"" + title + "\".");
        }
        co_await pause_for(look_again);
    }
}

task<result<void>> local_server::state::start(std::function<result<void>()> prepare_files,
                                              duration limit) {
    auto living = living_server_processes(settings.data_directory);
    if (!living) co_return std::move(living).error();
    if (!living->empty()) {
        co_return error{errc::refused, "cannot start PostgreSQL while it runs",
                        "Process " + std::to_string(living->front().pid) + " works in \"" +
                            settings.data_directory.string() + "\"."};
    }
    auto prepared = co_await disk.run(std::move(prepare_files), limit);
    if (!prepared) co_return prepared;
    promoting = {};
    auto started = co_await run_start(settings, limit);
    if (!started) {
        error e = started.error();
        if (e.code == errc::io) e = did_not_start(settings, e.detail);
        co_return e;
    }
    co_return co_await wait_until_up(limit);
}

task<result<void>> local_server::start_as_standby(duration limit, upstream_target upstream) {
    const auto held = state_;
    std::function<result<void>()> work = [directory = held->settings.data_directory,
                                          upstream = std::move(upstream)] {
        return prepare(directory, upstream);
    };
    co_return co_await held->start(std::move(work), limit);
}

// Not a default argument: g++ 12 destroys an unnamed aggregate of a co_await expression twice.
task<result<void>> local_server::start_as_standby(duration limit) {
    upstream_target nobody;
    co_return co_await start_as_standby(limit, std::move(nobody));
}

task<result<void>> local_server::start_as_primary(duration limit) {
    const auto held = state_;
    std::function<result<void>()> work = [directory = held->settings.data_directory] {
        return platform::remove_file_durably(directory / "standby.signal");
    };
    co_return co_await held->start(std::move(work), limit);
}

}  // namespace repld::postgres
