// R13 to R19: what a data node does with its server before it promises. Each test shows its rule,
// and what happens without it.
#include "catch.hpp"
#include "lone_node.hpp"

using namespace repld;
using namespace repld::test;

namespace {

constexpr std::uint64_t beyond_max_lag = 100ULL << 20U;

void ask(lone_node& n, node_id candidate, term_number term, std::uint64_t end = 5000) {
    n.receive(candidate, prepare{{term, candidate}, 77, at_lsn(end), 0});
}

bool promised(const lone_node& n, node_id candidate, term_number term) {
    const auto* answer = n.last<promise_answer>(candidate);
    return answer != nullptr && answer->under == ballot{term, candidate} && answer->promised;
}

}  // namespace

TEST_CASE("R13 not writable: no promise while the own server may be writable") {
    const auto violated = [] {
        lone_node n(stored(2));
        n.see_primary(6000);
        n.task_done(
            false);  // the fence of a writable server without a lease does not work at first
        n.forget();
        ask(n, 4, 5, 6000);
        if (!n.tasks.empty() && std::holds_alternative<freeze_server>(n.tasks.back().what))
            n.task_done(true, at_lsn(6000));
        return promised(n, 4, 5);
    };
    CHECK(holds_and_is_needed(rule::not_writable, violated));
}

TEST_CASE("R13 not writable: an unknown or a starting server counts as writable") {
    for (const auto state : {server_state::unknown, server_state::starting}) {
        lone_node n(stored(2));
        server_observation seen;
        seen.state = state;
        n.see(seen);
        ask(n, 4, 5);
        CHECK_FALSE(promised(n, 4, 5));
        CHECK(n.last<promise_answer>(4) != nullptr);
    }
}

TEST_CASE("R14 frozen: the server is cut off before the promise, and the promise waits for it") {
    const auto violated = [] {
        lone_node n(stored(2));
        ask(n, 4, 5);
        return promised(n, 4, 5);
    };
    CHECK(holds_and_is_needed(rule::frozen, violated));
    lone_node n(stored(2));
    ask(n, 4, 5);
    REQUIRE(n.last_task<freeze_server>() != nullptr);
    n.task_done(true, at_lsn(5000));
    CHECK(promised(n, 4, 5));
}

TEST_CASE("R14 frozen: not cut off, no promise") {
    lone_node n(stored(2));
    ask(n, 4, 5);
    n.task_done(false);
    REQUIRE(n.last<promise_answer>(4) != nullptr);
    CHECK_FALSE(promised(n, 4, 5));
    CHECK(n.daemon.durable().promise.to == ballot{1, 1});
}

TEST_CASE("R14 frozen: an accept of another leader cuts the server off from the one before") {
    lone_node n(stored(2));
    n.receive(4, lone_node::accept_of(4, 5, 1, agreed(6, 4)));
    CHECK(n.last<grant_answer>(4) == nullptr);
    REQUIRE(n.last_task<freeze_server>() != nullptr);
    n.task_done(true, at_lsn(5000));
    REQUIRE(n.last<grant_answer>(4) != nullptr);
    CHECK(n.last<grant_answer>(4)->granted);
}

TEST_CASE("R15 position known: without a certain position no promise and no candidacy") {
    const auto violated = [] {
        lone_node n(stored(2));
        ask(n, 4, 5);
        n.task_done(true, std::nullopt);
        return promised(n, 4, 5);
    };
    CHECK(holds_and_is_needed(rule::position_known, violated));
    lone_node n(stored(2));
    server_observation seen;
    seen.state = server_state::standby;
    seen.position_unknown = "replay has not reached the end of the local WAL";
    n.see(seen);
    n.pass(5s);
    CHECK(n.last<prevote_request>(3) == nullptr);
    CHECK(n.daemon.view().why_not_candidate.find("position") != std::string::npos);
}

TEST_CASE("R16 not behind: a candidate behind the own position is refused") {
    const auto violated = [] {
        lone_node n(stored(2));
        ask(n, 4, 5, 4999);
        n.task_done(true, at_lsn(5000));
        return promised(n, 4, 5);
    };
    CHECK(holds_and_is_needed(rule::not_behind, violated));
}

TEST_CASE("R16 not behind: in asynchronous mode it ends after a while, inside max_lag") {
    const auto promised_after = [](duration wait, std::uint64_t behind) {
        lone_node n(stored(2));
        n.see_standby(5000 + beyond_max_lag * 2, 1);
        const std::uint64_t own = 5000 + beyond_max_lag * 2;
        const duration step = wait / 20;
        for (term_number term = 5; term < 25; ++term) {
            ask(n, 4, term, own - behind);
            n.task_done(true, at_lsn(own));
            if (promised(n, 4, term)) return true;
            n.now += step;
        }
        return false;
    };
    CHECK_FALSE(promised_after(4s, 1));
    CHECK(promised_after(8s, 1));
    CHECK_FALSE(promised_after(60s, beyond_max_lag));
}

TEST_CASE("R16 not behind: the patience begins anew with every reign") {
    lone_node n(stored(2));
    ask(n, 4, 5, 4999);  // once, an hour ago
    n.task_done(true, at_lsn(5000));
    REQUIRE_FALSE(promised(n, 4, 5));
    round_number round = 1;
    for (int i = 0; i < 60; ++i) {
        n.receive(1, lone_node::heartbeat_of(1, 1, round++));
        n.pass(1s);
    }
    n.pass(6s);
    n.see_standby(9000, 0);
    ask(n, 4, 6, 8999);
    n.task_done(true, at_lsn(9000));
    CHECK_FALSE(promised(n, 4, 6));
}

