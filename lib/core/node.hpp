// One member of the cluster: the whole of DESIGN section 4 as a value that is fed events and says
// what to do. No I/O, no clock, no log; the same state, time and event give the same actions.
//
// The caller's duties, in this order, for every action list:
//   1. `persist`: write the state durably, then feed `disk_done`. What relies on the write is not
//   in
//      the list yet: the node holds it back until then (R1).
//   2. `send`: hand the message to the link of that peer; a failed send is forgotten.
//   3. `run_server_task`: carry it out, then feed `server_task_done` with the same number. A new
//   task
//      ends the one before it; a result of an ended task is ignored.
//   4. `observe_now`: look at PostgreSQL and feed `server_seen`.
// `tick` is fed at next_deadline() at the latest. `now` never goes back.
//
// Member functions live in one file per room: node.cpp (steps, time, disk), node_voter.cpp
// (promises and grants), node_candidate.cpp, node_leader.cpp (lease, rounds), node_register.cpp
// (proposals), node_identity.cpp (R24), node_server.cpp (what a node without the lease does with
// its PostgreSQL).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/action.hpp"
#include "core/event.hpp"
#include "core/quorum.hpp"
#include "core/rules.hpp"

namespace repld {

struct node_config {
    node_id id = 0;
    node_role role = node_role::data;
    std::string machine_id;
    std::uint64_t seed = 0;  // of every random choice
};

// A lease that this node granted as a voter (R6).
struct grant_record {
    ballot to{};
    nonce token = 0;
    boot_time until{};
};

// A promise under way: it takes a freeze and a durable write. `cause` is handled again after the
// freeze.
struct promise_work {
    message_received cause;
    ballot to{};
    std::uint64_t freeze_task = 0;
};

struct follower_role {};

struct candidate_role {
    enum class phase { looking, asking, freezing, preparing };
    phase at = phase::looking;
    nonce attempt = 0;
    ballot under{};
    boot_time since{};
    boot_time deadline{};
    std::optional<boot_time> majority_since;
    std::uint64_t freeze_task = 0;
    wal_position position{};
    std::map<node_id, prevote_answer> opinions;
    std::map<node_id, promise_answer> promises;
};

struct voter_answer {
    round_number round = 0;
    boot_time sent{};  // when that round was sent: the lease counts from there (R8)
    duration figure{};
    boot_time heard{};
    boot_time sent_extra{};  // when it was last sent the value outside the rounds
    ballot accepted_under{};
    version_number version = 0;
};

struct leader_role {
    enum class phase {
        electing,   // the first value of this reign is not accepted yet
        promoting,  // it is; PostgreSQL is becoming writable
        leading,
        stopping  // the lease is given up: PostgreSQL is being fenced
    };
    phase at = phase::electing;
    ballot under{};
    nonce attempt = 0;
    round_number round = 0;
    boot_time elected{};
    boot_time next_round{};
    boot_time promote_deadline{};
    std::deque<std::pair<round_number, boot_time>> rounds;  // sending times, bounded
    std::map<node_id, voter_answer> answers;
    std::optional<cluster_state>
        committed;  // the newest value that a majority accepted in this reign
    std::optional<cluster_state> proposal;  // sent, not committed yet (R3: one at a time)
    boot_time proposed_at{};
    std::vector<std::uint64_t> proposal_requests;  // whom its commit answers
    boot_time carried_lease{};                     // of the ballot before, when prepared again
    std::uint64_t promote_task = 0;
    bool seen_writable = false;
    bool fork_recorded = false;
    boot_time promoted_at{};
    wal_position fork{};  // where the promotion left the parent's timeline
    // R11: the next ballot, while this one goes on.
    struct next_ballot {
        ballot under{};
        nonce attempt = 0;
        boot_time since{};
        std::map<node_id, promise_answer> promises;
    };
    std::optional<next_ballot> again;
    boot_time again_not_before{};
    ballot highest_seen{};
    // R12: rounds sent before this moment do not count.
    boot_time distrust_before{};
    boot_time distrust_deadline{};
    // stopping
    std::uint64_t fence_task = 0;
    boot_time fence_again{};  // after a failed one; 0: none is due
    std::string stop_reason;
};

// R24: while this node's state is older than what others remember of it.
struct readmission {
    nonce attempt = 0;
    boot_time since{};
    boot_time not_before{};  // one lease after it was noticed
    boot_time ask_again{};
    std::map<node_id, readmit_answer> told;
};

using node_role_state = std::variant<follower_role, candidate_role, leader_role>;

// What is shown to people; derived, never decided from.
struct node_view {
    std::string role;   // "leader", "candidate", "follower", "idle"
    std::string state;  // one sentence: what it does and why
    ballot promised{};
    node_id leader = 0;  // whose lease this node knows to run; 0: nobody's
    duration lease_left{};
    bool writable = false;
    std::size_t voters = 0;
    std::size_t reached = 0;  // leader only: voters that answered lately
    bool has_quorum = false;
    std::string why_not_candidate;
};

class node {
public:
    // `durable` is what the disk holds; a node without a file starts from one with only the
    // identity.
    node(node_config config, durable_state durable, boot_time now);

