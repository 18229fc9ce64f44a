// From one server to a cluster.
#include "catch.hpp"
#include "world.hpp"

using namespace repld;
using namespace repld::test;

TEST_CASE("one node creates a cluster and leads it without touching its server") {
    world w({1, 0, {}, 1});
    w.create(1);
    w.run_for(60s);
    CHECK(w.leader() == 1);
    CHECK(w.voters() == voter_set{1});
    CHECK(w.value(1).timelines.size() == 1);
    CHECK(w.tasks.empty());
    CHECK_SAFE(w);
}

TEST_CASE("three data nodes: all vote, all stream, nothing happens for ten minutes") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    CHECK(w.voters() == voter_set{1, 2, 3});
    CHECK(w.all_stream());
    const auto tasks = w.tasks.size();
    w.write_bytes = 10;
    w.run_for(600s);
    CHECK(w.leader() == 1);
    CHECK(w.tasks.size() == tasks);
    CHECK(w.value(1).last_timeline() == 1);
    CHECK_SAFE(w);
}

TEST_CASE("two data nodes and a witness: the second node votes when the witness comes") {
    world w({2, 1, {}, 1});
    w.create(1);
    w.join(2);
    w.run_for(5s);
    CHECK(w.voters() == voter_set{1});
    w.join(3);
    CHECK(w.run_until([&] { return w.voters() == voter_set{1, 2, 3}; }, 5s));
    CHECK(w.run_until([&] { return w.all_stream(); }, 5s));
    CHECK_SAFE(w);
}

TEST_CASE("three data nodes and a witness: the fourth is a spare") {
    world w({3, 1, {}, 1});
    w.create_and_join_all();
    CHECK(w.voters() == voter_set{1, 2, 3});
    CHECK(w.value(4).members.size() == 4);
    CHECK_SAFE(w);
}

TEST_CASE("a second data node that does not vote disturbs nobody when it stops") {
    world w({2, 0, {}, 1});
    w.create_and_join_all();
    w.power_off(2);
    w.run_for(60s);
    CHECK(w.leader() == 1);
    CHECK(w.count_said("fence") == 0);
    CHECK_SAFE(w);
}

TEST_CASE("five nodes vote; two of them may fail") {
    world w({3, 2, {}, 1});
    w.create_and_join_all();
    CHECK(w.voters() == voter_set{1, 2, 3, 4, 5});
    w.power_off(5);
    w.power_off(1);
    CHECK(w.run_until([&] { return w.leader() != 0; }, 15s));
    CHECK_SAFE(w);
}

TEST_CASE("the clock's beginning and the wall clock of a host mean nothing to the others") {
    world w({3, 0, {}, 1});
    w.create_and_join_all();
    w.at(2).wall_offset -= 24h;
    w.at(3).wall_offset += 24h;
    w.run_for(30s);
    CHECK(w.leader() == 1);
    CHECK(w.count_said("fence") == 0);
    CHECK_SAFE(w);
}
