// The PostgreSQL server of this host: looked at, frozen, fenced, started, promoted, pointed at
// others. One object per daemon, one io_context thread; it keeps one SQL connection open.
//
// Every operation takes a limit or a deadline and returns by it (plus the time of one system call).
// Operations may run side by side: statements take turns on the connection. fence() needs no
// connection and waits for nobody; the caller ends (cancels) other operations before it, since
// what they do to the server would only be undone. The object must outlive its operations.
//
// Must run as the operating system user that owns the data directory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "postgres/server_types.hpp"

namespace repld::postgres {

// The slot that an upstream keeps for a node: "repld_<id>".
[[nodiscard]] std::string slot_name(node_id id);

class local_server {
public:
    local_server(asio::any_io_executor executor, server_settings settings);
    ~local_server();
    local_server(const local_server&) = delete;
    local_server& operator=(const local_server&) = delete;

    [[nodiscard]] const server_settings& settings() const noexcept;

    // Never fails: what could not be found out is state `unknown` with a reason. One round trip on
    // a standby or primary in quiet times. Re-arms watch() when it meets a new postmaster.
    // `stopped` means certainly dead: no postmaster and no process of the data directory.
    [[nodiscard]] task<observation> observe(duration limit);

    // `on_death` is called on the event loop within milliseconds of the death of the postmaster
    // that observe() saw last. Backends may still live: observe() tells. Replaces an earlier call.
    void watch(std::function<void()> on_death);

    // R14: primary_conninfo emptied durably, walreceiver gone (seen twice), then the position.
    // Errors: refused (not in recovery; position unknown, and why), timed_out, unreachable,
    // postgres, io. After an error the setting may be empty already; calling again goes on.
    [[nodiscard]] task<result<wal_position>> freeze(duration limit);

    // DESIGN 5.3: standby.signal on disk, then nothing of the server left alive: fast stop for the
    // first 40 % of the time, immediate until 70 %, then SIGKILL until two looks find nobody.
    // Success: certainly nothing runs and standby.signal is there. Also right when it is dead
    // already. Errors: timed_out, io. Goes on killing for one second past the deadline.
    [[nodiscard]] task<result<void>> fence(boot_time deadline, std::string why);

    // A planned stop. By the service command where there is one, else by signal. Errors: timed_out
    // (the server was told and may still stop), io.
    [[nodiscard]] task<result<void>> stop(stop_mode mode, duration limit);

    // Up as a standby, with no upstream unless one is given: a server that was rewound is not
    // consistent, and lets nobody in, before it has what its source wrote meanwhile. Keeps the WAL
    // that a later rewind needs until follow().
    // Precondition: stopped; refused otherwise. Returns when it accepts connections. `limit` counts
    // from the last sign of progress of recovery. Errors: refused, timed_out, io (it did not start:
    // the detail quotes its log).
    [[nodiscard]] task<result<void>> start_as_standby(duration limit);
    [[nodiscard]] task<result<void>> start_as_standby(duration limit, upstream_target upstream);

    // Up again as the primary it was, on the timeline it has: only under a lease that goes on.
    // Precondition and errors as start_as_standby().
    [[nodiscard]] task<result<void>> start_as_primary(duration limit);

    // R26: writable on exactly this timeline. Errors: refused (not a standby, or its timeline is
    // not below), timed_out (it may still happen: fence it), postgres, io, needs_person (it took
    // another timeline).
    [[nodiscard]] task<result<promotion>> promote(timeline_id timeline, boot_time deadline);

    // On a connection of its own, which it closes.
    [[nodiscard]] task<result<void>> checkpoint(duration limit);

    // Points a standby at `conninfo` (its application_name and passfile included) through `slot`
    // ("": none) by one reload; nothing is done when it is so already. Gives back the WAL that
    // start_as_standby() kept. Errors: refused (not in recovery), postgres, timed_out, unreachable.
    [[nodiscard]] task<result<void>> follow(std::string conninfo, std::string slot);

    // Physical slots of exactly these names among those that begin with "repld_": creates the
    // missing (WAL reserved), drops the others unless active. On a standby each slot is advanced to
    // the position given for it, never beyond its own replay. The first error is returned, after
    // the rest has been tried.
    [[nodiscard]] task<result<void>> ensure_slots(std::vector<std::string> names,
                                                  std::map<std::string, lsn> advance_to);

    // One statement on the kept connection; for callers that need what is not covered above.
    [[nodiscard]] task<result<std::string>> query_value(std::string sql, duration limit);

    // Work on the data directory that may block, done off the event loop. It must own what it uses
    // and not throw; it goes on when the limit passes. Errors: its own; timed_out.
    [[nodiscard]] task<result<void>> on_disk(std::function<result<void>()> work, duration limit);

private:
    struct state;
    // Shared with the watcher of the postmaster's death, which outlives a destructor call.
    std::shared_ptr<state> state_;
};

}  // namespace repld::postgres
