// The seams of the core: between a promise and the task that runs meanwhile, between the end of the
// daemon and the fence, between a copy of a node and the cluster. Each schedule here ends in a
// second writable server, or in a vote for a leader that the own server does not follow, when one
// check is missing.
#include "catch.hpp"
#include "lone_node.hpp"

using namespace repld;
using namespace repld::test;

namespace {

bool granted(const lone_node& n, node_id leader) {
    const auto* answer = n.last<grant_answer>(leader);
    return answer != nullptr && answer->granted;
}

bool promised(const lone_node& n, node_id candidate) {
    const auto* answer = n.last<promise_answer>(candidate);
    return answer != nullptr && answer->promised;
}

void see_state(lone_node& n, server_state state) {
    server_observation seen;
    seen.state = state;
    n.see(seen);
}

void ask_to_end(lone_node& n) {
    n.feed(operator_request{1, step_down{"the daemon is asked to end"}});
}

template <class Task>
bool runs(const lone_node& n) {
    return !n.tasks.empty() && std::holds_alternative<Task>(n.tasks.back().what);
}

// Node 2 has heard of a writable leader 1, and long enough ago that its lease has run out.
void outlive_leader_1(lone_node& n) {
    n.pass(6s + 10ms);
}

// A peer remembers more of node 2 than it knows itself; 1 and 3 then say what they have promised.
void go_back(lone_node& n, const ballot& promised_by_3, duration longest_lease) {
    envelope peer = lone_node::from(1);
    peer.remembers = 500;
    n.receive(peer, prevote_request{1, at_lsn(5000)});
    const auto* question = n.last<readmit_request>(3);
    REQUIRE(question != nullptr);
    const nonce attempt = question->attempt;
    n.receive(1, readmit_answer{attempt, 1, 500, {1, 1}, 6s});
    n.receive(3, readmit_answer{attempt, 1, 500, promised_by_3, longest_lease});
}

bool readmitted(const lone_node& n) {
    for (const note& said : n.notes)
        if (said.name == "state_readmitted") return true;
    return false;
}

}  // namespace

// --- a promise and the task that runs meanwhile -----------------------------------------------

TEST_CASE("R18 a rejoin that will end at the old leader holds back the promise to the next one") {
    cluster_state value = agreed();
    value.timelines.push_back({2, 1, lsn{4000}, {1, 1}});
    lone_node n(stored(2, value));
    n.receive(1, lone_node::heartbeat_of(1, 1, 1, true));
    n.see_standby(5000, 0);  // beyond the fork
    REQUIRE(runs<rejoin_server>(n));
    outlive_leader_1(n);
    value.version = 6;
    n.receive(4, lone_node::accept_of(4, 5, 1, value));
    REQUIRE(n.last<grant_answer>(4) != nullptr);
    CHECK_FALSE(granted(n, 4));
    CHECK(n.daemon.durable().promise.to == ballot{1, 1});
    CHECK(runs<rejoin_server>(n));
    // Back on the branch and pointed at node 1: the same accept cuts it off first.
    n.task_done();
    n.see_standby(4000, 1);
    n.receive(4, lone_node::accept_of(4, 5, 2, value));
    REQUIRE(runs<freeze_server>(n));
    CHECK_FALSE(granted(n, 4));
    n.task_done(true, at_lsn(4000));
    CHECK(granted(n, 4));
}

TEST_CASE("R18 a start that will end at the old leader holds back the promise to the next one") {
    const auto granted_during_start = [](bool leader_known) {
        lone_node n(stored(2));
        if (leader_known) n.receive(1, lone_node::heartbeat_of(1, 1, 1, true));
        see_state(n, server_state::stopped);
        REQUIRE(runs<start_standby>(n));
        REQUIRE(n.last_task<start_standby>()->upstream == (leader_known ? 1U : 0U));
        see_state(n, server_state::starting);
        outlive_leader_1(n);
        n.receive(4, lone_node::accept_of(4, 5, 1, agreed(6, 4)));
        return granted(n, 4);
    };
    CHECK_FALSE(granted_during_start(true));
    CHECK(granted_during_start(false));  // pointed at nobody: nothing speaks against it
}

TEST_CASE("R14 a prepare waits for the repointing that is under way and is answered after it") {
    lone_node n(stored(2));
    n.receive(1, lone_node::heartbeat_of(1, 1, 1, true));
    n.see_standby(5000, 0);
    REQUIRE(runs<follow_upstream>(n));
    outlive_leader_1(n);
    n.receive(4, prepare{{5, 4}, 77, at_lsn(5000), 0});
    CHECK(runs<follow_upstream>(n));  // cut short, its statement could take effect after the freeze
    CHECK(n.last<promise_answer>(4) == nullptr);
    n.task_done();
    REQUIRE(runs<freeze_server>(n));
    CHECK_FALSE(promised(n, 4));
    n.task_done(true, at_lsn(5000));
    CHECK(promised(n, 4));
}