    // To be called once, before any step.
    std::vector<action> start(boot_time now);
    std::vector<action> step(boot_time now, const event& e);

    [[nodiscard]] boot_time next_deadline() const;
    [[nodiscard]] const durable_state& durable() const { return durable_; }
    // The newest value this node knows; nothing before it has heard of one.
    [[nodiscard]] const cluster_state* state() const;
    [[nodiscard]] node_view view() const;
    [[nodiscard]] bool is_leader() const { return std::holds_alternative<leader_role>(role_); }
    // Leader only: the end of the lease, by this host's clock (R8).
    [[nodiscard]] std::optional<boot_time> lease_end() const;
    [[nodiscard]] const server_observation& server() const { return server_; }

private:
    // node.cpp
    void handle(const tick& e);
    void handle(const message_received& e);
    void handle(const disk_done& e);
    void handle(const server_seen& e);
    void handle(const server_task_done& e);
    void handle(const operator_request& e);
    [[nodiscard]] bool admit_message(const envelope& from, const message& body);

    // node_identity.cpp
    void on(const envelope& from, const readmit_request& m);
    void on(const envelope& from, const readmit_answer& m);
    [[nodiscard]] bool went_back(const envelope& from) const;
    void note_own_rollback(const envelope& from);
    void begin_readmission();
    void ask_for_readmission();
    std::uint64_t write();
    std::uint64_t write_as_it_is();
    void when_durable(std::uint64_t sequence, action a);
    void out(action a);
    void say(severity level, std::string name, std::string text,
             std::vector<std::pair<std::string, std::string>> evidence = {});
    void post(node_id to, message body, std::uint64_t after = 0);
    void post_all(const message& body, std::uint64_t after = 0);
    [[nodiscard]] std::vector<node_id> everybody() const;
    std::uint64_t run(server_task what, std::uint64_t after = 0);
    nonce random();
    duration jitter(duration most);
    [[nodiscard]] std::string name_of(node_id id) const;
    [[nodiscard]] const member* self() const;
    void drain();
    void time_passes();

    // node_voter.cpp
    void on(const envelope& from, const prevote_request& m);
    void on(const envelope& from, const prepare& m);
    void on(const envelope& from, const accept& m);
    void on(const envelope& from, const heartbeat& m);
    void on(const envelope& from, const release& m);
    [[nodiscard]] std::optional<std::string> refuse_ballot(const ballot& b, nonce token) const;
    [[nodiscard]] std::optional<std::string> refuse_position(const wal_position& theirs);
    [[nodiscard]] std::optional<std::string> refuse_server() const;
    [[nodiscard]] bool must_freeze(node_id for_leader) const;
    [[nodiscard]] bool shows_token(const prepare& m) const;
    bool raise_promise(const message_received& cause, const ballot& to, nonce attempt, nonce token);
    void continue_promise(const server_task_done& e);
    void take_waiting_promise();
    void drop_promise_work();
    std::uint64_t record_promise(const ballot& to, nonce attempt);
    void answer_prepare(node_id to, const prepare& m, std::optional<std::string> refusal,
                        std::uint64_t after = 0);
    void grant(node_id leader, const ballot& under, round_number round, nonce token,
               boot_time received, std::uint64_t after);
    void refuse_grant(node_id leader, const ballot& under, round_number round, std::string reason);
    [[nodiscard]] bool lease_granted() const { return grant_ && now_ < grant_->until; }
    void note_contact(const envelope& from, const ballot& under, const leader_report& report,
                      version_number version);
    [[nodiscard]] duration granted_figure() const;
    [[nodiscard]] wal_position worth(const wal_position& position) const;
    void accept_value(const accept& m);

    // node_candidate.cpp
    void on(const envelope& from, const prevote_answer& m);
    void on(const envelope& from, const promise_answer& m);
    [[nodiscard]] std::optional<std::string> why_not_candidate() const;
    void consider_candidacy();
    void start_candidacy();
    void ask(candidate_role& c);
    void judge_opinions();
    [[nodiscard]] std::optional<std::string> better_candidate(const candidate_role& c) const;
    void freeze_self(candidate_role& c);
    void send_prepare(candidate_role& c);
    void judge_promises();
    void lose_candidacy(const std::string& why, duration wait);
    void candidate_time();
    [[nodiscard]] static accepted_value newest(const std::map<node_id, promise_answer>& promises,
                                               const std::optional<accepted_value>& own);
    void become_leader(const candidate_role& c, const accepted_value& basis);

