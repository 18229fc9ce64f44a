// R6 to R12 and section 5.3: the lease. Each test shows its rule, and what happens without it.
#include "catch.hpp"
#include "lone_node.hpp"

using namespace repld;
using namespace repld::test;

namespace {

bool promises(lone_node& n, node_id candidate, term_number term, nonce token = 0) {
    n.receive(candidate, prepare{{term, candidate}, 77, at_lsn(5000), token});
    const auto* answer = n.last<promise_answer>(candidate);
    return answer != nullptr && answer->under == ballot{term, candidate} && answer->promised;
}

cluster_state with_lease(version_number version, duration lease) {
    cluster_state value = agreed(version);
    value.settings.lease_duration = lease;
    return value;
}

// Three data nodes; the leader is cut off while its lease runs. True when P1 was broken in 20 s.
bool cut_leader_breaks_p1(world& w) {
    w.create_and_join_all();
    REQUIRE(w.leader() == 1);
    w.cut(1);
    w.run_for(20s);
    return !w.violations.empty();
}

}  // namespace

TEST_CASE("R6 granting: a smaller lease does not shorten what was granted under a larger one") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::accept_of(1, 1, 1, with_lease(6, 30s)));
        witness.receive(1, lone_node::accept_of(1, 1, 2, with_lease(7, 3s)));
        witness.pass(10s);
        return promises(witness, 2, 5);
    };
    CHECK(holds_and_is_needed(rule::larger_figure_kept, violated));
}

TEST_CASE("R6 granting: the larger figure survives a restart, until it has run out") {
    const auto promised_after = [](duration wait) {
        durable_state disk;
        {
            lone_node witness(stored(3));
            witness.receive(1, lone_node::accept_of(1, 1, 1, with_lease(6, 30s)));
            witness.receive(1, lone_node::accept_of(1, 1, 2, with_lease(7, 3s)));
            witness.pass(1s);
            disk = witness.daemon.durable();
        }
        lone_node again(disk);
        again.pass(wait);
        return promises(again, 2, 5);
    };
    CHECK_FALSE(promised_after(29s));
    CHECK(promised_after(31s));
}

TEST_CASE("R6 granting: the figure goes down when all larger grants have run out") {
    lone_node witness(stored(3));
    witness.receive(1, lone_node::accept_of(1, 1, 1, with_lease(6, 30s)));
    round_number round = 2;
    witness.receive(1, lone_node::accept_of(1, 1, round++, with_lease(7, 3s)));
    for (int i = 0; i < 35; ++i) {
        witness.pass(1s);
        witness.receive(1, lone_node::heartbeat_of(1, 1, round++));
    }
    CHECK(witness.daemon.durable().grant_max == 3s);
    witness.pass(4s);
    CHECK(promises(witness, 2, 5));
}

TEST_CASE("R7 higher ballot: refused while the lease granted to another runs") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
        witness.pass(5s);
        return promises(witness, 2, 5);
    };
    CHECK(holds_and_is_needed(rule::lease_blocks_others, violated));
    lone_node witness(stored(3));
    witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
    witness.pass(6s + 10ms);
    CHECK(promises(witness, 2, 5));
}

TEST_CASE("R7 higher ballot: without the wait two nodes hold a lease") {
    // Node 2 has not heard the leader for long; the witness hears both.
    const auto violated = [] {
        world w({2, 1, {}, 1});
        w.create_and_join_all();
        w.cut(1, 2);
        w.run_for(20s);
        return !w.violations.empty();
    };
    CHECK(holds_and_is_needed(rule::lease_blocks_others, violated));
}

TEST_CASE("R7 higher ballot: the holder of the lease passes with its token only") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
        REQUIRE_FALSE(promises(witness, 2, 4));
        return promises(witness, 1, 5, 999);  // another machine with the same id
    };
    CHECK(holds_and_is_needed(rule::token, violated));
    lone_node witness(stored(3));
    witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
    CHECK(promises(witness, 1, 5, 101));  // the token that came with the heartbeat
}

TEST_CASE("R8 holding: the lease counts from the sending of a round") {
    const auto violated = [] {
        lone_node leader(stored(2));
        leader.campaign({2, 3});
        const boot_time sent = leader.now;
        const std::vector<send> first = leader.sent;
        leader.pass(90ms);
        leader.sent = first;
        leader.grant_as(3);
        REQUIRE(leader.daemon.lease_end().has_value());
        return *leader.daemon.lease_end() > sent + 6s;
    };
    // The drift allowance would hide 90 ms of six seconds.
    const rule_off also(rule::drift_factor);
    CHECK(holds_and_is_needed(rule::lease_from_sending, violated));
}

