#include "schema/row_json.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"

using namespace repld;
using namespace repld::schema;
using nlohmann::json;

TEST_CASE("rows: wall clock text") {
    CHECK(wall_clock_text(duration{0}) == "1970-01-01T00:00:00.000000Z");
    CHECK(wall_clock_text(std::chrono::seconds(1782907200) + std::chrono::microseconds(1500)) ==
          "2026-07-01T12:00:00.001500Z");
}

TEST_CASE("rows: secrets of a conninfo are not written") {
    node_row row;
    row.id = 1;
    row.conninfo = "host=10.0.0.1 password='x y' user=repld sslpassword=z";
    const auto list = json::parse(nodes_json({row}));
    CHECK(list[0]["conninfo"] == "host=10.0.0.1 user=repld");
    row.conninfo = "postgresql://repld:geheim@10.0.0.1/repld";
    CHECK(nodes_json({row}).find("geheim") == std::string::npos);
    row.conninfo = "not a conninfo password=geheim";
    CHECK(nodes_json({row}).find("geheim") == std::string::npos);
}

TEST_CASE("rows: what is not known is null") {
    status_row row;
    row.id = 2;
    const auto one = json::parse(status_json({row}))[0];
    CHECK(one["timeline"].is_null());
    CHECK(one["receive_lsn"].is_null());
    CHECK(one["upstream_node_id"].is_null());
    CHECK_FALSE(one.contains("age"));
    CHECK_FALSE(one.contains("lag_bytes"));
}

TEST_CASE("events: a time of another form is left to the server") {
    event_row e;
    for (const char* good : {"2026-07-01T12:00:00.001500Z", "2024-02-29T00:00:00.000000Z"}) {
        e.time = good;
        CHECK(made_fit(e).time == good);
    }
    for (const char* bad : {"", "now", "2026-07-01", "2026-02-30T12:00:00.000000Z",
                            "2026-13-01T12:00:00.000000Z", "2026-07-01T24:00:00.000000Z",
                            "0000-01-01T00:00:00.000000Z", "2026-07-01 12:00:00.000000Z"}) {
        e.time = bad;
        CHECK(made_fit(e).time.empty());
    }
}

TEST_CASE("events: evidence that jsonb would refuse becomes a string") {
    event_row e;
    e.evidence = R"({"votes": 2})";
    CHECK(json::parse(made_fit(e).evidence) == json{{"votes", 2}});
    for (const std::string& bad : {std::string("no json"), std::string(R"({"a":"\u0000"})"),
                                   std::string(40, '[') + std::string(40, ']'),
                                   std::string("{\"a\":1e999}"), std::string("\xff\xfe")}) {
        e.evidence = bad;
        CHECK(json::parse(made_fit(e).evidence).is_string());
    }
    e.evidence = std::string(100000, 'x');
    CHECK(made_fit(e).evidence.size() < 20000);
}

TEST_CASE("events: texts are bounded and made valid") {
    event_row e;
    e.details = std::string("a\0b\xff", 4) + std::string(100000, 'x');
    const auto list = json::parse(events_json({{.number = 7, .event = made_fit(e)}}, 5));
    const auto details = list[0]["details"].get<std::string>();
    CHECK(details.size() < 9000);
    CHECK(details.find('\0') == std::string::npos);
    CHECK(list[0]["source"] == 5);
    CHECK(list[0]["source_number"] == 7);
}

TEST_CASE("events: evidence from pairs") {
    CHECK(evidence_json({}).empty());
    CHECK(json::parse(evidence_json({{"votes", "2 of 3"}, {"position", "0/3000148"}})) ==
          json{{"votes", "2 of 3"}, {"position", "0/3000148"}});
}
