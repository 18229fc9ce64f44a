// R1 to R5: each test shows its rule, and what happens without it.
#include "catch.hpp"
#include "lone_node.hpp"

using namespace repld;
using namespace repld::test;

namespace {

constexpr duration default_lease = 6s;

const promise_answer* prepare_from(lone_node& n, node_id candidate, term_number term,
                                   nonce attempt = 77, nonce token = 0) {
    n.receive(candidate, prepare{{term, candidate}, attempt, at_lsn(5000), token});
    return n.last<promise_answer>(candidate);
}

}  // namespace

TEST_CASE("R1 durable first: a promise leaves when it is on disk, not before") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.hold_disk();
        const bool early = prepare_from(witness, 2, 5) != nullptr;
        witness.release_disk();
        REQUIRE(witness.last<promise_answer>(2) != nullptr);
        return early;
    };
    CHECK(holds_and_is_needed(rule::durable_before_answer, violated));
}

TEST_CASE("R1 durable first: a promise that the disk refused never leaves") {
    lone_node witness(stored(3));
    witness.hold_disk();
    prepare_from(witness, 2, 5);
    witness.release_disk(false);
    CHECK(witness.last<promise_answer>(2) == nullptr);
    witness.pass(2s);  // the disk works again, and the promise is on it
    CHECK(witness.daemon.durable().promise.to == ballot{5, 2});
    const auto* answer = prepare_from(witness, 2, 5);
    REQUIRE(answer != nullptr);
    CHECK(answer->promised);
}

TEST_CASE(
    "R1 durable first: without it a crash forgets a promise, and two leaders have a majority") {
    // The witness promises 5.2 and crashes before the write; then 5.4's lower ballot 4.4 comes.
    const auto violated = [] {
        durable_state disk = stored(3);
        bool told_5 = false;
        {
            lone_node witness(disk);
            witness.hold_disk();
            const auto* answer = prepare_from(witness, 2, 5);
            told_5 = answer != nullptr && answer->promised;
        }
        lone_node again(disk);
        const auto* answer = prepare_from(again, 4, 4);
        return told_5 && answer != nullptr && answer->promised;
    };
    CHECK(holds_and_is_needed(rule::durable_before_answer, violated));
}

TEST_CASE("R2 ballot: an equal ballot of another attempt is refused") {
    const auto violated = [] {
        lone_node witness(stored(3));
        REQUIRE(prepare_from(witness, 2, 5, 77)->promised);
        const auto* same = prepare_from(witness, 2, 5, 77);
        REQUIRE(same->promised);  // the same attempt may ask again
        return prepare_from(witness, 2, 5, 78)->promised;
    };
    CHECK(holds_and_is_needed(rule::equal_ballot_other_attempt, violated));
}

TEST_CASE("R3 order: an older version of the same ballot is refused") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::accept_of(1, 1, 1, agreed(7)));
        REQUIRE(witness.daemon.state()->version == 7);
        witness.receive(1, lone_node::accept_of(1, 1, 2, agreed(6)));
        return witness.daemon.state()->version != 7;
    };
    CHECK(holds_and_is_needed(rule::version_order, violated));
}

TEST_CASE("R3 order: one proposal at a time, and it is sent until a majority has it") {
    lone_node leader(stored(2));
    leader.lead({2, 3});
    const auto before = leader.daemon.state()->version;
    leader.feed(operator_request{1, change_settings{{{"max_lag", "1MB"}}}});
    leader.feed(operator_request{2, change_settings{{{"max_lag", "2MB"}}}});
    leader.forget();
    leader.pass(500ms);
    const auto* sent = leader.last<accept>(3);
    REQUIRE(sent != nullptr);
    CHECK(sent->value.version == before + 1);
    CHECK(sent->value.settings.max_lag_bytes == 1U << 20U);
    CHECK(leader.replies.empty());
    leader.grant_as(3);
    REQUIRE(leader.replies.size() == 1);
    CHECK(leader.last<accept>(3)->value.settings.max_lag_bytes == 2U << 20U);
}