TEST_CASE("R8 holding: of the figure, (1-d)/(1+d) counts") {
    const auto violated = [] {
        lone_node leader(stored(2));
        leader.campaign({2, 3});
        const boot_time sent = leader.now;
        leader.grant_as(3);
        const auto usable = duration(static_cast<std::int64_t>(6e9 * 0.99 / 1.01)) + 1us;
        return *leader.daemon.lease_end() > sent + usable;
    };
    CHECK(holds_and_is_needed(rule::drift_factor, violated));
}

TEST_CASE("R8 holding: a slow leader and fast voters do not overlap") {
    const auto violated = [] {
        world_options o{3, 0, {}, 1};
        o.settings.clock_drift_max_ppm = 180000;
        o.settings.demote_margin_ppm = 20000;
        o.settings.heartbeat_interval = 200ms;
        world w(o);
        w.set_rate(1, 0.82);
        w.set_rate(2, 1.18);
        w.set_rate(3, 1.18);
        w.at(1).times.fence = 10s;  // until the deadline
        return cut_leader_breaks_p1(w);
    };
    CHECK(holds_and_is_needed(rule::drift_factor, violated));
}

TEST_CASE("R8 holding: a leader that is no voter does not count itself") {
    const auto violated = [] {
        cluster_state value = agreed();
        value.voters = {1, 3, 4};
        lone_node leader(stored(2, value));
        leader.campaign({3, 4}, accepted_value{{1, 1}, value});
        leader.grant_as(3);
        return leader.daemon.lease_end().has_value();  // one voter of three
    };
    CHECK(holds_and_is_needed(rule::nonvoter_does_not_count, violated));
}

TEST_CASE("R8 holding: new voters alone are not sent before a majority of them has answered") {
    const auto violated = [] {
        cluster_state joint = agreed(9);
        joint.next_voters = voter_set{2, 4, 5};
        lone_node leader(stored(2, joint));
        leader.campaign({2, 3, 4, 5}, accepted_value{{1, 1}, joint});
        for (const node_id id : {3U, 4U, 5U}) leader.grant_as(id);
        REQUIRE(leader.last_task<promote_server>() != nullptr);
        leader.pass(3s);  // 4 and 5 have fallen silent during the promotion
        leader.grant_as(3);
        leader.task_done(true, at_lsn(5000));
        leader.see_primary(5000, 2);
        const auto* sent = leader.last<accept>(4);
        return sent != nullptr && !sent->value.next_voters;
    };
    CHECK(holds_and_is_needed(rule::new_voters_answer_first, violated));
}

TEST_CASE("R8 holding: while a change is under way both sets hold the lease") {
    cluster_state joint = agreed(9);
    joint.next_voters = voter_set{2, 4, 5};
    lone_node leader(stored(2, joint));
    leader.campaign({2, 3, 4, 5}, accepted_value{{1, 1}, joint});
    leader.grant_as(3);
    CHECK_FALSE(leader.daemon.lease_end().has_value());
    leader.grant_as(4);
    CHECK(leader.daemon.lease_end().has_value());
}

TEST_CASE(
    "R9 after its start: a voter promises nobody for the longest figure it may have granted") {
    const auto violated = [] {
        durable_state disk = stored(3);
        disk.grant_max = 6s;
        lone_node witness(disk);
        witness.pass(5s);
        return promises(witness, 2, 5);
    };
    CHECK(holds_and_is_needed(rule::wait_after_start, violated));
}

TEST_CASE("R9 after its start: it answers the heartbeats of its promise at once") {
    durable_state disk = stored(3);
    disk.grant_max = 6s;
    lone_node witness(disk);
    witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
    REQUIRE(witness.last<grant_answer>(1) != nullptr);
    CHECK(witness.last<grant_answer>(1)->granted);
}

