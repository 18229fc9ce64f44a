// A cluster in memory: several nodes, each with its own clock, disk and modelled PostgreSQL, and a
// network between them. Time is virtual and events run in one order, so that a story ends the same
// way every time. After every event P1 is checked: no two valid leases, no two writable servers, no
// timeline written by two servers, no committed value replaced by another of the same version.
//
// True time is `now()`; what a node sees is its own clock, which starts elsewhere on each host.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/node.hpp"

namespace repld::test {

using namespace std::chrono_literals;

// Turns one rule off for as long as it lives.
class rule_off {
public:
    explicit rule_off(rule r) : before_(rules_off) { rules_off.set(static_cast<std::size_t>(r)); }
    ~rule_off() { rules_off = before_; }
    rule_off(const rule_off&) = delete;
    rule_off& operator=(const rule_off&) = delete;

private:
    rule_set before_;
};

// A rule holds when `violated` does not come about with it, and is needed when it does without it.
bool holds_and_is_needed(rule r, const std::function<bool()>& violated);

// The checks of the world found nothing; the story is told otherwise.
#define CHECK_SAFE(w)                  \
    do {                               \
        INFO((w).tell());              \
        CHECK((w).violations.empty()); \
    } while (false)

struct world_options {
    unsigned data = 3;       // ids 1..data; node 1 runs a primary at first
    unsigned witnesses = 0;  // the ids after them
    cluster_settings settings{};
    std::uint64_t seed = 1;
};

struct task_times {
    duration freeze = 15ms;
    duration fence = 80ms;  // cut short at the deadline of the task, as by an immediate stop
    duration start = 200ms;
    duration restart = 300ms;
    duration promote = 100ms;
    duration follow = 30ms;
    duration rejoin = 1s;
};

// PostgreSQL as far as the core can tell: where its WAL goes, and who writes it.
struct modelled_server {
    enum class condition { stopped, starting, standby, promoting, primary };
    struct branch {
        timeline_id timeline = 0;
        lsn begin{};
        bool operator==(const branch&) const = default;
    };
    condition is = condition::stopped;
    std::vector<branch> history;  // the last one is written or received now
    lsn end{};
    node_id upstream = 0;
    bool streaming = false;
    bool fails_to_start = false;
    bool fails_to_promote = false;
    [[nodiscard]] wal_position position() const { return {history.back().timeline, end}; }
};

struct host {
    node_config config;
    durable_state disk;  // what a crash leaves
    std::unique_ptr<node> daemon;
    modelled_server server;
    task_times times{};
    duration disk_delay = 2ms;
    bool disk_broken = false;
    duration observe_interval = 500ms;
    // clock
    double rate = 1.0;
    boot_time boot_base{};
    duration base_at{};
    duration wall_offset{};
    bool suspended = false;
    std::vector<event> backlog;  // arrived while suspended
    // What is scheduled for an earlier instance never happens.
    std::uint64_t instance = 0;
    std::uint64_t server_instance = 0;
    std::uint64_t tick_number = 0;
    std::uint64_t task = 0;
    unsigned restarts = 0;
};

struct told {
    duration at{};
    node_id by = 0;
    note what;
};

class world {
public:
    explicit world(world_options options = {});

    // --- time
    [[nodiscard]] duration now() const { return now_; }
    void run_for(duration d);
    // False when `done` is not true within `limit`.
    bool run_until(const std::function<bool()>& done, duration limit = 30s);

    // --- the cluster
    void create(node_id id = 1);
    void join(node_id id);       // a clone of the leader that follows it
    void create_and_join_all();  // and waits until all that should vote do, and all stream
    std::uint64_t ask(node_id id, decltype(operator_request::what) what);
    [[nodiscard]] const result<void>* answer(std::uint64_t request) const;
    bool set(const std::string& key, const std::string& value);  // through the leader, committed

    // --- faults
    void cut(node_id a, node_id b);
    void cut(node_id a);  // from everybody
    void cut_one_way(node_id from, node_id to);
    void heal();
    void crash_postmaster(node_id id);
    void promote_by_hand(node_id id);  // somebody types pg_promote
    void stop_daemon(node_id id);      // killed; PostgreSQL lives on
    void start_daemon(node_id id);
    void restart_daemon(node_id id);
    void power_off(node_id id);
    void power_on(node_id id);  // PostgreSQL is not started by the machine
    void suspend(node_id id);   // the machine: its BOOTTIME stands still, its wall clock does not
    void resume(node_id id);
    void set_rate(node_id id, double rate);
    // What becomes of a message: how long it takes, or nothing when it is lost. Cuts go before it.
    std::function<std::optional<duration>(node_id from, node_id to, const message& m)> route;
    std::uint64_t write_bytes = 1000;  // by every writable server in every 5 ms

    // --- what to expect
    [[nodiscard]] host& at(node_id id) { return hosts_.at(id); }
    [[nodiscard]] const host& at(node_id id) const { return hosts_.at(id); }
    [[nodiscard]] boot_time clock(node_id id) const;
    [[nodiscard]] std::vector<node_id> writable() const;
    // Whose server is writable under a lease that it knows to hold; 0: nobody's.
    [[nodiscard]] node_id leader() const;
    [[nodiscard]] bool streams_from(node_id id, node_id upstream) const;
    [[nodiscard]] bool all_stream() const;   // every data node but the leader, from the leader
    [[nodiscard]] voter_set voters() const;  // of the leader's newest value
    [[nodiscard]] const cluster_state& value(node_id id) const { return *at(id).daemon->state(); }
    [[nodiscard]] unsigned count_said(const std::string& name, node_id by = 0) const;
    [[nodiscard]] std::vector<node_id> ids() const;
    [[nodiscard]] member member_of(node_id id) const;
    std::vector<std::string> violations;
    std::vector<told> story;
    std::vector<std::pair<node_id, server_task>> tasks;  // given, in order
    std::string tell() const;                            // the story as text, for a failing check

private:
    void schedule(duration at, std::function<void()> what);
    void feed(node_id id, const event& e);
    void perform(host& h, std::vector<action> actions);
    void write(host& h, const persist& p);
    void deliver(node_id from, const send& s);
    void tick_later(host& h);
    void observe(host& h, duration after);
    void observe_regularly(node_id id, std::uint64_t instance);
    [[nodiscard]] bool linked(node_id from, node_id to) const;
    void check();
    void check_committed(const durable_state& written);
    // world_server.cpp
    void carry_out(host& h, const run_server_task& t);
    void finish(host& h, std::uint64_t task, const server_task& what);
    void end_promotion(host& h, timeline_id timeline, server_task_done& done);
    void end_rejoin(host& h, const rejoin_server& what, server_task_done& done);
    [[nodiscard]] duration time_of(const host& h, const server_task& what) const;
    [[nodiscard]] server_observation look(const host& h) const;
    void pulse();  // every 5 ms: writes and streaming
    [[nodiscard]] bool can_stream(const host& h) const;

    world_options options_;
    duration now_{};
    std::multimap<duration, std::function<void()>> agenda_;
    std::map<node_id, host> hosts_;
    std::set<std::pair<node_id, node_id>> cuts_;
    std::map<std::uint64_t, result<void>> answers_;
    std::uint64_t requests_ = 0;
    std::map<timeline_id, node_id> writers_;
    std::map<version_number, cluster_state> committed_;
};

}  // namespace repld::test
