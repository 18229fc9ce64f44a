#include "server_host.hpp"

#include "net/spawn.hpp"
#include "platform/boottime.hpp"
#include "platform/files.hpp"
#include "postgres/conninfo.hpp"
#include "postgres/settings_file.hpp"

namespace repld {

namespace {

constexpr duration look_limit = std::chrono::seconds(2);
constexpr int looks_max = 3;
constexpr duration start_limit = std::chrono::seconds(60);
constexpr duration rejoin_limit = std::chrono::minutes(60);

server_task_done failed(const error& e) {
    return {0, false, e.detail.empty() ? e.message : e.message + ": " + e.detail, std::nullopt};
}

server_task_done outcome(const result<void>& r) {
    return r ? server_task_done{0, true, "", std::nullopt} : failed(r.error());
}

}  // namespace

struct server_host::running_task {
    explicit running_task(const asio::any_io_executor& executor)
        : finished(executor, asio::steady_timer::time_point::max()) {}
    asio::cancellation_signal cancel;
    asio::steady_timer finished;
    bool done = false;
};

server_host::server_host(asio::any_io_executor executor, postgres::server_settings settings,
                         std::string own_conninfo, server_host_context context)
    : executor_(executor),
      server_(executor, std::move(settings)),
      own_conninfo_(std::move(own_conninfo)),
      context_(std::move(context)),
      wake_(executor) {}

void server_host::start() {
    server_.watch([this] { postmaster_died(); });
    net::spawn(executor_, watch_loop());
}

void server_host::stop() {
    stopped_ = true;
    wake_.cancel();
    if (current_ && !current_->done) current_->cancel.emit(asio::cancellation_type::terminal);
}

void server_host::observe_soon() {
    quick_until_ = std::max(quick_until_, platform::boot_now() + std::chrono::milliseconds(500));
    wake_.cancel();
}

void server_host::postmaster_died() {
    if (stopped_) return;
    ++changes_;
    // Told before anything is looked at: the leader's clients wait from this moment on.
    server_observation seen;
    seen.state = server_state::orphaned;
    seen.reason = "the postmaster has died";
    last_.core = seen;
    last_.postmaster = 0;
    context_.feed(server_seen{seen});
    observe_soon();
}

task<postgres::observation> server_host::look() {
    // What was seen before a task began or ended, or before the postmaster died, must not pass for
    // what is true after it: it is thrown away and looked at again.
    postgres::observation seen;
    bool fresh = false;
    for (int tries = 0; tries < looks_max && !fresh; ++tries) {
        const std::uint64_t before = changes_;
        seen = co_await server_.observe(look_limit);
        fresh = before == changes_;
    }
    seen.core.upstream = context_.whose_server(seen.primary_conninfo);
    if (!fresh) co_return seen;
    last_ = seen;
    last_at_ = platform::boot_now();
    if (!stopped_) context_.feed(server_seen{seen.core});
    co_return seen;
}

task<void> server_host::watch_loop() {
    while (!stopped_) {
        co_await look();
        const bool quick = platform::boot_now() < quick_until_ ||
                           last_.core.state == server_state::starting ||
                           last_.core.state == server_state::orphaned;
        wake_.expires_after(quick ? std::chrono::milliseconds(40) : context_.interval());
        co_await wake_.async_wait(as_result);
    }
}

void server_host::run(std::uint64_t task, const server_task& what) {
    ++changes_;
    auto before = std::move(current_);
    if (before && !before->done) before->cancel.emit(asio::cancellation_type::terminal);
    current_ = std::make_shared<running_task>(executor_);
    auto own = current_;
    asio::co_spawn(executor_, carry_out(task, what, std::move(before), own),
                   asio::bind_cancellation_slot(
                       own->cancel.slot(), [this, own, task](std::exception_ptr failure) {
                           const bool replaced = current_ != own;
                           if (!own->done) ++changes_;
                           const bool unfinished = !own->done;
                           own->done = true;
                           own->finished.cancel();
                           if (!replaced) doing_.clear();
                           // A task that was replaced or ended with the daemon owes nothing; any
                           // other must have an outcome, or the core would wait for it for ever.
                           if (failure && unfinished && !replaced && !stopped_)
                               context_.feed(server_task_done{
                                   task, false, "an internal error ended it", std::nullopt});
                       }));
}

task<void> server_host::carry_out(std::uint64_t id, server_task what,
                                  std::shared_ptr<running_task> before,
                                  std::shared_ptr<running_task> own) {
    // A fence waits for nobody; other tasks start when the one before them has let go.
    if (before && !before->done && !std::holds_alternative<fence_server>(what)) {
        before->finished.expires_after(std::chrono::seconds(5));
        if (!before->done) co_await before->finished.async_wait(as_result);
    }
    // Named first: g++ 12 destroys the temporaries of a co_await inside std::visit twice.
    server_task_done done;
    if (const auto* freeze = std::get_if<freeze_server>(&what))
        done = co_await one(*freeze);
    else if (const auto* fence = std::get_if<fence_server>(&what))
        done = co_await one(*fence);
    else if (const auto* start = std::get_if<start_standby>(&what))
        done = co_await one(*start);
    else if (const auto* restart = std::get_if<restart_server>(&what))
        done = co_await one(*restart);
    else if (const auto* promote = std::get_if<promote_server>(&what))
        done = co_await one(*promote);
    else if (const auto* follow = std::get_if<follow_upstream>(&what))
        done = co_await one(*follow);
    else if (const auto* rejoin = std::get_if<rejoin_server>(&what))
        done = co_await one(*rejoin);
    ++changes_;
    own->done = true;
    own->finished.cancel();
    if (current_ == own) doing_.clear();
    done.task = id;
    if (!stopped_) context_.feed(std::move(done));
}

task<server_task_done> server_host::one(freeze_server) {
    if (last_.core.state == server_state::stopped) {
        // Nothing runs that could be asked: its file is changed, for whoever starts it.
        const std::filesystem::path directory = server_.settings().data_directory;
        std::error_code ec;
        if (!std::filesystem::exists(directory / "PG_VERSION", ec))
            co_return server_task_done{0, true, "", std::nullopt};
        std::function<result<void>()> empty = [directory] {
            return postgres::write_auto_settings(directory, {{"primary_conninfo", std::string()}});
        };
        const auto emptied = co_await server_.on_disk(std::move(empty), std::chrono::seconds(2));
        if (!emptied) co_return failed(emptied.error());
        // Somebody may have started it meanwhile, with the file as it was.
        const auto still = co_await server_.observe(look_limit);
        if (still.core.state == server_state::stopped)
            co_return server_task_done{0, true, "", std::nullopt};
        error why{errc::refused, "PostgreSQL was started meanwhile"};
        co_return failed(why);
    }
    const auto position = co_await server_.freeze(std::chrono::seconds(2));
    if (!position) co_return failed(position.error());
    co_return server_task_done{0, true, "", *position};
}

task<server_task_done> server_host::one(fence_server t) {
    doing_ = "fencing";
    co_return outcome(co_await server_.fence(t.deadline, t.why));
}

task<server_task_done> server_host::one(start_standby t) {
    doing_ = "starting";
    if (postgres::rewind_interrupted(context_.state_directory)) {
        // Half rewound: never started, only rewound again or cloned.
        if (t.upstream == 0) {
            error why{errc::refused,
                      "a rewind was interrupted and no leader is known to finish it from"};
            co_return failed(why);
        }
        doing_ = "rewinding";
        const auto finished = co_await rewind_or_clone(t.upstream, lsn{}, 0);
        if (!finished) co_return failed(finished.error());
        doing_ = "starting";
        co_return outcome(co_await start_from(t.upstream));
    }
    if (std::error_code ec; std::filesystem::exists(rewound_marker(), ec)) {
        if (t.upstream == 0) {
            error why{errc::refused,
                      "it was rewound and needs WAL of the leader, and no leader is known"};
            co_return failed(why);
        }
        co_return outcome(co_await start_from(t.upstream));
    }
    const auto started = co_await server_.start_as_standby(start_limit);
    if (started) co_await look();
    co_return outcome(started);
}

task<server_task_done> server_host::one(restart_server t) {
    doing_ = "restarting";
    const auto dead = co_await server_.fence(platform::boot_now(), "the postmaster died");
    if (!dead) co_return failed(dead.error());
    const auto started = co_await server_.start_as_primary(t.deadline - platform::boot_now());
    if (started) co_await look();
    co_return outcome(started);
}

task<server_task_done> server_host::one(promote_server t) {
    doing_ = "promoting";
    const timeline_id parent = last_.core.position ? last_.core.position->timeline : last_.timeline;
    const auto promoted = co_await server_.promote(t.timeline, t.deadline);
    if (!promoted) co_return failed(promoted.error());
    // pg_rewind of others needs a checkpoint on the new timeline; nobody waits for it here.
    net::spawn(executor_, [](server_host* host) -> task<void> {
        const auto done = co_await host->server_.checkpoint(std::chrono::minutes(10));
        if (!done && host->context_.log)
            host->context_.log->warning("could not write a checkpoint after the promotion: " +
                                        done.error().message);
    }(this));
    co_return server_task_done{0, true, "", wal_position{parent, promoted->fork}};
}

task<server_task_done> server_host::one(follow_upstream t) {
    const std::string conninfo = context_.upstream_conninfo(t.upstream);
    if (conninfo.empty()) {
        error why{errc::refused, "node " + std::to_string(t.upstream) + " is not a member"};
        co_return failed(why);
    }
    const auto done = co_await server_.follow(conninfo, postgres::slot_name(context_.self));
    quick_until_ = platform::boot_now() + std::chrono::seconds(3);
    co_return outcome(done);
}

task<server_task_done> server_host::one(rejoin_server t) {
    doing_ = "rewinding";
    const auto rejoined = co_await rewind_or_clone(t.upstream, t.fork, t.own.timeline);
    if (!rejoined) {
        // Still read-only for its clients, where the directory may be started at all.
        if (!postgres::rewind_interrupted(context_.state_directory)) {
            const auto seen = co_await look();
            if (seen.core.state == server_state::stopped) {
                const auto up = co_await server_.start_as_standby(start_limit);
                if (!up && context_.log) context_.log->warning(up.error().message);
            }
        }
        co_return failed(rejoined.error());
    }
    doing_ = "starting";
    const auto started = co_await start_from(t.upstream);
    if (!started) co_return failed(started.error());
    co_return server_task_done{0, true, *rejoined, std::nullopt};
}

// A rewound server is consistent only with WAL of its source; until it has been up once, it is not
// started without an upstream.
std::filesystem::path server_host::rewound_marker() const {
    return context_.state_directory / "rewound";
}

task<result<void>> server_host::start_from(node_id upstream) {
    // Named: g++ 12 destroys an unnamed aggregate twice in a co_await expression.
    postgres::upstream_target from{context_.upstream_conninfo(upstream),
                                   postgres::slot_name(context_.self)};
    const auto started = co_await server_.start_as_standby(start_limit, std::move(from));
    if (!started) co_return started;
    // It lets clients in, so it is consistent: from now on it can be started alone.
    if (auto gone = platform::remove_file_durably(rewound_marker()); !gone) co_return gone;
    co_await look();
    co_return started;
}

task<result<std::string>> server_host::rewind_or_clone(node_id upstream, lsn fork,
                                                       timeline_id own) {
    const std::string source = context_.upstream_conninfo(upstream);
    if (source.empty())
        co_return error{errc::refused, "node " + std::to_string(upstream) + " is not a member"};
    const rejoin_policy policy = context_.policy();
    const bool seen = last_.in_recovery && last_.server_version != 0;
    const bool rewindable = !seen || last_.wal_log_hints || last_.data_checksums;
    error why{errc::refused,
              "pg_rewind needs wal_log_hints = on or data checksums, and this server has neither",
              "",
              "Set \"rejoin\" to clone, or clone this node again, and switch wal_log_hints on for "
              "the next time."};
    if (rewindable) {
        if (auto marked = platform::write_file_durably(rewound_marker(), "", 0600); !marked)
            co_return marked.error();
        postgres::rewind_request request;
        request.source_conninfo = source;
        request.source_timeline = context_.last_timeline();
        request.own_timeline = own;
        request.fork = fork;
        request.aside_directory = context_.state_directory / "divergent";
        request.state_directory = context_.state_directory;
        request.limit = rejoin_limit;
        auto report = co_await postgres::rewind(server_, std::move(request));
        if (report) co_return report->text;
        why = report.error();
        // Refused before anything was changed: it can be started as it was.
        if (!postgres::rewind_interrupted(context_.state_directory))
            if (auto gone = platform::remove_file_durably(rewound_marker()); !gone)
                co_return gone.error();
    }
    if (policy != rejoin_policy::clone) co_return why;
    if (context_.log) context_.log->warning("cannot rewind, clones instead: " + why.message);
    doing_ = "cloning";
    const auto stopped = co_await server_.stop(postgres::stop_mode::fast, std::chrono::seconds(60));
    if (!stopped) co_return stopped.error();
    postgres::clone_options options;
    options.bin_directory = server_.settings().bin_directory;
    options.slot = postgres::slot_name(context_.self);
    options.keep_config_from = server_.settings().data_directory;
    options.own_conninfo = own_conninfo_;
    options.local_conninfo = server_.settings().local_conninfo.value_or("");
    options.limit = std::chrono::hours(24);
    const auto cloned =
        co_await postgres::clone(source, server_.settings().data_directory, std::move(options));
    if (!cloned) co_return cloned.error();
    if (auto cleared = postgres::clear_rewind_marker(context_.state_directory); !cleared)
        co_return cleared.error();
    if (auto gone = platform::remove_file_durably(rewound_marker()); !gone) co_return gone.error();
    co_return std::string("was cloned again from the primary (" + why.message + ")");
}

}  // namespace repld
