// The order of a rewind: everything that can refuse first, then what must not be lost is copied,
// then the marker, then pg_rewind, then everything is put back, and the marker goes last.
#include "postgres/rewind.hpp"

#include "platform/files.hpp"
#include "postgres/clone_config.hpp"
#include "postgres/controldata.hpp"
#include "postgres/rewind_fetch.hpp"
#include "postgres/rewind_fork.hpp"
#include "postgres/rewind_marker.hpp"
#include "postgres/rewind_run.hpp"
#include "postgres/rewind_source.hpp"
#include "postgres/rewind_wal.hpp"
#include "postgres/server_files.hpp"
#include "postgres/server_kill.hpp"
#include "postgres/server_state.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr duration program_limit = 30s;
constexpr duration count_limit = 60s;
// Whatever the caller's limit: what is half put back is worse than late.
constexpr duration put_back_limit = 5min;
// Segments of common WAL that are fetched from the source; more than that is a clone's work.
constexpr int fetched_max = 256;
constexpr std::size_t history_bytes_max = 1024 * 1024;

bool cleanly_stopped(const control_data& c) {
    return c.state == cluster_state_on_disk::shut_down ||
           c.state == cluster_state_on_disk::shut_down_in_recovery;
}

result<std::vector<timeline_switch>> own_history(const fs::path& data, timeline_id timeline) {
    if (timeline <= 1) return std::vector<timeline_switch>{};
    auto text = platform::read_file(data / "pg_wal" / history_name(timeline), history_bytes_max);
    if (!text) return std::move(text).error();
    return parse_history(*text, timeline);
}

// All that one rewind knows; on the heap of its coroutine, so that work on the disk may copy it.
struct plan {
    fs::path data{};
    fs::path bin{};
    rewind_request request{};
    boot_time deadline{};
    control_data control{};
    timeline_id own_timeline = 0;
    wal_fork fork{};  // timeline 0: not known
    fs::path aside{};
    bool resumed = false;  // the marker of an earlier attempt is there
};

// Stopped cleanly, with the control file read. Recovery after a crash is done by the server as a
// standby that keeps its WAL.
task<result<control_data>> stop_cleanly(local_server& server, const plan& p) {
    auto stopped = co_await server.stop(stop_mode::fast, until(p.deadline));
    if (!stopped) co_return std::move(stopped).error();
    auto control = co_await read_control_data(p.bin, p.data, program_limit);
    if (!control || cleanly_stopped(*control)) co_return control;
    if (p.resumed) {
        co_return error{errc::needs_person, "cannot rewind: an earlier rewind was interrupted",
                        std::string("The control file says \"") + to_string(control->state) + "\".",
                        "Clone this node."};
    }
    auto started = co_await server.start_as_standby(until(p.deadline));
    if (!started) co_return std::move(started).error();
    stopped = co_await server.stop(stop_mode::fast, until(p.deadline));
    if (!stopped) co_return std::move(stopped).error();
    control = co_await read_control_data(p.bin, p.data, program_limit);
    if (control && !cleanly_stopped(*control)) {
        co_return error{
            errc::refused, "cannot rewind: PostgreSQL does not stop cleanly",
            std::string("The control file says \"") + to_string(control->state) + "\"."};
    }
    co_return control;
}

result<void> check_hints(const control_data& control) {
    if (control.wal_log_hints || control.data_checksum_version != 0) return {};
    return error{errc::refused, "cannot rewind: neither wal_log_hints nor data checksums are on",
                 "Without one of them WAL does not tell every page that was changed.",
                 "Clone this node, and set wal_log_hints to on in the cluster, or enable data "
                 "checksums with pg_checksums."};
}

