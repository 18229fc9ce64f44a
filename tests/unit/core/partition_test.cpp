// Hosts that do not reach each other.
#include "catch.hpp"
#include "world.hpp"

using namespace repld;
using namespace repld::test;

TEST_CASE(
    "the primary's host is cut off: it stops before its lease ends, then another is promoted") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.at(1).times.fence = 10s;  // a fast stop that hangs: the deadline counts
    const duration cut_at = w.now();
    w.cut(1);
    REQUIRE(w.run_until([&] { return w.writable().empty(); }, 10s));
    CHECK(w.now() - cut_at < 6s);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 10s));
    CHECK(w.now() - cut_at < 6s + 500ms);
    w.at(1).times.fence = 80ms;
    w.run_for(10s);
    CHECK(w.at(1).server.is == modelled_server::condition::standby);  // reads go on
    w.heal();
    CHECK(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK(w.leader() > 1);
    CHECK_SAFE(w);
}

TEST_CASE("the leader sends and hears nothing: the same") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    for (const node_id id : {2U, 3U}) w.cut_one_way(id, 1);
    w.run_for(12s);
    CHECK(w.leader() != 1);
    w.heal();
    CHECK(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("the leader is heard by nobody but hears all: the same") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    for (const node_id id : {2U, 3U}) w.cut_one_way(1, id);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 12s));
    w.heal();
    CHECK(w.run_until([&] { return w.all_stream(); }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE(
    "all others are stopped: the primary stops accepting writes; one comes back and it goes on") {
    world w({3, 1, {}, 1});
    w.create_and_join_all();
    for (const node_id id : {2U, 3U, 4U}) w.power_off(id);
    w.run_for(8s);
    CHECK(w.writable().empty());
    CHECK(w.at(1).server.is == modelled_server::condition::standby);
    CHECK(w.count_said("fence", 1) == 1);
    w.run_for(30s);
    CHECK(w.writable().empty());
    w.power_on(2);
    CHECK(w.run_until([&] { return w.leader() != 0; }, 20s));
    w.power_on(3);
    w.power_on(4);
    CHECK(w.run_until([&] { return w.all_stream(); }, 60s));
    CHECK_SAFE(w);
}

TEST_CASE("a bridge: 1 and 2 do not reach each other, 3 reaches both; the leader stays") {
    world w({2, 1, {}, 1});
    w.create_and_join_all();
    w.cut(1, 2);
    w.run_for(120s);
    CHECK(w.leader() == 1);
    CHECK(w.count_said("fence") == 0);
    CHECK(w.count_said("elected") == 0);
    w.heal();
    CHECK(w.run_until([&] { return w.all_stream(); }, 10s));
    CHECK_SAFE(w);
}

TEST_CASE("the old leader comes back after its absence and follows") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.cut(1);
    REQUIRE(w.run_until([&] { return w.leader() > 1; }, 12s));
    const node_id successor = w.leader();
    w.run_for(60s);
    w.heal();
    REQUIRE(w.run_until([&] { return w.streams_from(1, successor); }, 30s));
    w.run_for(60s);
    CHECK(w.leader() == successor);
    CHECK_SAFE(w);
}

TEST_CASE("a standby that was cut off for long disturbs nobody when it is back") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.cut(3);
    w.run_for(60s);
    w.heal();
    CHECK(w.run_until([&] { return w.all_stream(); }, 10s));
    CHECK(w.leader() == 1);
    CHECK(w.count_said("fence") == 0);
    CHECK(w.value(1).last_timeline() == 1);
    CHECK_SAFE(w);
}

TEST_CASE("a leader with a quorum keeps all others, however slow the answers of one are") {
    // One voter refuses all the time, because its disk is broken, and the way to everybody is long.
    const duration way = GENERATE(1ms, 15ms, 40ms);
    INFO("one way " << way / 1ms << " ms");
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.route = [way](node_id, node_id, const message&) { return std::optional<duration>(way); };
    w.at(3).disk_broken = true;
    REQUIRE(w.set("max_lag", "32MB"));
    w.run_for(60s);
    CHECK(w.leader() == 1);
    CHECK(w.count_said("fence") == 0);
    CHECK_SAFE(w);
}