TEST_CASE("R14 a candidate that is asked to grant gives up, and its freeze is not replaced") {
    lone_node n(stored(2));
    for (int i = 0; i < 1000 && n.last<prevote_request>(3) == nullptr; ++i) {
        n.pass(10ms);
        if (n.daemon.view().role == "candidate") n.see_standby(5000, 1);
    }
    REQUIRE(n.last<prevote_request>(3) != nullptr);
    const nonce question = n.last<prevote_request>(3)->attempt;
    n.receive(4, prevote_request{1, at_lsn(5000)});  // 4 lives and has not said its opinion yet
    n.receive(3, prevote_answer{question, true, "", {1, 1}, {}, false});
    REQUIRE(n.daemon.view().role == "candidate");
    n.receive(4, lone_node::accept_of(4, 5, 1, agreed(6, 4)));
    REQUIRE(runs<freeze_server>(n));
    const std::uint64_t freeze = n.tasks.back().task;
    n.pass(200ms);
    CHECK(n.tasks.back().task == freeze);
    CHECK(n.daemon.view().role == "follower");
    n.task_done(true, at_lsn(5000));
    CHECK(granted(n, 4));
}

TEST_CASE("R14 the configuration of a stopped server is emptied before the promise") {
    lone_node n(stored(2));
    see_state(n, server_state::stopped);
    REQUIRE(runs<start_standby>(n));
    n.task_done(false);  // and anybody else may start it, with what its configuration says
    n.receive(4, lone_node::accept_of(4, 5, 1, agreed(6, 4)));
    CHECK_FALSE(granted(n, 4));
    CHECK(n.daemon.durable().promise.to == ballot{1, 1});
    REQUIRE(runs<freeze_server>(n));
    n.task_done();
    CHECK(granted(n, 4));
}

TEST_CASE("R13 a server that was started writable by another hand is no standby that is starting") {
    for (const auto state : {server_state::primary, server_state::orphaned}) {
        lone_node n(stored(2));
        see_state(n, server_state::stopped);
        REQUIRE(runs<start_standby>(n));
        see_state(n, state);
        n.receive(4, lone_node::accept_of(4, 5, 1, agreed(6, 4)));
        REQUIRE(n.last<grant_answer>(4) != nullptr);
        CHECK_FALSE(granted(n, 4));
        CHECK(n.daemon.durable().promise.to == ballot{1, 1});
    }
}

// --- the end of the daemon --------------------------------------------------------------------

TEST_CASE("a daemon that ends during the fence of a writable server waits for its end") {
    lone_node n(stored(2));
    n.see_primary(6000);
    REQUIRE(runs<fence_server>(n));
    ask_to_end(n);
    CHECK(n.replies.empty());
    n.task_done(false);
    n.pass(200ms);
    REQUIRE(runs<fence_server>(n));  // again, and still nobody may leave
    CHECK(n.replies.empty());
    n.task_done();
    REQUIRE(runs<start_standby>(n));
    n.see_standby(6000, 0);
    CHECK(n.replies.empty());  // the start is not over yet
    n.task_done();
    REQUIRE(n.replies.size() == 1);
    CHECK(n.replies[0].outcome.has_value());
}

TEST_CASE("a daemon that ends before it has looked at its server looks first") {
    lone_node n(stored(2));
    see_state(n, server_state::unknown);
    ask_to_end(n);
    CHECK(n.replies.empty());
    n.see_primary(6000);
    CHECK(n.replies.empty());
    REQUIRE(runs<fence_server>(n));
}

TEST_CASE("a daemon that ends beside a running standby ends at once, and begins nothing more") {
    lone_node n(stored(2));
    ask_to_end(n);
    CHECK(n.replies.size() == 1);
    n.forget();
    for (int i = 0; i < 20; ++i) {
        n.pass(500ms);
        n.see_standby(5000, 0);
    }
    CHECK(n.tasks.empty());
    CHECK(n.last<prevote_request>(3) == nullptr);
}

// --- copies, and state that went back ---------------------------------------------------------

TEST_CASE("R24 a copy on another machine says nothing, and does not stay writable") {
    durable_state copy = stored(2);
    copy.machine_id = "the machine that this directory was copied from";
    lone_node n(copy);
    n.see_primary(6000);
    REQUIRE(runs<fence_server>(n));
    n.task_done(false);
    n.pass(200ms);
    CHECK(n.tasks.size() == 2);
    n.task_done();
    n.pass(10s);
    CHECK(n.tasks.size() == 2);  // not started either
    CHECK(n.sent.empty());
}

