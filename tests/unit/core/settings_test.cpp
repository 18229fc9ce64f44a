#include "core/settings.hpp"

#include "catch.hpp"
#include "core/units.hpp"

using namespace repld;
using namespace std::chrono_literals;

namespace {

std::string shown(const cluster_settings& s, const std::string& key) {
    for (const setting_row& row : list_settings(s))
        if (row.key == key) return row.value;
    return "no such key";
}

cluster_settings with(cluster_settings s, const std::string& key, const std::string& value) {
    auto changed = with_setting(s, key, value);
    INFO(key << " = " << value);
    REQUIRE(changed.has_value());
    return *changed;
}

}  // namespace

TEST_CASE("every setting is listed with its documented default") {
    const std::vector<std::pair<std::string, std::string>> documented = {
        {"lease_duration", "6s"},   {"heartbeat_interval", "1s"}, {"clock_drift_max", "1%"},
        {"demote_margin", "20%"},   {"failover", "automatic"},    {"failover_limit", "5/10min"},
        {"on_crash", "promote"},    {"max_lag", "16MB"},          {"synchronous", "0"},
        {"strict", "off"},          {"degrade_delay", "10s"},     {"hold_commits", "on"},
        {"rejoin", "rewind"},       {"slot_retention", "10GB"},   {"history", "off"},
        {"history_retention", "7d"}};
    const auto rows = list_settings({});
    REQUIRE(rows.size() == documented.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(rows[i].key == documented[i].first);
        CHECK(rows[i].value == documented[i].second);
        CHECK(rows[i].default_value == documented[i].second);
        CHECK_FALSE(rows[i].meaning.empty());
    }
    CHECK(check_relations({}).has_value());
}

TEST_CASE("what is shown is read back as the same settings") {
    for (const setting_row& row : list_settings({})) {
        INFO(row.key);
        const auto again = with_setting(cluster_settings{}, row.key, row.value);
        REQUIRE(again.has_value());
        CHECK(*again == cluster_settings{});
    }
}

TEST_CASE("values are read, and shown in their shortest form") {
    const auto [key, value, text] = GENERATE(table<std::string, std::string, std::string>({
        {"lease_duration", "2000ms", "2s"},
        {"heartbeat_interval", "200ms", "200ms"},
        {"clock_drift_max", "0.5%", "0.5%"},
        {"clock_drift_max", "0.0001%", "0.0001%"},
        {"demote_margin", "33.25%", "33.25%"},
        {"demote_margin", "1500ms", "25%"},
        {"failover", "manual", "manual"},
        {"failover_limit", "off", "off"},
        {"failover_limit", "2/1h", "2/1h"},
        {"failover_limit", "5/10m", "5/10min"},
        {"on_crash", "restart", "restart"},
        {"max_lag", "1024kB", "1MB"},
        {"synchronous", "2", "2"},
        {"strict", "yes", "on"},
        {"hold_commits", "false", "off"},
        {"rejoin", "clone", "clone"},
        {"rejoin", "follow", "follow"},
        {"slot_retention", "1TB", "1TB"},
        {"history_retention", "48h", "2d"},
    }));
    CHECK(shown(with({}, key, value), key) == text);
}

TEST_CASE("values that cannot be meant are refused and say what was expected") {
    const auto [key, value] = GENERATE(table<std::string, std::string>({
        {"lease_duration", "6"},
        {"lease_duration", ""},
        {"lease_duration", "-6s"},
        {"clock_drift_max", "1"},
        {"clock_drift_max", "21%"},
        {"clock_drift_max", "1.%"},
        {"clock_drift_max", "-1%"},
        {"clock_drift_max", "%"},
        {"clock_drift_max", "1.00001%"},
        {"demote_margin", "7s"},
        {"demote_margin", "101%"},
        {"failover", "Automatic"},
        {"failover_limit", "5"},
        {"failover_limit", "0/10m"},
        {"failover_limit", "5/0s"},
        {"failover_limit", "5/"},
        {"failover_limit", "/10m"},
        {"failover_limit", "-1/10m"},
        {"on_crash", "die"},
        {"max_lag", "16"},
        {"synchronous", "-1"},
        {"synchronous", "101"},
        {"synchronous", "1x"},
        {"strict", "maybe"},
        {"rejoin", "Rewind"},
        {"history", "2"},
    }));
    INFO(key << " = " << value);
    const auto changed = with_setting(cluster_settings{}, key, value);
    REQUIRE_FALSE(changed.has_value());
    CHECK(changed.error().code == errc::configuration);
    CHECK(changed.error().message.find(key) != std::string::npos);
    CHECK(changed.error().detail.rfind("Expected ", 0) == 0);
}

TEST_CASE("an unknown key is answered with the nearest known one") {
    const auto changed = with_setting(cluster_settings{}, "lease_durtion", "6s");
    REQUIRE_FALSE(changed.has_value());
    CHECK(changed.error().message == "unknown setting \"lease_durtion\"");
    CHECK(changed.error().hint.find("\"lease_duration\"") != std::string::npos);
}

TEST_CASE("the relations between the timings are checked") {
    const auto refused = [](const cluster_settings& s) {
        const auto checked = check_relations(s);
        return checked.has_value() ? std::string() : checked.error().message;
    };
    CHECK(refused(with({}, "lease_duration", "400ms")).find("lease_duration") != std::string::npos);
    CHECK(refused(with({}, "lease_duration", "2h")).find("lease_duration") != std::string::npos);
    CHECK(refused(with({}, "heartbeat_interval", "10ms")).find("heartbeat") != std::string::npos);
    CHECK(refused(with({}, "heartbeat_interval", "2100ms")).find("third") != std::string::npos);
    CHECK(refused(with({}, "demote_margin", "1%")).find("demote_margin") != std::string::npos);
    CHECK(refused(with({}, "demote_margin", "70%")).find("two heartbeats") != std::string::npos);
    CHECK(refused(with({}, "synchronous", "1")).find("synchronous") != std::string::npos);
    CHECK(refused(with({}, "strict", "on")).find("synchronous") != std::string::npos);
    const auto fast = with(with({}, "lease_duration", "1s"), "heartbeat_interval", "200ms");
    CHECK(check_relations(fast).has_value());
}

TEST_CASE("of a lease the holder may use (1-d)/(1+d)") {
    cluster_settings s;
    for (const std::uint32_t ppm : {0U, 1U, 10000U, 50000U, 200000U}) {
        s.clock_drift_max_ppm = ppm;
        for (const duration figure :
             {duration(1), duration(500ms), duration(6s), duration(24h * 40)}) {
            const long double exact =
                static_cast<long double>(figure.count()) * (1000000.0L - ppm) / (1000000.0L + ppm);
            const auto usable = s.usable(figure).count();
            CHECK(static_cast<long double>(usable) <= exact + 0.5L);
            CHECK(static_cast<long double>(usable) >= exact - 2.0L);
            // A holder slow by d believes less than a voter fast by d waits.
            const long double slow = static_cast<long double>(usable) / (1.0L - ppm / 1e6L);
            const long double fast = static_cast<long double>(figure.count()) / (1.0L + ppm / 1e6L);
            CHECK(slow <= fast + 1.0L);
        }
    }
}

TEST_CASE("the demote margin is a share of the lease") {
    cluster_settings s;
    CHECK(s.demote_margin() == 1200ms);
    s.lease_duration = 1s;
    CHECK(s.demote_margin() == 200ms);
}