    // node_leader.cpp
    void on(const envelope& from, const grant_answer& m);
    void lead_time();
    void send_round(const std::vector<node_id>& to);
    void send_round_to_all();
    void check_lease();
    void after_answers();
    void promote_when_safe();
    void prepare_again();
    void judge_next_ballot();
    void stop_leading(std::string why, boot_time deadline);
    void finish_stopping(const server_task_done& e);
    void end_reign(std::string why);  // by value: it outlives the role that may hold it
    void leader_sees_server();
    void promotion_done(const server_task_done& e);
    [[nodiscard]] const cluster_state& sent_value(const leader_role& l) const;
    [[nodiscard]] leader_report report() const;
    [[nodiscard]] static duration margin(const leader_role& l);

    // node_register.cpp
    void propose(cluster_state next, std::vector<std::uint64_t> requests);
    void check_committed();
    void housekeeping();
    [[nodiscard]] bool answered_lately(node_id id) const;
    [[nodiscard]] bool majority_answered_lately(const voter_set& voters) const;
    void request(std::uint64_t id, const create_cluster& r);
    void request(std::uint64_t id, const enter_cluster& r);
    void request(std::uint64_t id, const add_member& r);
    void request(std::uint64_t id, const change_settings& r);
    void request(std::uint64_t id, const step_down& r);

    // node_server.cpp
    void upkeep();
    void follow_leader();
    void finish_leaving();
    void fence_if_writable();
    [[nodiscard]] node_id leader_to_follow() const;
    [[nodiscard]] node_id pointed_at_by_task() const;
    void server_task_result(const server_task_done& e);

    node_config config_;
    durable_state durable_;
    boot_time now_{};
    boot_time started_{};
    boot_time wait_until_{};  // R9
    std::vector<action> actions_;
    std::deque<message_received> inbox_;  // messages to itself

    // disk
    std::uint64_t sequence_ = 0;
    std::uint64_t durable_sequence_ = 0;
    std::uint64_t durable_generation_ = 0;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> generations_;  // sequence, generation
    std::vector<std::pair<std::uint64_t, action>> deferred_;
    bool disk_ok_ = true;
    boot_time disk_retry_{};
    std::uint64_t promise_sequence_ = 0;   // the write that makes the promise durable
    std::uint64_t accepted_sequence_ = 0;  // the write that makes the accepted value durable
    bool memory_changed_ = false;          // of peers; written lazily

    // time
    std::optional<std::pair<boot_time, duration>> last_tick_;
    std::uint64_t random_state_ = 0;
    nonce token_ = 0;

    // voter
    bool unadmitted_ = false;
    std::optional<readmission>
        readmission_;  // R24: set while this node's state is older than remembered
    std::optional<grant_record> grant_;
    boot_time larger_until_{};  // R6: grants under a larger figure than the present run until then
    std::pair<ballot, round_number> last_round_{};
    std::optional<promise_work> promise_work_;
    std::optional<message_received> promise_waiting_;
    ballot waiting_ballot_{};                // of the one above
    std::optional<boot_time> behind_since_;  // R16: since when candidates behind are refused

    // whose lead this node follows (R18)
    struct contact {
        ballot under{};
        node_id leader = 0;
        leader_report report;
        version_number version = 0;
        boot_time at{};
    };
    std::optional<contact> contact_;
    // Who said last that it leads, obeyed or not: nobody stands against a leader that is alive.
    node_id claimed_leader_ = 0;
    boot_time claimed_at_{};
    [[nodiscard]] bool leader_claims() const;
    std::map<node_id, boot_time> heard_;
    std::deque<boot_time> failovers_;

    // candidate
    boot_time candidate_not_before_{};
    unsigned failed_attempts_ = 0;
    unsigned deferred_to_better_ = 0;
    std::string candidacy_note_;
    boot_time candidacy_told_{};
    unsigned promote_failures_ = 0;
    boot_time promote_not_before_{};

    node_role_state role_ = follower_role{};

    // server
    server_observation server_;
    bool stopped_frozen_ = false;  // it is stopped and its configuration names no upstream
    std::uint64_t task_ = 0;       // number of the last task given
    std::optional<server_task> running_;
    unsigned start_failures_ = 0;
    unsigned rejoin_failures_ = 0;
    boot_time server_not_before_{};
    std::string server_note_;
    std::optional<std::uint64_t> leaving_;  // step_down request that waits for its end
    bool left_ = false;                     // it was answered: nothing is begun any more

    // leader: changes that wait for the register to be free
    std::deque<operator_request> requests_;
};

}  // namespace repld
