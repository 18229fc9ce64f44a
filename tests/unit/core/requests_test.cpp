// What people ask of a node, and the answers.
#include "catch.hpp"
#include "lone_node.hpp"

using namespace repld;
using namespace repld::test;

TEST_CASE(
    "step_down: fenced, released, up again as a standby, then answered; another leads at once") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const duration asked = w.now();
    const auto request = w.ask(1, step_down{"the daemon is ending"});
    REQUIRE(w.run_until([&] { return w.answer(request) != nullptr; }, 10s));
    CHECK(w.answer(request)->has_value());
    CHECK(w.at(1).server.is == modelled_server::condition::standby);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 5s));
    CHECK(w.now() - asked < 1500ms);
    CHECK_SAFE(w);
}

TEST_CASE("step_down: a stop that hangs ends before the lease does") {
    for (const auto& margin : {"20%", "40%"}) {
        world w({3, 0, {}, 1});
        w.create_and_join_all();
        REQUIRE(w.set("demote_margin", margin));
        w.run_for(2s);
        w.at(1).times.fence = 60s;
        w.cut(1);
        w.run_for(1900ms);
        REQUIRE(w.leader() == 1);
        w.ask(1, step_down{"the daemon is ending"});
        w.run_for(30s);
        INFO("demote_margin " << margin);
        CHECK_SAFE(w);
    }
}

TEST_CASE("step_down: a standby answers at once and never tries to lead again") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const auto request = w.ask(2, step_down{"the daemon is ending"});
    CHECK(w.answer(request) != nullptr);
    w.power_off(1);
    CHECK(w.run_until([&] { return w.leader() == 3; }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("step_down: answered as well by a leader whose election is not accepted yet") {
    lone_node n(stored(2));
    n.campaign({2, 3});
    REQUIRE(n.daemon.is_leader());
    n.feed(operator_request{7, step_down{"the daemon is ending"}});
    n.pass(5s);
    REQUIRE(n.replies.size() == 1);
    CHECK(n.replies[0].request == 7);
}

TEST_CASE("requests that only a leader carries out are refused elsewhere") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const auto settings = w.ask(2, change_settings{{{"max_lag", "1MB"}}});
    const auto join = w.ask(2, add_member{w.member_of(3)});
    const auto create = w.ask(2, create_cluster{"other", 1, w.member_of(2), {}, {1, lsn{1}}});
    for (const auto request : {settings, join, create}) {
        REQUIRE(w.answer(request) != nullptr);
        CHECK(w.answer(request)->error().code == errc::refused);
    }
}

TEST_CASE("a cluster is created where a primary runs, and nowhere else") {
    world w({1, 1, {}, 1});
    const auto witness = w.ask(2, create_cluster{"main", 1, w.member_of(2), {}, {1, lsn{1}}});
    CHECK_FALSE(w.answer(witness)->has_value());
    w.at(1).server.is = modelled_server::condition::standby;
    w.run_for(1s);
    const auto standby = w.ask(1, create_cluster{"main", 1, w.member_of(1), {}, {1, lsn{1}}});
    CHECK_FALSE(w.answer(standby)->has_value());
}

TEST_CASE("settings: all of a request or nothing") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const auto before = w.value(1);
    for (const auto& changes : std::vector<std::vector<std::pair<std::string, std::string>>>{
             {{"max_lag", "1MB"}, {"no_such_key", "1"}},
             {{"max_lag", "1MB"}, {"heartbeat_interval", "3s"}},
             {{"synchronous", "1"}}}) {
        const auto request = w.ask(1, change_settings{changes});
        REQUIRE(w.answer(request) != nullptr);
        CHECK(w.answer(request)->error().code == errc::configuration);
    }
    w.run_for(1s);
    CHECK(w.value(1) == before);
    const auto same = w.ask(1, change_settings{{{"max_lag", "16MB"}}});
    CHECK(w.answer(same)->has_value());
    // Neither alone is possible: a longer heartbeat needs the longer lease.
    const auto both =
        w.ask(1, change_settings{{{"lease_duration", "12s"}, {"heartbeat_interval", "3s"}}});
    w.run_for(1s);
    INFO(w.tell());
    REQUIRE(w.answer(both) != nullptr);
    CHECK(w.answer(both)->has_value());
    w.run_for(1s);
    for (const node_id id : w.ids()) CHECK(w.value(id).settings.lease_duration == 12s);
}

TEST_CASE(
    "a change that was not committed when the leader stepped down is answered, not forgotten") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.cut(1);
    const auto proposed = w.ask(1, change_settings{{{"max_lag", "1MB"}}});
    const auto waiting = w.ask(1, change_settings{{{"max_lag", "2MB"}}});
    w.run_for(15s);
    REQUIRE(w.answer(proposed) != nullptr);
    CHECK(w.answer(proposed)->error().code == errc::timed_out);
    REQUIRE(w.answer(waiting) != nullptr);
    CHECK(w.answer(waiting)->error().code == errc::unreachable);
    CHECK_SAFE(w);
}

TEST_CASE("the number of waiting requests is bounded") {
    lone_node leader(stored(2));
    leader.lead({2, 3});
    for (std::uint64_t i = 0; i < 200; ++i)
        leader.feed(
            operator_request{i, change_settings{{{"max_lag", std::to_string(i + 1) + "MB"}}}});
    std::size_t refused = 0;
    for (const reply& r : leader.replies)
        if (!r.outcome && r.outcome.error().message == "too many changes are waiting") ++refused;
    CHECK(refused >= 100);
}

TEST_CASE("names and addresses are unique; the same member may come again and may have moved") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    member other = w.member_of(2);
    other.id = 8;
    other.identity = 8;
    const auto named = w.ask(1, add_member{other});
    CHECK(w.answer(named)->error().message == "node name \"n2\" is already taken");
    other.name = "n8";
    const auto addressed = w.ask(1, add_member{other});
    CHECK(w.answer(addressed)->error().message.find("is already taken") != std::string::npos);
    const auto again = w.ask(1, add_member{w.member_of(2)});
    CHECK(w.answer(again)->has_value());
    member moved = w.member_of(2);
    moved.address = "10.0.1.2:7432";
    const auto move = w.ask(1, add_member{moved});
    w.run_for(1s);
    REQUIRE(w.answer(move) != nullptr);
    CHECK(w.answer(move)->has_value());
    CHECK(w.value(3).find(2)->address == "10.0.1.2:7432");
}
