// R22 to R24: members and voters. Each test shows its rule, and what happens without it.
#include "catch.hpp"
#include "lone_node.hpp"

using namespace repld;
using namespace repld::test;

TEST_CASE("R22 joint configuration: old and new voters are named until the change is committed") {
    const auto violated = [] {
        lone_node leader(stored(2));
        leader.lead({2, 3});
        // All five answer: all five shall vote.
        for (int i = 0; i < 5; ++i) {
            for (const node_id id : {1U, 3U, 4U, 5U})
                if (leader.last<accept>(id) != nullptr) leader.grant_as(id);
            for (const send& s : leader.sent)
                if (const auto* a = std::get_if<accept>(&s.body))
                    if (a->value.voters.size() == 5 || a->value.next_voters)
                        return !a->value.next_voters.has_value();
            leader.pass(500ms);
        }
        FAIL("the voters were never changed");
        return false;
    };
    CHECK(holds_and_is_needed(rule::joint_voters, violated));
}

TEST_CASE("R22 joint configuration: no change while those whom the new majority needs are silent") {
    lone_node leader(stored(2));
    leader.lead({2, 3});
    for (int i = 0; i < 20; ++i) {
        leader.grant_as(3);
        leader.pass(500ms);
    }
    CHECK(leader.daemon.state()->voters == voter_set{1, 2, 3});
    CHECK_FALSE(leader.daemon.state()->next_voters.has_value());
}

TEST_CASE("R23 an odd number: the second data node does not vote, the third brings both in") {
    const auto violated = [] {
        world w({3, 0, {}, 1});
        w.create(1);
        w.join(2);
        w.run_for(5s);
        REQUIRE(w.voters() == voter_set{1});
        w.join(3);
        w.run_for(5s);
        return w.voters() != voter_set{1, 2, 3};
    };
    CHECK(holds_and_is_needed(rule::odd_voters, violated));
}

TEST_CASE("R24 identity: messages of another installation with a member's id are dropped") {
    const auto violated = [] {
        lone_node witness(stored(3));
        envelope other = lone_node::from(1);
        other.identity = 666;
        witness.receive(other, lone_node::heartbeat_of(1, 1, 1));
        return witness.last<grant_answer>(1) != nullptr;
    };
    CHECK(holds_and_is_needed(rule::identity, violated));
}

TEST_CASE("R24 identity: a daemon on another machine than its state's says and answers nothing") {
    const auto violated = [] {
        durable_state disk = stored(3);
        disk.machine_id = "the machine that this directory was copied from";
        lone_node witness(disk);
        witness.receive(2, prepare{{5, 2}, 77, at_lsn(5000), 0});
        return witness.last<promise_answer>(2) != nullptr;
    };
    CHECK(holds_and_is_needed(rule::identity, violated));
}

TEST_CASE("R24 identity: other clusters and other system identifiers are not heard") {
    lone_node witness(stored(3));
    envelope other = lone_node::from(1);
    other.cluster = "test";
    witness.receive(other, lone_node::heartbeat_of(1, 1, 1));
    other = lone_node::from(1);
    other.system_identifier = 1;
    witness.receive(other, lone_node::heartbeat_of(1, 1, 1));
    other = lone_node::from(3);  // itself
    witness.receive(other, release{{1, 3}});
    CHECK(witness.sent.empty());
}

TEST_CASE("R24 lost state: a message of a peer whose state went back is dropped") {
    const auto violated = [] {
        lone_node witness(stored(3));
        envelope peer = lone_node::from(2);
        peer.boot = 4;
        peer.generation = 20;
        witness.receive(peer, prevote_request{1, at_lsn(5000)});
        REQUIRE(witness.last<prevote_answer>(2) != nullptr);
        witness.forget();
        peer.boot = 5;
        peer.generation = 12;
        witness.receive(peer, prevote_request{2, at_lsn(5000)});
        return witness.last<prevote_answer>(2) != nullptr;
    };
    CHECK(holds_and_is_needed(rule::generation, violated));
}

TEST_CASE("R24 lost state: a voter of which a peer remembers more promises nothing") {
    const auto violated = [] {
        lone_node witness(stored(3));
        envelope peer = lone_node::from(2);
        peer.remembers = 500;
        witness.receive(peer, prepare{{5, 2}, 77, at_lsn(5000), 0});
        return witness.last<promise_answer>(2)->promised;
    };
    CHECK(holds_and_is_needed(rule::generation, violated));
}

TEST_CASE("R24 lost state: a generation that a crash could undo is told to nobody") {
    lone_node witness(stored(3));
    witness.hold_disk();
    witness.receive(2, prepare{{5, 2}, 77, at_lsn(5000), 0});
    witness.receive(4, prevote_request{1, at_lsn(5000)});
    std::uint64_t before = 0;
    for (const send& s : witness.sent)
        if (s.to == 4) before = s.from.generation;
    witness.release_disk();
    std::uint64_t after = 0;
    for (const send& s : witness.sent)
        if (s.to == 2) after = s.from.generation;
    CHECK(before < witness.daemon.durable().generation);
    CHECK(after == witness.daemon.durable().generation);
}