TEST_CASE("R24 lost state: what others have promised is a floor, and takes the way of a promise") {
    lone_node n(stored(2));
    go_back(n, {9, 4}, 6s);
    while (!readmitted(n)) n.pass(10ms);
    CHECK(n.daemon.durable().floor == ballot{9, 4});
    CHECK(n.daemon.durable().promise.to == ballot{1, 1});
    n.forget();
    n.receive(4, prepare{{8, 4}, 77, at_lsn(5000), 0});
    CHECK_FALSE(promised(n, 4));
    n.receive(4, prepare{{9, 4}, 77, at_lsn(5000), 0});  // maybe promised, to which attempt?
    CHECK_FALSE(promised(n, 4));
    CHECK(n.tasks.empty());
    // It streams from node 1 all the while.
    n.receive(4, lone_node::accept_of(4, 9, 1, agreed(6, 4)));
    CHECK_FALSE(granted(n, 4));
    REQUIRE(runs<freeze_server>(n));
    n.task_done(true, at_lsn(5000));
    CHECK(granted(n, 4));
}

TEST_CASE("R24 lost state: the floor outlives the daemon, and its own ballots are above it") {
    durable_state disk;
    {
        lone_node n(stored(2));
        go_back(n, {9, 4}, 6s);
        while (!readmitted(n)) n.pass(10ms);
        disk = n.daemon.durable();
    }
    lone_node again(disk);
    again.receive(4, prepare{{8, 4}, 77, at_lsn(5000), 0});
    CHECK_FALSE(promised(again, 4));
    again.campaign({2, 3});
    CHECK(again.daemon.view().promised > ballot{9, 4});
}

TEST_CASE("R24 lost state: the longest lease that anybody knows of is waited out") {
    lone_node n(stored(2));
    go_back(n, {1, 1}, 60s);
    n.pass(59s);
    CHECK_FALSE(readmitted(n));
    n.pass(2s);
    CHECK(readmitted(n));
}

// --- the leader -------------------------------------------------------------------------------

TEST_CASE("R8 after a new ballot the lease is what its voters answered, not what it was before") {
    cluster_state value = agreed();
    value.settings.lease_duration = 60s;
    lone_node n(stored(2, value));
    n.lead({2, 3});
    REQUIRE(n.daemon.lease_end().value_or(n.now) > n.now + 50s);
    grant_answer refusal;
    refusal.under = n.last<heartbeat>(3)->under;
    refusal.promised_to = {9, 4};
    n.receive(3, refusal);
    const prepare again = *n.last<prepare>(3);
    REQUIRE(again.under > ballot{9, 4});
    n.receive(3, promise_answer{again.under, again.attempt, true, "", again.under, {}, {}});
    REQUIRE(n.daemon.view().state == "holds the lease");
    CHECK(n.daemon.lease_end().value_or(n.now) > n.now + 50s);  // nobody has answered yet
    n.grant_as(3);
    n.feed(operator_request{1, change_settings{{{"lease_duration", "6s"}}}});
    n.grant_as(3);
    REQUIRE(n.replies.size() == 1);
    REQUIRE(n.replies[0].outcome.has_value());
    CHECK(n.daemon.lease_end().value_or(n.now) <= n.now + 6s);
}

TEST_CASE("R10 nothing is released while nobody knows whether the own server is writable") {
    for (const auto state :
         {server_state::unknown, server_state::starting, server_state::orphaned}) {
        lone_node n(stored(2));
        n.campaign({2, 3});
        REQUIRE(n.daemon.is_leader());
        see_state(n, state);
        n.pass(8s);
        CHECK(n.last<release>(3) == nullptr);
        REQUIRE(runs<fence_server>(n));
        n.task_done();
        CHECK(n.last<release>(3) != nullptr);
    }
}

TEST_CASE("a promoted server that is seen as a standby only does not keep the lead") {
    lone_node n(stored(2));
    n.campaign({2, 3});
    n.grant_as(3);
    REQUIRE(runs<promote_server>(n));
    n.task_done(true, at_lsn(5000));
    n.see_standby(5000, 0);  // looked at before the promotion was over
    CHECK(runs<promote_server>(n));
    for (int i = 0; i < 25; ++i) {
        n.pass(100ms);
        n.grant_as(3);
    }
    n.see_standby(5000, 0);
    CHECK(runs<fence_server>(n));
}