TEST_CASE("R4 promise: a heartbeat raises the promise before it is answered") {
    // Not in the majority that elected 5.2, the witness hears its heartbeat, then a late one
    // of 1.1.
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(2, lone_node::heartbeat_of(2, 5, 1));
        REQUIRE(witness.last<grant_answer>(2)->granted);
        witness.receive(1, lone_node::heartbeat_of(1, 1, 9));
        return witness.last<grant_answer>(1)->granted;
    };
    CHECK(holds_and_is_needed(rule::heartbeat_raises_promise, violated));
}

TEST_CASE("R4 promise: within a ballot an older round is not answered") {
    const auto violated = [] {
        lone_node witness(stored(3));
        witness.receive(1, lone_node::heartbeat_of(1, 1, 9));
        witness.forget();
        witness.receive(1, lone_node::heartbeat_of(1, 1, 8));
        return witness.last<grant_answer>(1) != nullptr;
    };
    CHECK(holds_and_is_needed(rule::rounds_only_go_up, violated));
}

TEST_CASE("R5 candidate: it adopts the newest accepted value among the promises") {
    const auto violated = [] {
        lone_node candidate(stored(2));
        cluster_state newer = agreed(9);
        newer.settings.max_lag_bytes = 12345;
        candidate.campaign({2, 3}, accepted_value{{1, 1}, newer});
        const auto* sent = candidate.last<accept>(3);
        REQUIRE(sent != nullptr);
        REQUIRE(sent->value.leader == 2);
        return sent->value.version != 10 || sent->value.settings.max_lag_bytes != 12345;
    };
    CHECK(holds_and_is_needed(rule::adopt_newest, violated));
}

TEST_CASE("R5 candidate: the majority is one of the voters named in the newest value") {
    lone_node candidate(stored(2));
    cluster_state newer = agreed(9);
    newer.voters = {2, 3, 4, 5, 1};
    candidate.campaign({2, 3}, accepted_value{{1, 1}, newer});
    CHECK(candidate.last<accept>(3) == nullptr);  // two of five
    const prepare request = *candidate.last<prepare>(4);
    promise_answer answer;
    answer.under = request.under;
    answer.attempt = request.attempt;
    answer.promised = true;
    candidate.receive(4, answer);
    CHECK(candidate.last<accept>(3) != nullptr);
}

TEST_CASE("R5 candidate: a joint value needs a majority of both sets") {
    lone_node candidate(stored(2));
    cluster_state joint = agreed(9);
    joint.next_voters = voter_set{1, 4, 5};
    candidate.campaign({2, 3}, accepted_value{{1, 1}, joint});
    CHECK(candidate.last<accept>(3) == nullptr);
    for (const node_id id : {4U, 5U}) {
        const prepare request = *candidate.last<prepare>(id);
        promise_answer answer;
        answer.under = request.under;
        answer.attempt = request.attempt;
        answer.promised = true;
        candidate.receive(id, answer);
    }
    CHECK(candidate.last<accept>(3) != nullptr);
}

TEST_CASE("R5 candidate: it promotes only when a majority has accepted its election") {
    lone_node candidate(stored(2));
    candidate.campaign({2, 3});
    CHECK(candidate.last_task<promote_server>() == nullptr);
    candidate.grant_as(3);
    REQUIRE(candidate.last_task<promote_server>() != nullptr);
    CHECK(candidate.last_task<promote_server>()->timeline == 2);
}

TEST_CASE("R5 candidate: it does not promote with less lease left than a promotion may take") {
    lone_node candidate(stored(2));
    candidate.campaign({2, 3});
    // The accept is answered when most of the lease that it grants is over.
    const std::vector<send> first = candidate.sent;
    candidate.pass(4s);
    const auto elected_by_then = candidate.last_task<promote_server>();
    CHECK(elected_by_then == nullptr);
    candidate.sent = first;
    candidate.grant_as(3);
    CHECK(candidate.last_task<promote_server>() == nullptr);
    CHECK(default_lease > 4s);
}
