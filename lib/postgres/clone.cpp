#include "postgres/clone.hpp"

#include "platform/files.hpp"
#include "postgres/clone_config.hpp"
#include "postgres/clone_place.hpp"
#include "postgres/clone_progress.hpp"
#include "postgres/connection.hpp"
#include "postgres/controldata.hpp"
#include "postgres/rewind_source.hpp"
#include "postgres/server_files.hpp"
#include "postgres/server_kill.hpp"
#include "postgres/server_state.hpp"
#include "process/runner.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr duration ask_limit = 10s;
// Renames and small files; a disk that hangs ends it.
constexpr duration finish_limit = 10min;

struct source_facts {
    int major = 0;
    source_settings settings{};
};

task<result<source_facts>> ask_source(std::string conninfo_text) {
    const boot_time deadline = platform::boot_now() + ask_limit;
    auto opened = co_await connection::open(std::move(conninfo_text), ask_limit);
    if (!opened) co_return std::move(opened).error();
    auto rows = co_await (*opened)->query_simple(
        "SELECT current_setting('server_version_num') AS version, current_setting('port') AS port, "
        "current_setting('listen_addresses') AS listen, "
        "current_setting('unix_socket_directories') AS sockets, "
        "(SELECT string_agg(spcname, ', ') FROM pg_catalog.pg_tablespace "
        "WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces",
        until(deadline));
    if (!rows) co_return std::move(rows).error();
    if (const auto names = rows->at(0, "tablespaces")) {
        co_return error{errc::refused, "cannot clone a server with tablespaces of its own",
                        "The source has: " + *names + ".",
                        "Clone it with pg_basebackup and --tablespace-mapping by hand."};
    }
    source_facts facts;
    facts.major = static_cast<int>(rows->number(0, "version").value_or(0) / 10000);
    facts.settings = {rows->text(0, "port"), rows->text(0, "listen"), rows->text(0, "sockets")};
    co_return facts;
}

result<void> check_target(const fs::path& data_directory) {
    std::error_code failed;
    if (!fs::exists(data_directory, failed)) return {};
    auto living = living_server_processes(data_directory);
    if (!living) return std::move(living).error();
    if (living->empty()) return {};
    return error{errc::refused, "cannot clone while PostgreSQL runs",
                 "Process " + std::to_string(living->front().pid) + " works in \"" +
                     data_directory.string() + "\"."};
}

task<result<void>> run_base_backup(const clone_options& options, const program_conninfo& source,
                                   fs::path place, duration limit) {
    std::vector<std::string> words{(options.bin_directory / "pg_basebackup").string(),
                                   "-D",
                                   place.string(),
                                   "-d",
                                   source.text,
                                   "-X",
                                   "stream",
                                   "-c",
                                   "fast",
                                   "-P",
                                   "--no-password"};
    if (!options.slot.empty()) {
        words.push_back("-S");
        words.push_back(options.slot);
    }
    process::command what(std::move(words));
    what.extra_env = {{"LC_ALL", "C"}};
    if (!source.password.empty()) what.extra_env["PGPASSWORD"] = source.password;
    what.on_line = [&options](std::string_view line) {
        const auto progress = parse_progress(line);
        if (progress && options.on_progress)
            options.on_progress(progress->done, progress->total, "copying the data directory");
    };
    auto outcome = co_await process::run_command(std::move(what), limit);
    auto done = process::require_success(std::move(outcome), "copy the data directory");
    if (done) co_return result<void>{};
    error e = std::move(done).error();
    e.detail = redact_text(e.detail);
    co_return e;
}

// Everything that makes the copy this node's: its configuration and its role.
result<void> finish(const fs::path& place, const clone_options& options,
                    const source_settings& source) {
    std::error_code failed;
    for (const char* name : {"recovery.signal", "promote", "repld.wal_keep_size"}) {
        if (auto gone = platform::remove_file_durably(place / name); !gone) return gone;
    }
    if (auto dropped = drop_reservations(place); !dropped) return dropped;
    const bool keep = options.keep_config_from &&
                      fs::exists(*options.keep_config_from / "postgresql.auto.conf", failed);
    setting_changes changes{{"primary_conninfo", ""}, {"primary_slot_name", ""}};
    if (keep) {
        if (auto put = restore_local_files(*options.keep_config_from, place); !put) return put;
    } else if (fs::exists(place / "postgresql.conf", failed)) {
        auto own = conninfo::parse(options.own_conninfo);
        if (!own) return std::move(own).error();
        auto local = conninfo::parse(options.local_conninfo);
        if (!local) return std::move(local).error();
        changes = adapt_settings(source, *own, *local);
    }
    if (auto written = write_auto_settings(place, changes); !written) return written;
    return put_standby_signal(place);
}

result<void> saved_and_finished(const fs::path& data_directory, const clone_options& options,
                                const source_settings& source) {
    clone_options adjusted = options;
    const fs::path place = clone_place(data_directory);
    fs::path saved = place;
    saved += "-config";
    std::error_code failed;
    fs::remove_all(saved, failed);
    if (options.keep_config_from && fs::exists(*options.keep_config_from, failed)) {
        // Only the configuration: restoring takes a folder that holds nothing else.
        if (auto done = save_local_files(*options.keep_config_from, saved); !done) return done;
        adjusted.keep_config_from = saved;
    }
    auto done = finish(place, adjusted, source);
    fs::remove_all(saved, failed);
    if (!done) return done;
    auto old = put_clone_in_place(data_directory);
    if (!old) return std::move(old).error();
    return {};
}

}  // namespace

task<result<void>> clone(std::string source_conninfo, fs::path data_directory,
                         clone_options options) {
    const boot_time deadline = platform::boot_now() + options.limit;
    if (auto free = check_target(data_directory); !free) co_return free;
    auto source = for_program(source_conninfo);
    if (!source) co_return std::move(source).error();
    auto facts = co_await ask_source(source_conninfo);
    if (!facts) co_return std::move(facts).error();
    auto programs = co_await server_programs_version(options.bin_directory, ask_limit);
    if (!programs) co_return std::move(programs).error();
    if (*programs != facts->major) {
        co_return error{errc::refused, "cannot clone a server of another major version",
                        "The source is PostgreSQL " + std::to_string(facts->major) +
                            ", the programs here are " + std::to_string(*programs) + "."};
    }

    disk_worker disk;
    std::function<result<void>()> clear = [data_directory] {
        return clear_clone_place(data_directory);
    };
    auto cleared = co_await disk.run(clear, finish_limit);
    if (!cleared) co_return cleared;
    auto copied =
        co_await run_base_backup(options, *source, clone_place(data_directory), until(deadline));
    if (copied) {
        std::function<result<void>()> end = [data_directory, options, settings = facts->settings] {
            return saved_and_finished(data_directory, options, settings);
        };
        copied = co_await disk.run(std::move(end), finish_limit);
        if (copied) co_return copied;
    }
    // Half a clone is of no use to anybody; the first error is the one that counts.
    const auto tidied = co_await disk.run(std::move(clear), finish_limit);
    if (!tidied) {
        error e = std::move(copied).error();
        e.detail += " Half a clone is left: " + tidied.error().message + ".";
        co_return e;
    }
    co_return copied;
}

}  // namespace repld::postgres
