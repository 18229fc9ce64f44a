// The primary dies, and what comes back afterwards.
#include "catch.hpp"
#include "world.hpp"

using namespace repld;
using namespace repld::test;

namespace {

// The last task of this kind that was given to `id`.
template <class Task>
const Task* last_task(const world& w, node_id id) {
    for (auto it = w.tasks.rbegin(); it != w.tasks.rend(); ++it)
        if (it->first == id)
            if (const auto* t = std::get_if<Task>(&it->second)) return t;
    return nullptr;
}

}  // namespace

TEST_CASE(
    "the postmaster dies: released at once, another leads, the old one comes back by itself") {
    const auto witnesses = GENERATE(0U, 1U);
    world w({witnesses == 0 ? 3U : 2U, witnesses, {}, 1});
    w.create_and_join_all();
    const duration died = w.now();
    w.crash_postmaster(1);
    CHECK(w.run_until([&] { return w.leader() > 1; }, 5s));
    INFO(w.tell());
    CHECK(w.now() - died < 500ms);
    CHECK(w.value(w.leader()).last_timeline() == 2);
    CHECK(w.run_until([&] { return w.all_stream(); }, 20s));
    CHECK(w.value(w.leader()).leader == w.leader());
    CHECK(w.count_said("promoted") == 1);
    CHECK_SAFE(w);
}

TEST_CASE("the postmaster dies with WAL that nobody has: the old primary is rewound to the fork") {
    world w({2, 1, {}, 1});
    w.create_and_join_all();
    w.at(2).server.upstream = 0;  // replication stops a moment before the crash
    w.run_for(20ms);
    const wal_position left = w.at(1).server.position();
    const wal_position taken = w.at(2).server.position();
    REQUIRE(taken < left);
    w.crash_postmaster(1);
    w.at(1).times.start = 60s;  // its server takes long to come up, so it cannot insist on its WAL
    REQUIRE(w.run_until([&] { return w.leader() == 2; }, 30s));
    w.at(1).times.start = 200ms;
    REQUIRE(w.run_until([&] { return w.all_stream(); }, 120s));
    const auto* rejoin = last_task<rejoin_server>(w, 1);
    REQUIRE(rejoin != nullptr);
    CHECK(rejoin->upstream == 2);
    CHECK(rejoin->fork == taken.end);
    CHECK(rejoin->own == left);
    CHECK_SAFE(w);
}

TEST_CASE("with rejoin = follow nothing is thrown away: a person decides") {
    world w({2, 1, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("rejoin", "follow"));
    w.run_for(2s);
    w.at(2).server.upstream = 0;
    w.run_for(20ms);
    w.crash_postmaster(1);
    w.at(1).times.start = 60s;
    REQUIRE(w.run_until([&] { return w.leader() == 2; }, 30s));
    w.run_for(120s);
    CHECK(last_task<rejoin_server>(w, 1) == nullptr);
    CHECK_FALSE(w.streams_from(1, 2));
    CHECK(w.at(1).daemon->view().state.find("needs a person") != std::string::npos);
    CHECK_SAFE(w);
}

TEST_CASE("an old primary that has nothing more than the new one follows without a rewind") {
    world w({2, 1, {}, 1});
    w.create_and_join_all();
    w.write_bytes = 0;
    w.run_for(50ms);
    w.crash_postmaster(1);
    REQUIRE(w.run_until([&] { return w.leader() == 2; }, 5s));
    REQUIRE(w.run_until([&] { return w.all_stream(); }, 20s));
    CHECK(last_task<rejoin_server>(w, 1) == nullptr);
    CHECK_SAFE(w);
}

TEST_CASE("the host of the primary dies: another leads when the lease is over") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const duration died = w.now();
    w.power_off(1);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 20s));
    INFO(w.tell());
    CHECK(w.now() - died < 6s + 500ms);
    w.run_for(10s);
    w.power_on(1);
    CHECK(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE(
    "three failovers in a row: each time one primary, everybody follows, timelines only go up") {
    world w({3, 1, {}, 1});
    w.create_and_join_all();
    for (timeline_id timeline = 2; timeline <= 4; ++timeline) {
        const node_id old = w.leader();
        w.crash_postmaster(old);
        REQUIRE(w.run_until([&] { return w.leader() != 0 && w.leader() != old; }, 20s));
        CHECK(w.value(w.leader()).last_timeline() == timeline);
        INFO(w.tell());
        REQUIRE(w.run_until([&] { return w.all_stream(); }, 30s));
        w.run_for(3s);
    }
    CHECK_SAFE(w);
}

TEST_CASE("the node with the most WAL is elected") {
    world w({3, 1, {}, 1});
    w.create_and_join_all();
    w.at(2).server.upstream = 0;  // 2 would be preferred otherwise: same priority, lower id
    w.run_for(20ms);
    w.power_off(1);
    REQUIRE(w.run_until([&] { return w.leader() != 0; }, 20s));
    CHECK(w.leader() == 3);
    CHECK_SAFE(w);
}

TEST_CASE("of equals the one with the higher priority is elected, then the lower id") {
    world w({3, 0, {}, 1});
    w.create(1);
    w.write_bytes = 0;
    for (const node_id id : {2U, 3U}) w.join(id);
    member preferred = w.member_of(3);
    preferred.priority = 200;
    w.ask(1, add_member{preferred});
    w.run_for(10s);
    w.power_off(1);
    REQUIRE(w.run_until([&] { return w.leader() != 0; }, 20s));
    CHECK(w.leader() == 3);
    CHECK_SAFE(w);
}

TEST_CASE(
    "a promotion under way that dies is released, and its timeline is given to nobody again") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.write_bytes = 0;
    w.run_for(20ms);
    w.at(2).times.promote = 10s;
    w.power_off(1);
    REQUIRE(w.run_until([&] { return w.count_said("promote", 2) == 1; }, 20s));
    w.crash_postmaster(2);
    w.at(2).times.promote = 100ms;
    REQUIRE(w.run_until([&] { return w.leader() != 0; }, 20s));
    CHECK(w.value(w.leader()).last_timeline() == 3);
    CHECK_SAFE(w);
}

TEST_CASE("a server promoted by hand is fenced and rejoins") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.promote_by_hand(3);
    // Two servers are writable until the daemon has looked: nobody can prevent what a person does.
    w.run_until([&] { return w.writable().size() == 1; }, 5s);
    CHECK(w.writable() == std::vector<node_id>{1});
    w.violations.clear();
    REQUIRE(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK(last_task<rejoin_server>(w, 3) != nullptr);
    CHECK(w.leader() == 1);
    CHECK_SAFE(w);
}

TEST_CASE("a release that is lost costs a lease, no more") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.route = [](node_id, node_id, const message& m) {
        return std::holds_alternative<release>(m) ? std::nullopt : std::optional<duration>(1ms);
    };
    w.crash_postmaster(1);
    CHECK(w.run_until([&] { return w.leader() != 0; }, 10s));
    CHECK_SAFE(w);
}

TEST_CASE("a server that cannot be promoted does not keep another from it") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.write_bytes = 0;
    w.run_for(20ms);
    w.at(2).server.fails_to_promote = true;
    w.power_off(1);
    w.run_until([&] { return w.leader() == 3; }, 60s);
    INFO(w.tell());
    CHECK(w.leader() == 3);
    CHECK_SAFE(w);
}
