#include "catch.hpp"
#include "protocol/message_codec.hpp"
#include "protocol/state_codec.hpp"

using namespace repld;

namespace {

cluster_state sample_state() {
    cluster_state s;
    s.cluster = "main";
    s.system_identifier = 18446744073709551615ULL;
    s.version = 7;
    s.leader = 2;
    s.members = {{1, 111, "m1", "n1", node_role::data, "10.0.0.1:7432", "host=10.0.0.1", "a", 100},
                 {2, 222, "m2", "n2", node_role::data, "10.0.0.2:7432", "host=10.0.0.2", "b", 0},
                 {9, 999, "m9", "w", node_role::witness, "10.0.0.9:7432", "", "default", 100}};
    s.voters = {1, 2, 9};
    s.next_voters = voter_set{1, 2};
    s.settings.lease_duration = std::chrono::milliseconds(1500);
    s.settings.failover_limit.count = 0;
    s.settings.rejoin = rejoin_policy::clone;
    s.timelines = {{1, 0, lsn{}, {1, 1}}, {3, 1, lsn{0x3000148}, {4, 2}}};
    s.paused = true;
    return s;
}

durable_state sample_durable() {
    durable_state d;
    d.id = 2;
    d.identity = 0xFFFFFFFFFFFFFFFFULL;
    d.machine_id = "abc";
    d.cluster = "main";
    d.system_identifier = 42;
    d.boot = 3;
    d.generation = 77;
    d.own_term = 4;
    d.promise = {{4, 2}, 12345};
    d.accepted = accepted_value{{4, 2}, sample_state()};
    d.floor = {3, 1};
    d.grant_max = std::chrono::seconds(6);
    d.closed = {{1, 3}, {2, 2}};
    d.peers[1] = {111, 5, 1234, 99};
    d.starts = {{1, 11, 5}, {2, 22, 70}};
    d.start = 33;
    d.went_back = true;
    return d;
}

const envelope sample_from{2, "main", 42, 222, 3, 77, 5555, 9, 2, 6666};

template <class M>
void round_trip(const M& m) {
    const auto wire = protocol::encode(sample_from, m);
    const auto back = protocol::decode_message(nlohmann::json::parse(wire.dump()));
    REQUIRE(back.has_value());
    // What is encoded again must be the same text: every field came through.
    CHECK(protocol::encode(back->from, back->body) == wire);
    CHECK(std::holds_alternative<M>(back->body));
    // Every field is asked for: taking any one away is noticed.
    for (const auto& [key, value] : wire.items()) {
        if (key == "accepted" || key == "position") continue;  // optional in some messages
        auto less = wire;
        less.erase(key);
        CHECK_FALSE(protocol::decode_message(less).has_value());
    }
    for (const auto& [key, value] : wire.items()) {
        auto wrong = wire;
        wrong[key] = nlohmann::json::object({{"x", 1}});
        CHECK_FALSE(protocol::decode_message(wrong).has_value());
    }
}

}  // namespace

TEST_CASE("the cluster state comes back as it was") {
    const auto state = sample_state();
    const auto back =
        protocol::decode_cluster_state(nlohmann::json::parse(protocol::encode(state).dump()));
    REQUIRE(back.has_value());
    CHECK(*back == state);
}

TEST_CASE("the durable state comes back as it was") {
    const auto state = sample_durable();
    const auto back = protocol::decode_durable(protocol::encode_durable(state));
    REQUIRE(back.has_value());
    CHECK(*back == state);
    durable_state fresh;
    fresh.id = 1;
    const auto fresh_back = protocol::decode_durable(protocol::encode_durable(fresh));
    REQUIRE(fresh_back.has_value());
    CHECK(*fresh_back == fresh);
}

TEST_CASE("a durable state that is not whole is corrupt, and says where") {
    auto body = nlohmann::json::parse(protocol::encode_durable(sample_durable()));
    body["promise"]["to"] = {4};
    const auto bad = protocol::decode_durable(body.dump());
    REQUIRE_FALSE(bad.has_value());
    CHECK(bad.error().code == errc::corrupt);
    CHECK(bad.error().detail.find("\"to\"") != std::string::npos);
    for (const char* text : {"", "{", "[]", "null", "{\"format\":2}", "{\"format\":1}"})
        CHECK_FALSE(protocol::decode_durable(text).has_value());
}

TEST_CASE("numbers that do not fit are refused, not cut") {
    auto body = protocol::encode(sample_from, heartbeat{{4, 2}, 1, 2, 3, 4, {true, {1, lsn{5}}}});
    body["under"] = {4, 4294967296};
    CHECK_FALSE(protocol::decode_message(body).has_value());
    body["under"] = {-1, 2};
    CHECK_FALSE(protocol::decode_message(body).has_value());
    body["under"] = {4.5, 2};
    CHECK_FALSE(protocol::decode_message(body).has_value());
}

TEST_CASE("every message comes back as it was") {
    round_trip(prevote_request{1, {2, lsn{3}}});
    round_trip(prevote_answer{1, true, "because", {3, 4}, wal_position{5, lsn{6}}, true});
    round_trip(prepare{{1, 2}, 3, {4, lsn{5}}, 6});
    round_trip(promise_answer{{1, 2},
                              3,
                              true,
                              "r",
                              {4, 5},
                              accepted_value{{1, 2}, sample_state()},
                              wal_position{6, lsn{7}}});
    round_trip(accept{{1, 2}, 3, 4, 5, sample_state(), {true, {1, lsn{2}}}});
    round_trip(heartbeat{{1, 2}, 3, 4, 5, 6, {false, {}}});
    round_trip(grant_answer{{1, 2}, 3, true, "x", std::chrono::seconds(2), {1, 2}, {1, 2}, 8, 2});
    round_trip(release{{5, 1}});
    round_trip(readmit_request{7});
    round_trip(readmit_answer{1, 2, 3, {4, 5}, std::chrono::seconds(6)});
}