// The fork by both histories; by the request where the source's cannot be had.
task<result<void>> find_where(plan& p) {
    p.own_timeline = std::max(p.control.timeline, p.control.min_recovery_end_timeline);
    p.fork.segment_size = p.control.wal_segment_size;
    auto source_timeline = co_await wait_for_timeline(p.request.source_conninfo,
                                                      p.request.source_timeline, p.deadline);
    if (!source_timeline) co_return std::move(source_timeline).error();
    auto theirs = co_await read_history(p.request.source_conninfo, *source_timeline,
                                        std::min<duration>(until(p.deadline), 10s));
    auto ours = own_history(p.data, p.own_timeline);
    if (theirs && ours) {
        const auto found = find_fork(*ours, p.own_timeline, *theirs, *source_timeline);
        if (found) {
            p.fork.timeline = found->timeline;
            p.fork.fork = found->at;
        }
    } else if (p.request.fork.valid()) {
        p.fork.timeline = p.request.own_timeline != 0 ? p.request.own_timeline : p.own_timeline;
        p.fork.fork = p.request.fork;
    } else {
        co_return theirs ? std::move(ours).error() : std::move(theirs).error();
    }
    co_return result<void>{};
}

task<void> count_loss(const plan& p, rewind_report& report) {
    if (p.fork.timeline == 0) co_return;
    const boot_time deadline = std::min(p.deadline, platform::boot_now() + count_limit);
    lsn end = p.fork.fork;
    for (timeline_id t = p.fork.timeline; t <= p.own_timeline; ++t) {
        lsn begin = p.fork.fork;
        if (t != p.fork.timeline) {
            // Numbers in between that are not this server's own have no history file here.
            auto own = timeline_begin(p.data, t);
            if (!own || *own < p.fork.fork) continue;
            begin = *own;
        }
        auto counted = co_await count_wal(p.bin, p.data / "pg_wal", wal_position{t, begin},
                                          p.fork.segment_size, until(deadline));
        if (!counted) co_return;
        report.lost_transactions += counted->commits;
        end = std::max(end, counted->end);
    }
    report.lost_counted = true;
    report.lost_bytes = end.value - p.fork.fork.value;
}

fs::path folder_for(const plan& p) {
    std::string name =
        "timeline-" + std::to_string(p.fork.timeline) + "-from-" + to_string(p.fork.fork);
    for (char& c : name) c = c == '/' ? '-' : c;
    fs::path free = p.request.aside_directory / name;
    std::error_code failed;
    for (int n = 2; fs::exists(free, failed) && n < 10000; ++n)
        free = p.request.aside_directory / (name + "." + std::to_string(n));
    return free;
}

// Before anything is changed. In an attempt after an interrupted one the configuration in the data
// directory may be the source's: the saved one counts.
result<void> set_aside(const plan& p) {
    std::error_code failed;
    const fs::path config = rewind_config(p.request.state_directory);
    const bool saved = p.resumed && fs::exists(config, failed);
    if (!saved) {
        fs::remove_all(config, failed);
        if (auto done = save_local_files(p.data, config); !done) return done;
    }
    if (p.fork.timeline != 0) {
        auto copied = copy_divergent_wal(p.data, p.fork, p.aside);
        if (!copied) return std::move(copied).error();
        if (auto kept = keep_common_wal(p.data, p.fork); !kept) return kept;
    }
    auto marked = write_rewind_marker(p.request.state_directory,
                                      "rewind of \"" + p.data.string() +
                                          "\" has begun: rewind it again or clone it, never start "
                                          "it as it is\n");
    if (!marked) return marked;
    return set_logs_aside(p.data);
}

// A directory that pg_rewind left as it was keeps all its WAL, and needs no copy of it.
result<void> put_back(const plan& p, bool rewound) {
    if (auto put = put_standby_signal(p.data); !put) return put;
    if (auto back = bring_logs_back(p.data); !back) return back;
    const fs::path config = rewind_config(p.request.state_directory);
    if (auto restored = restore_local_files(config, p.data); !restored) return restored;
    if (p.fork.timeline != 0) {
        const fs::path divergent = rewound ? p.aside : fs::path();
        if (auto put = put_back_common_wal(p.data, p.fork, divergent); !put) return put;
    }
    std::error_code failed;
    if (!rewound && !p.aside.empty()) fs::remove_all(p.aside, failed);
    return clear_rewind_marker(p.request.state_directory);
}

