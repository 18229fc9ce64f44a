// One node alone with the test: every message that it receives is made by hand, and everything that
// it does is kept. The disk is immediate unless it is held.
//
// The cluster around it: 1, 2, 4 and 5 are data nodes, 3 is a witness; 1, 2 and 3 vote; node 1
// leads under ballot 1.1 on timeline 1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "world.hpp"

namespace repld::test {

[[nodiscard]] cluster_state agreed(version_number version = 5, node_id leader = 1);
// What the disk of node `id` holds: the agreed value and the promise, under 1.1.
[[nodiscard]] durable_state stored(node_id id, cluster_state value = agreed());
[[nodiscard]] wal_position at_lsn(std::uint64_t end, timeline_id timeline = 1);

class lone_node {
public:
    // A data node starts with a standby at `at_lsn(5000)` that streams from node 1.
    explicit lone_node(durable_state durable, std::uint64_t seed = 1);

    void feed(const event& e);
    void receive(node_id from, message body);
    void receive(const envelope& from, message body) {
        feed(message_received{from, std::move(body)});
    }
    void pass(duration d);  // with a tick every 10 ms
    void hold_disk() { disk_held_ = true; }
    void release_disk(bool ok = true);
    void see(server_observation seen) { feed(server_seen{std::move(seen)}); }
    void see_standby(std::uint64_t end, node_id upstream);
    void see_primary(std::uint64_t end, timeline_id timeline = 1);
    void task_done(bool ok = true, std::optional<wal_position> position = {});

    // Elected by promises of `voters`, whose accepts are not answered yet. Precondition: it may
    // lead.
    void campaign(const voter_set& voters, std::optional<accepted_value> promised = {});
    // Answers the newest accept or heartbeat of this node in the name of `from`.
    void grant_as(node_id from);
    // The above, and the promotion done.
    void lead(const voter_set& voters);

    template <class Message>
    [[nodiscard]] const Message* last(node_id to) const {
        for (auto it = sent.rbegin(); it != sent.rend(); ++it)
            if (it->to == to)
                if (const auto* m = std::get_if<Message>(&it->body)) return m;
        return nullptr;
    }
    template <class Task>
    [[nodiscard]] const Task* last_task() const {
        for (auto it = tasks.rbegin(); it != tasks.rend(); ++it)
            if (const auto* t = std::get_if<Task>(&it->what)) return t;
        return nullptr;
    }
    void forget() {
        sent.clear();
        tasks.clear();
    }

    [[nodiscard]] static envelope from(node_id id);
    [[nodiscard]] static accept accept_of(node_id leader, term_number term, round_number round,
                                          cluster_state value);
    [[nodiscard]] static heartbeat heartbeat_of(node_id leader, term_number term,
                                                round_number round, bool writable = false);
    static constexpr nonce attempt_of_1 = 11;

    boot_time now{std::chrono::hours(1)};
    duration wall{std::chrono::hours(10)};  // CLOCK_REALTIME at `now`
    node_id id;
    node daemon;
    std::vector<send> sent;
    std::vector<run_server_task> tasks;
    std::vector<note> notes;
    std::vector<reply> replies;

private:
    void take(std::vector<action> actions);

    bool disk_held_ = false;
    std::vector<std::uint64_t> held_;
};

}  // namespace repld::test
