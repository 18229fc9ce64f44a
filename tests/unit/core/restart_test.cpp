// Daemons that start again, state that went back, disks that fail, clocks that jump.
#include <algorithm>

#include "catch.hpp"
#include "world.hpp"

using namespace repld;
using namespace repld::test;

TEST_CASE("a single node that starts again leads again") {
    world w({1, 0, {}, 1});
    w.create(1);
    w.run_for(10s);
    w.power_off(1);
    w.run_for(5s);
    w.power_on(1);
    CHECK(w.run_until([&] { return w.leader() == 1; }, 20s));
    w.run_for(60s);
    CHECK(w.leader() == 1);
    CHECK_SAFE(w);
}

TEST_CASE("the daemon of a standby starts again: nobody notices") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const auto tasks = w.tasks.size();
    w.restart_daemon(2);
    w.run_for(20s);
    CHECK(w.leader() == 1);
    CHECK(w.tasks.size() == tasks);
    CHECK(w.all_stream());
    CHECK_SAFE(w);
}

TEST_CASE("the leader's daemon starts again: without a token it waits like anybody else") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.restart_daemon(1);
    REQUIRE(w.run_until([&] { return w.leader() != 0; }, 30s));
    CHECK(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("all hosts lose power and come back in any order: one primary, nothing lost") {
    std::vector<node_id> order = {1, 2, 3};
    do {
        world w({3, 0, {}, 1});
        w.create_and_join_all();
        const lsn written = w.at(1).server.end;
        for (const node_id id : w.ids()) w.power_off(id);
        w.run_for(60s);
        for (const node_id id : order) {
            w.power_on(id);
            w.run_for(1s);
        }
        INFO("order " << order[0] << order[1] << order[2] << "\n" << w.tell());
        REQUIRE(w.run_until([&] { return w.all_stream(); }, 90s));
        CHECK(w.at(w.leader()).server.end >= written);
        CHECK_SAFE(w);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("R24: a voter whose state went back is admitted again by the majority after one lease") {
    const int restarts_between = GENERATE(0, 3);
    INFO(restarts_between << " restarts of the daemon between copy and restore");
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    const durable_state copy = w.at(3).disk;
    for (int i = 0; i < restarts_between; ++i) {
        w.restart_daemon(3);
        w.run_for(8s);
    }
    w.crash_postmaster(1);  // a promise that the copy does not know
    REQUIRE(w.run_until([&] { return w.leader() != 0 && w.all_stream(); }, 30s));
    w.run_for(10s);
    const node_id lead = w.leader();
    REQUIRE(lead == 2);
    w.stop_daemon(3);
    w.at(3).disk = copy;
    w.start_daemon(3);
    w.run_for(3s);
    CHECK(w.count_said("state_went_back", 3) == 1);
    CHECK(w.leader() == lead);
    CHECK(w.run_until([&] { return w.count_said("state_readmitted", 3) == 1; }, 60s));
    w.run_for(5s);
    // It votes again: the leader and it are the majority now.
    w.power_off(1);
    w.run_for(20s);
    CHECK(w.leader() == lead);
    CHECK_SAFE(w);
}

TEST_CASE("R24: a voter whose state went back waits out a lease longer than its state names") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.write_bytes = 0;  // so that nobody is refused for being behind
    const durable_state copy = w.at(3).disk;
    REQUIRE(w.set("lease_duration", "20s"));
    REQUIRE(w.set("max_lag", "1MB"));  // more writes than the next start of the daemon makes
    REQUIRE(w.set("max_lag", "2MB"));
    w.run_for(3s);
    w.cut(1, 2);
    w.run_for(30s);  // the lease of 1 hangs on the vote of 3 alone
    REQUIRE(w.leader() == 1);
    w.stop_daemon(3);
    w.at(3).disk = copy;
    w.start_daemon(3);
    REQUIRE(w.run_until([&] { return w.count_said("state_went_back", 3) == 1; }, 3s));
    w.run_for(200ms);  // both have answered
    w.cut(1);
    CHECK(w.run_until([&] { return w.leader() == 2; }, 60s));
    CHECK(w.count_said("state_readmitted", 3) == 1);
    CHECK_SAFE(w);
}

TEST_CASE("the leader's disk fails: the others' votes keep its lease") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.at(1).disk_broken = true;
    w.run_for(30s);
    CHECK(w.leader() == 1);
    CHECK(w.set("max_lag", "1MB"));
    w.run_for(5s);
    CHECK(w.count_said("state_not_written", 1) == 1);
    w.at(1).disk_broken = false;
    w.run_for(5s);
    CHECK(w.count_said("state_written", 1) == 1);
    CHECK(w.leader() == 1);
    CHECK_SAFE(w);
}

TEST_CASE(
    "a single node whose disk fails stops before its lease ends, and comes back with the disk") {
    world w({1, 0, {}, 1});
    w.create(1);
    w.run_for(10s);
    w.at(1).disk_broken = true;
    w.ask(1, change_settings{{{"max_lag", "1MB"}}});
    w.run_for(7s);
    CHECK(w.writable().empty());
    w.at(1).disk_broken = false;
    CHECK(w.run_until([&] { return w.leader() == 1; }, 20s));
    CHECK_SAFE(w);
}

TEST_CASE("a slow disk delays answers and loses nothing") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    for (const node_id id : w.ids()) w.at(id).disk_delay = 150ms;
    w.crash_postmaster(1);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 10s));
    CHECK(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("R12: the leader's wall clock jumps by an hour, and nothing changes") {
    for (const duration jump : {duration(1h), duration(-1h)}) {
        world w({3, 0, {}, 1});
        w.create_and_join_all();
        w.at(1).wall_offset += jump;
        w.run_for(20s);
        CHECK(w.count_said("clock_jump", 1) == 1);
        CHECK(w.count_said("fence") == 0);
        CHECK(w.leader() == 1);
        CHECK_SAFE(w);
    }
}

TEST_CASE("R12: a leader whose machine stood still distrusts its lease when it wakes") {
    const auto belief_after_waking = [] {
        world w({3, 0, {}, 1});
        w.create_and_join_all();
        w.suspend(1);
        // Its server stands still with it; what the world calls writable cannot write.
        w.run_for(20s);
        w.violations.clear();
        w.resume(1);
        const auto end = w.at(1).daemon->lease_end();
        const bool believed = end && *end > w.clock(1);
        w.run_for(1500ms);
        CHECK(w.writable().size() == 1);
        CHECK(w.leader() > 1);
        return believed;
    };
    CHECK_FALSE(belief_after_waking());
}

TEST_CASE("a machine stood still for a moment with its clock: the leader goes on") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.suspend(1);
    w.run_for(1s);
    w.resume(1);
    w.run_for(20s);
    CHECK(w.leader() == 1);
    CHECK(w.count_said("fence") == 0);
    CHECK_SAFE(w);
}

TEST_CASE("clocks that run as fast and slow as allowed: no failover, and none too early") {
    world_options o{3, 0, {}, 1};
    o.settings.clock_drift_max_ppm = 50000;
    world w(o);
    w.set_rate(1, 0.95);
    w.set_rate(2, 1.05);
    w.set_rate(3, 1.05);
    w.create_and_join_all();
    w.run_for(60s);
    CHECK(w.leader() == 1);
    w.at(1).times.fence = 10s;
    w.cut(1);
    CHECK(w.run_until([&] { return w.leader() > 1; }, 20s));
    CHECK_SAFE(w);
}