// pg_rewind stops at the first segment that is missing before it has changed anything.
task<result<rewind_outcome>> run_with_all_wal(local_server& server, const plan& p,
                                              program_conninfo source) {
    for (int fetched = 0;; ++fetched) {
        auto ran = co_await run_pg_rewind(p.bin, p.data, source, until(p.deadline));
        if (!ran || ran->succeeded || ran->touched || fetched == fetched_max) co_return ran;
        const auto segment = missing_segment(ran->words, p.fork);
        if (!segment) co_return ran;
        auto got =
            co_await fetch_segment(server, p.request.source_conninfo, *segment, p.fork, p.deadline);
        if (!got) {
            ran->words +=
                "\nThe missing WAL could not be fetched from the source: " + got.error().message;
            co_return ran;
        }
    }
}

std::string describe_loss(const rewind_report& report, const plan& p) {
    if (report.method == "none") return "no rewind was required";
    std::string text =
        "rewound to " + to_string(p.fork.fork) + " on timeline " + std::to_string(p.fork.timeline);
    text += report.lost_counted
                ? ", losing " + std::to_string(report.lost_transactions) + " transactions in " +
                      std::to_string(report.lost_bytes) + " bytes of WAL"
                : ", losing an unknown number of transactions";
    if (!report.aside.empty()) text += "; the WAL is kept in \"" + report.aside.string() + "\"";
    return text;
}

}  // namespace

task<result<rewind_report>> rewind(local_server& server, rewind_request request) {
    plan p;
    p.data = server.settings().data_directory;
    p.bin = server.settings().bin_directory;
    p.deadline = platform::boot_now() + request.limit;
    p.request = std::move(request);
    p.resumed = rewind_interrupted(p.request.state_directory);
    auto source = for_program(p.request.source_conninfo);
    if (!source) co_return std::move(source).error();

    auto control = co_await stop_cleanly(server, p);
    if (!control) co_return std::move(control).error();
    p.control = *control;
    if (auto able = check_hints(p.control); !able) co_return std::move(able).error();
    if (auto found = co_await find_where(p); !found) co_return std::move(found).error();

    rewind_report report;
    co_await count_loss(p, report);
    if (p.fork.timeline != 0) p.aside = folder_for(p);
    std::function<result<void>()> before = [p] { return set_aside(p); };
    auto ready = co_await server.on_disk(std::move(before), until(p.deadline));
    if (!ready) co_return std::move(ready).error();

    auto ran = co_await run_with_all_wal(server, p, *source);
    const bool untouched = ran && !ran->touched && !p.resumed;
    if (!ran || (!ran->succeeded && !untouched)) {
        co_return error{errc::needs_person, "could not rewind the data directory",
                        ran ? ran->words : to_string(ran.error()),
                        "It is not consistent now: rewind it again, or clone it. Its "
                        "configuration is kept and will be put back."};
    }
    const bool rewound = ran->succeeded && ran->needed;
    std::function<result<void>()> after = [p, rewound] { return put_back(p, rewound); };
    auto done = co_await server.on_disk(std::move(after), put_back_limit);
    if (!done) co_return std::move(done).error();
    if (!ran->succeeded) {
        co_return error{errc::refused, "cannot rewind the data directory", ran->words,
                        "Nothing was changed. Clone this node if that cannot be mended."};
    }
    report.method = ran->needed ? "pg_rewind" : "none";
    if (!ran->needed) report.lost_transactions = report.lost_bytes = 0;
    std::error_code failed;
    if (!p.aside.empty() && fs::exists(p.aside, failed)) report.aside = p.aside;
    report.text = describe_loss(report, p);
    co_return report;
}

}  // namespace repld::postgres