TEST_CASE("R9 after its start: without the wait a restarted witness makes two primaries") {
    // Node 2 has not heard the leader for long; the witness alone keeps the leader's lease.
    const auto violated = [] {
        world w({2, 1, {}, 1});
        w.create_and_join_all();
        w.cut(1, 2);
        w.run_for(10s);
        REQUIRE(w.leader() == 1);
        w.at(1).times.fence = 10s;
        w.cut(1, 3);
        w.restart_daemon(3);
        w.run_for(20s);
        return !w.violations.empty();
    };
    CHECK(holds_and_is_needed(rule::wait_after_start, violated));
}

TEST_CASE("R10 closing: no heartbeat of a closed ballot is answered") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
        witness.receive(1, release{{1, 1}});
        witness.receive(1,
                        lone_node::heartbeat_of(1, 1, 2));  // late, or of a leader that came back
        return witness.last<grant_answer>(1)->granted && witness.last<grant_answer>(1)->round == 2;
    };
    CHECK(holds_and_is_needed(rule::closed_ballots, violated));
}

TEST_CASE("R10 closing: a late release drops the lease of its own ballot only") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::accept_of(1, 5, 1, agreed(6)));
        witness.receive(1, release{{1, 1}});  // of node 1's reign before this one
        return promises(witness, 2, 6);
    };
    CHECK(holds_and_is_needed(rule::release_names_ballot, violated));
}

TEST_CASE("R10 closing: a release lets the next candidate in at once, and is durable first") {
    lone_node witness(stored(3));
    witness.receive(1, lone_node::heartbeat_of(1, 1, 1));
    CHECK_FALSE(promises(witness, 2, 5));
    witness.receive(1, release{{1, 1}});
    CHECK(promises(witness, 2, 6));
    lone_node leader(stored(2));
    leader.lead({2, 3});
    server_observation dead;
    dead.state = server_state::stopped;
    leader.see(dead);
    leader.hold_disk();
    leader.task_done();
    CHECK(leader.last<release>(3) == nullptr);
    leader.release_disk();
    REQUIRE(leader.last<release>(3) != nullptr);
    CHECK(leader.daemon.durable().is_closed(leader.last<release>(3)->closed));
}

TEST_CASE("R11 losing it: another leader's value under a higher ballot fences at once") {
    const auto violated = [] {
        lone_node leader(stored(2));
        leader.lead({2, 3});
        const ballot own = leader.last<accept>(3)->under;
        leader.forget();
        grant_answer news;
        news.under = own;
        news.round = 99;
        news.promised_to = {own.term + 3, 1};
        news.accepted_under = {own.term + 3, 1};
        news.version = 30;
        news.accepted_leader = 1;
        leader.receive(3, news);
        return leader.last_task<fence_server>() == nullptr;
    };
    CHECK(holds_and_is_needed(rule::fence_on_higher_leader, violated));
}

TEST_CASE("R11 losing it: a higher promise makes the leader prepare again, with its token") {
    const auto violated = [] {
        lone_node leader(stored(2));
        leader.lead({2, 3});
        const ballot own = leader.last<accept>(3)->under;
        const nonce token = leader.last<accept>(3)->token;
        leader.forget();
        leader.pass(400ms);
        grant_answer news;
        news.under = own;
        news.round = 1;
        news.promised_to = {own.term + 3, 1};
        leader.receive(1, news);
        const auto* again = leader.last<prepare>(1);
        if (again == nullptr) return true;
        CHECK(again->under > news.promised_to);
        CHECK(again->token == token);
        return false;
    };
    CHECK(holds_and_is_needed(rule::prepare_again, violated));
}

TEST_CASE("R12 clocks that jump: the lease is void until a round sent afterwards is answered") {
    const auto violated = [] {
        lone_node leader(stored(2));
        leader.lead({2, 3});
        leader.pass(200ms);
        REQUIRE(leader.daemon.lease_end().has_value());
        leader.wall += 60s;  // the machine stood still, and its BOOTTIME with it
        leader.pass(10ms);
        const bool still = leader.daemon.lease_end().has_value();
        leader.grant_as(3);
        REQUIRE(leader.daemon.lease_end().has_value());
        return still;
    };
    CHECK(holds_and_is_needed(rule::clock_jump, violated));
}

TEST_CASE("section 5.3: a leader without a majority stops its server before its lease ends") {
    const auto violated = [] {
        world w({3, 0, {}, 1});
        w.at(1).times.fence = 10s;  // a fast stop that hangs until its deadline
        return cut_leader_breaks_p1(w);
    };
    CHECK(holds_and_is_needed(rule::demote_before_end, violated));
}
