// What a person has said about failovers: manual, limits, priorities, lag, crash policy.
#include "catch.hpp"
#include "world.hpp"

using namespace repld;
using namespace repld::test;

TEST_CASE("failover = manual: nobody else leads; the old leader may") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("failover", "manual"));
    w.run_for(3s);
    w.power_off(1);
    w.run_for(60s);
    CHECK(w.leader() == 0);
    CHECK(w.count_said("not_a_candidate") >= 2);
    w.power_on(1);
    CHECK(w.run_until([&] { return w.leader() == 1; }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("failover_limit: the next failover waits until the window has passed") {
    world w({3, 1, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("failover_limit", "2/5m"));
    w.run_for(3s);
    const duration first = w.now();
    for (int i = 0; i < 2; ++i) {
        const node_id old = w.leader();
        w.crash_postmaster(old);
        REQUIRE(w.run_until([&] { return w.leader() != 0 && w.leader() != old; }, 20s));
        REQUIRE(w.run_until([&] { return w.all_stream(); }, 30s));
        w.run_for(3s);
    }
    const node_id old = w.leader();
    w.power_off(old);
    w.run_for(60s);
    CHECK(w.leader() == 0);
    REQUIRE(w.run_until([&] { return w.leader() != 0; }, 400s));
    CHECK(w.now() - first > 299s);
    CHECK_SAFE(w);
}

TEST_CASE("failover_limit: the same leader may always be elected again") {
    world w({3, 1, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("failover_limit", "1/1h"));
    w.run_for(3s);
    w.crash_postmaster(1);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 20s));
    const node_id second = w.leader();
    REQUIRE(w.run_until([&] { return w.all_stream(); }, 30s));
    w.power_off(second);
    w.run_for(60s);
    CHECK(w.leader() == 0);
    w.power_on(second);
    CHECK(w.run_until([&] { return w.leader() == second; }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("priority 0 is never elected") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    for (const node_id id : {2U, 3U}) {
        member never = w.member_of(id);
        never.priority = 0;
        w.ask(1, add_member{never});
        w.run_for(2s);
    }
    w.power_off(1);
    w.run_for(60s);
    CHECK(w.leader() == 0);
    CHECK(w.at(2).daemon->view().why_not_candidate == "its priority is 0");
    CHECK_SAFE(w);
}

TEST_CASE("max_lag: a standby too far behind what the last primary said is not promoted") {
    world w({2, 1, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("max_lag", "100kB"));
    w.cut_one_way(2, 1);  // replication and answers stop; it goes on hearing the leader
    w.run_for(10s);
    w.power_off(1);
    w.heal();
    w.run_for(60s);
    CHECK(w.leader() == 0);
    CHECK(w.at(2).daemon->view().why_not_candidate.find("more than max_lag") != std::string::npos);
    w.power_on(1);
    CHECK(w.run_until([&] { return w.leader() == 1; }, 60s));
    CHECK_SAFE(w);
}

TEST_CASE(
    "on_crash = restart: the postmaster is started again under the same lease; then promote") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("on_crash", "restart"));
    w.crash_postmaster(1);
    CHECK(w.run_until([&] { return w.leader() == 1; }, 5s));
    w.run_for(10s);
    CHECK(w.leader() == 1);
    CHECK(w.value(1).last_timeline() == 1);
    CHECK(w.all_stream());
    w.crash_postmaster(1);  // a crash loop
    CHECK(w.run_until([&] { return w.leader() > 1; }, 10s));
    CHECK_SAFE(w);
}

TEST_CASE("on_crash = restart: a server that does not come up is failed over") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    REQUIRE(w.set("on_crash", "restart"));
    w.at(1).server.fails_to_start = true;
    w.crash_postmaster(1);
    CHECK(w.run_until([&] { return w.leader() > 1; }, 10s));
    CHECK_SAFE(w);
}

TEST_CASE("a server that does not start is tried again, ever more slowly") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.at(3).server.fails_to_start = true;
    w.crash_postmaster(3);
    w.run_for(300s);
    const auto tries = w.count_said("start_failed", 3);
    CHECK(tries >= 5);
    CHECK(tries <= 20);
    w.at(3).server.fails_to_start = false;
    CHECK(w.run_until([&] { return w.all_stream(); }, 60s));
    CHECK_SAFE(w);
}