TEST_CASE("R17 again: what changed during the freeze is seen before the promise is written") {
    const auto violated = [] {
        lone_node n(stored(2));
        ask(n, 4, 5);
        n.receive(1, lone_node::heartbeat_of(1, 1, 1));  // granted: nothing is promised yet
        REQUIRE(n.last<grant_answer>(1)->granted);
        n.task_done(true, at_lsn(5000));
        return promised(n, 4, 5);
    };
    CHECK(holds_and_is_needed(rule::checked_again, violated));
}

TEST_CASE("R17 again: from the start of the write nothing of a lower ballot is answered") {
    lone_node n(stored(3));
    n.hold_disk();
    ask(n, 4, 5);
    n.receive(1, lone_node::heartbeat_of(1, 1, 1));
    n.release_disk();
    REQUIRE(n.last<grant_answer>(1) != nullptr);
    CHECK_FALSE(n.last<grant_answer>(1)->granted);
}

TEST_CASE("R18 no thaw: the server is not pointed back at a leader below the promise") {
    const auto violated = [] {
        lone_node n(stored(2));
        n.receive(1, lone_node::heartbeat_of(1, 1, 1, true));
        n.pass(6s + 10ms);
        ask(n, 4, 5);
        n.task_done(true, at_lsn(5000));
        REQUIRE(promised(n, 4, 5));
        for (int i = 0; i < 3; ++i) {
            n.see_standby(5000, 0);
            n.pass(1s);
        }
        return n.last_task<follow_upstream>() != nullptr;
    };
    CHECK(holds_and_is_needed(rule::no_thaw, violated));
}

TEST_CASE("R18 no thaw: it follows a leader of the promised ballot that is writable") {
    lone_node n(stored(2));
    ask(n, 4, 5);
    n.task_done(true, at_lsn(5000));
    cluster_state next = agreed(6, 4);
    next.timelines.push_back({2, 1, lsn{5000}, {5, 4}});
    accept first = lone_node::accept_of(4, 5, 1, next);
    n.receive(4, first);
    n.see_standby(5000, 0);
    CHECK(n.last_task<follow_upstream>() == nullptr);  // not writable yet
    first.round = 2;
    first.report.writable = true;
    n.receive(4, first);
    n.see_standby(5000, 0);
    REQUIRE(n.last_task<follow_upstream>() != nullptr);
    CHECK(n.last_task<follow_upstream>()->upstream == 4);
}

TEST_CASE("R18 no thaw: a repointing under way is ended by the promise of another ballot") {
    lone_node n(stored(2));
    n.receive(1, lone_node::heartbeat_of(1, 1, 1, true));
    n.see_standby(5000, 0);
    REQUIRE(n.last_task<follow_upstream>() != nullptr);  // to node 1, and it takes a while
    const std::uint64_t old_task = n.tasks.back().task;
    n.pass(7s);
    n.receive(4, lone_node::accept_of(4, 5, 1, agreed(6, 4)));
    const bool granted = n.last<grant_answer>(4) != nullptr && n.last<grant_answer>(4)->granted;
    const bool superseded = n.tasks.back().task != old_task;
    CHECK((!granted || superseded));
}

TEST_CASE("R19 pre-vote: who would find no majority prepares nothing") {
    const auto violated = [] {
        lone_node n(stored(2));
        for (int i = 0; i < 50; ++i) {
            n.pass(100ms);
            n.see_standby(5000, 1);
        }
        return n.last_task<freeze_server>() != nullptr ||
               n.daemon.durable().promise.to != ballot{1, 1};
    };
    CHECK(holds_and_is_needed(rule::prevote, violated));
}

TEST_CASE("R19 pre-vote: who knows of a better position waits") {
    lone_node n(stored(2));
    for (int i = 0; i < 100; ++i) {
        n.pass(10ms);
        if (n.daemon.view().role == "candidate") n.see_standby(5000, 1);
        if (const auto* question = n.last<prevote_request>(4)) {
            prevote_answer answer{question->attempt, true, "", {1, 1}, at_lsn(5001), true};
            n.receive(4, answer);
            n.receive(3, prevote_answer{question->attempt, true, "", {1, 1}, {}, false});
        }
    }
    CHECK(n.last_task<freeze_server>() == nullptr);
}

TEST_CASE("R19 pre-vote: the answer binds nobody") {
    lone_node witness(stored(3));
    witness.receive(2, prevote_request{1, at_lsn(5000)});
    REQUIRE(witness.last<prevote_answer>(2) != nullptr);
    CHECK(witness.last<prevote_answer>(2)->would);
    CHECK(witness.daemon.durable().promise.to == ballot{1, 1});
}

TEST_CASE("R19 pre-vote: a ballot closed above the promise does not shut its node out for ever") {
    lone_node witness(stored(3));
    // Node 2 was elected by others under 9.2, gave up, and its release is the first that 3 hears of
    // it.
    witness.receive(2, release{{9, 2}});
    witness.receive(2, prevote_request{1, at_lsn(5000)});
    REQUIRE(witness.last<prevote_answer>(2) != nullptr);
    CHECK(witness.last<prevote_answer>(2)->would);
}
