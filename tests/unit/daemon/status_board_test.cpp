#include "status_board.hpp"

#include "catch.hpp"

using namespace repld;
using namespace std::chrono_literals;

namespace {

cluster_state three() {
    cluster_state s;
    s.cluster = "main";
    s.version = 4;
    s.leader = 1;
    s.members = {
        {1, 11, "m", "n1", node_role::data, "10.0.0.1:7432", "host=10.0.0.1", "default", 100},
        {2, 22, "m", "n2", node_role::data, "10.0.0.2:7432", "host=10.0.0.2", "default", 50},
        {9, 99, "m", "w", node_role::witness, "10.0.0.9:7432", "", "default", 100}};
    s.voters = {1, 2, 9};
    return s;
}

node_status node_of(node_id id, const char* role) {
    node_status s;
    s.id = id;
    s.role = role;
    s.state = "running";
    return s;
}

node_view leading() {
    node_view v;
    v.leader = 1;
    v.lease_left = 5s;
    v.writable = true;
    v.voters = 3;
    v.reached = 3;
    v.has_quorum = true;
    v.promised = {3, 1};
    return v;
}

status_board healthy(boot_time at) {
    status_board board;
    node_status n1 = node_of(1, "primary");
    n1.leads = n1.writable = n1.has_quorum = true;
    n1.timeline = 2;
    n1.receive = n1.replay = lsn{0x3000148};
    node_status n2 = node_of(2, "standby");
    n2.upstream = 1;
    n2.streaming = true;
    n2.timeline = 2;
    n2.receive = lsn{0x3000148};
    n2.replay = lsn{0x3000048};
    board.put(n1, at);
    board.put(n2, at);
    board.put(node_of(9, "witness"), at);
    return board;
}

}  // namespace

TEST_CASE("a whole cluster is shown as the contract says, without problems") {
    const auto shown = healthy(boot_time{10s}).show(three(), leading(), 1, boot_time{10s + 200ms});
    CHECK_FALSE(shown.problems);
    const auto& b = shown.body;
    CHECK(b["cluster"] == "main");
    CHECK(b["term"] == 3);
    CHECK(b["leader"] == "n1");
    CHECK(b["quorum"]["voters"] == 3);
    CHECK(b["quorum"]["reached"] == 3);
    CHECK(b["quorum"]["has_quorum"] == true);
    CHECK(b["paused"] == false);
    REQUIRE(b["nodes"].size() == 3);
    const auto& n1 = b["nodes"][0];
    CHECK(n1["role"] == "primary");
    CHECK(n1["upstream"].is_null());
    CHECK(n1["receive_lsn"] == "0/3000148");
    const auto& n2 = b["nodes"][1];
    for (const char* key : {"id", "name", "role", "state", "reachable", "upstream", "timeline",
                            "receive_lsn", "replay_lsn", "lag_bytes", "lag_seconds", "location",
                            "priority", "voter", "last_seen_seconds", "conninfo"})
        CHECK(n2.contains(key));
    CHECK(n2["upstream"] == "n1");
    CHECK(n2["lag_bytes"] == 256);
    CHECK(n2["priority"] == 50);
    CHECK(n2["last_seen_seconds"].get<double>() == Approx(0.2));
    CHECK(b["nodes"][2]["role"] == "witness");
    CHECK(b["nodes"][2]["conninfo"].is_null());
    CHECK(b["warnings"].empty());
}

TEST_CASE("a node that is silent is unreachable, whatever it said last") {
    const auto shown = healthy(boot_time{10s}).show(three(), leading(), 1, boot_time{60s});
    CHECK(shown.problems);
    CHECK(shown.body["nodes"][1]["reachable"] == false);
    CHECK(shown.body["nodes"][1]["state"] == "unreachable");
    CHECK(shown.body["warnings"].size() >= 2);
}

TEST_CASE("no leader is a problem that says what is known") {
    node_view v = leading();
    v.leader = 0;
    v.state = "no majority would promise (1 of 3 voters)";
    const auto shown = healthy(boot_time{10s}).show(three(), v, 2, boot_time{10s});
    CHECK(shown.problems);
    CHECK(shown.body["leader"].is_null());
    CHECK(shown.body["quorum"]["has_quorum"] == false);
    CHECK(shown.body["warnings"].dump().find("1 of 3 voters") != std::string::npos);
}

TEST_CASE("a standby that does not stream is a problem, a spare is not") {
    auto board = healthy(boot_time{10s});
    node_status n2 = *board.find(2);
    n2.streaming = false;
    n2.reason = "cannot rejoin: because";
    board.put(n2, boot_time{10s});
    cluster_state s = three();
    CHECK(board.show(s, leading(), 1, boot_time{10s}).body["warnings"].dump().find("because") !=
          std::string::npos);
    s.voters = {1};
    const auto shown = healthy(boot_time{10s}).show(s, leading(), 1, boot_time{10s});
    CHECK_FALSE(shown.problems);
    CHECK(shown.body["notes"].dump().find("spare") != std::string::npos);
}

TEST_CASE("a status travels whole, and a broken one is refused") {
    node_status s = node_of(2, "standby");
    s.replay = lsn{77};
    s.lag_seconds = 1.5;
    s.reason = "x";
    const auto back = decode_status(encode(s));
    REQUIRE(back.has_value());
    CHECK(encode(*back) == encode(s));
    const auto whole = encode(s);
    for (const auto& [key, value] : whole.items()) {
        auto less = whole;
        less.erase(key);
        CHECK_FALSE(decode_status(less).has_value());
    }
}

TEST_CASE("the rows of the schema say the same") {
    const auto all = healthy(boot_time{10s}).snapshot(three(), 1, boot_time{11s});
    REQUIRE(all.nodes.size() == 3);
    CHECK(all.nodes[0].role == "primary");
    CHECK(all.nodes[1].slot_name == "repld_2");
    CHECK(all.nodes[1].upstream == node_id{1});
    CHECK(all.status[1].lag_bytes == 256U);
    CHECK(all.status[1].last_seen_age == duration(1s));
    CHECK(all.nodes[2].role == "witness");
}