TEST_CASE("R11: a voter that promised higher is won back, while the primary writes") {
    const auto data = GENERATE(2U, 3U);
    INFO(data << " data nodes");
    world w({data, 3 - data, {}, 1});
    w.create_and_join_all();
    w.run_for(300ms);
    // Somebody's prepare that only node 3 heard.
    w.at(3).disk.promise = {{w.at(3).disk.promise.to.term + 5, 2}, 99};
    w.restart_daemon(3);
    w.run_for(60s);
    INFO(w.tell());
    CHECK(w.leader() == 1);
    CHECK(w.count_said("prepared_again", 1) >= 1);
    CHECK(w.count_said("fence") == 0);
    CHECK(w.all_stream());
    CHECK(w.value(1).last_timeline() == 1);
    CHECK_SAFE(w);
}

TEST_CASE("R11: an elected leader that cannot get its value accepted prepares again") {
    world w({2, 1, {}, 1});
    w.create_and_join_all();
    w.power_off(1);
    REQUIRE(w.run_until([&] { return w.count_said("elected") == 1; }, 20s));
    // Between promise and accept the witness promised somebody else, and nobody answers for that.
    w.at(3).disk.promise = {{w.at(3).disk.promise.to.term + 3, 1}, 99};
    w.at(3).disk.grant_max = 0s;
    w.restart_daemon(3);
    CHECK(w.run_until([&] { return w.leader() == 2; }, 30s));
    CHECK_SAFE(w);
}

TEST_CASE("a duel of two candidates ends") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        INFO("seed " << seed);
        world w({3, 0, {}, seed});
        w.create_and_join_all();
        w.write_bytes = 0;
        w.run_for(20ms);
        w.route = [](node_id, node_id, const message&) { return std::optional<duration>(40ms); };
        w.power_off(1);
        REQUIRE(w.run_until([&] { return w.leader() != 0; }, 15s));
        CHECK_SAFE(w);
    }
}

TEST_CASE("without pre-vote a duel still breaks nothing") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const rule_off off(rule::prevote);
        world w({3, 0, {}, seed});
        w.create_and_join_all();
        w.power_off(1);
        w.run_for(30s);
        CHECK_SAFE(w);
    }
}

TEST_CASE("slow, fast and lossy links: nothing is broken, and it heals") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        INFO("seed " << seed);
        world w({3, 2, {}, seed});
        w.create_and_join_all();
        std::uint64_t dice = seed;
        const auto roll = [&dice](std::uint64_t sides) {
            dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
            return (dice >> 33U) % sides;
        };
        w.route = [&](node_id, node_id, const message&) -> std::optional<duration> {
            if (roll(10) < 2) return std::nullopt;
            return roll(20) == 0 ? duration(std::chrono::milliseconds(roll(3000)))
                                 : duration(std::chrono::milliseconds(1 + roll(80)));
        };
        for (int fault = 0; fault < 12; ++fault) {
            const auto id = static_cast<node_id>(1 + roll(5));
            switch (roll(6)) {
                case 0: w.cut(id); break;
                case 1: w.cut(id, static_cast<node_id>(1 + roll(5))); break;
                case 2: w.restart_daemon(id); break;
                case 3:
                    if (id <= 3 && w.at(id).server.is != modelled_server::condition::stopped)
                        w.crash_postmaster(id);
                    break;
                default: w.heal(); break;
            }
            w.run_for(std::chrono::milliseconds(500 + roll(8000)));
        }
        w.heal();
        w.route = {};
        INFO(w.tell());
        CHECK(w.run_until([&] { return w.all_stream(); }, 700s));
        CHECK_SAFE(w);
    }
}
