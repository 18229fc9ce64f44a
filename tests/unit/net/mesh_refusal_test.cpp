// Who is not let in, what both sides say about it, and how often.
#include "catch.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;

namespace {

mesh_settings impatient() {
    mesh_settings settings;
    settings.redial_refused = 60ms;
    return settings;
}

}  // namespace

TEST_CASE("a wrong key is refused on both sides and logged once on each") {
    event_loop loop;
    test_node a(loop, {.id = 1, .key = test_key('a'), .settings = impatient()});
    test_node b(loop, {.id = 2, .key = test_key('b')});
    a.set_peers({&b});
    REQUIRE(loop.until([&] { return b.logged("unknown key \"key-a\"", log_level::warning) == 1; }));
    loop.run_for(500ms);
    CHECK(b.logged("unknown key", log_level::warning) == 1);
    CHECK(a.logged("TLS handshake", log_level::warning) == 1);
    CHECK(a.changes.empty());
    CHECK(b.changes.empty());
    CHECK(a.mesh->links()[0].last_failure.find("TLS handshake") != std::string::npos);
}

TEST_CASE("another cluster is refused, told why, and logged once on each side") {
    event_loop loop;
    test_node a(loop, {.id = 1, .cluster = "main", .settings = impatient()});
    test_node b(loop, {.id = 2, .cluster = "other"});
    a.set_peers({&b});
    REQUIRE(
        loop.until([&] { return a.logged("this is another cluster", log_level::warning) > 0; }));
    REQUIRE(
        loop.until([&] { return b.logged("this is another cluster", log_level::warning) > 0; }));
    loop.run_for(500ms);
    CHECK(a.logged("another cluster", log_level::warning) <= 2);  // one of each side's refusal
    CHECK(b.logged("another cluster", log_level::warning) <= 2);
    CHECK(a.changes.empty());
    CHECK(b.changes.empty());
}

TEST_CASE("a refused peer is dialed again after the long pause only") {
    event_loop loop;
    mesh_settings settings;
    settings.redial_refused = 10s;
    test_node a(loop, {.id = 1, .cluster = "main", .settings = settings});
    test_node b(loop, {.id = 2, .cluster = "other"});
    a.set_peers({&b});
    loop.run_for(500ms);
    b.chosen.cluster = "main";
    loop.run_for(1s);
    CHECK_FALSE(a.linked_to(2));
    // The other side's own attempt is welcome at once.
    b.set_peers({&a});
    REQUIRE(loop.until([&] { return a.linked_to(2); }, 2s));
}

TEST_CASE("an address that leads back to the daemon itself is refused clearly") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    a.mesh->set_peers({{.node = 2, .host = "127.0.0.1", .port = a.mesh->port()}});
    REQUIRE(loop.until([&] { return a.logged("leads back", log_level::warning) > 0; }));
    REQUIRE(loop.until(
        [&] { return a.mesh->links()[0].last_failure.find("leads back") != std::string::npos; }));
    CHECK(a.changes.empty());
}

TEST_CASE("another node than the expected one, and a second daemon with our id, are refused") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node b(loop, {.id = 3});
    test_node twin(loop, {.id = 1});
    SECTION("other id") {
        a.mesh->set_peers({{.node = 2, .host = "127.0.0.1", .port = b.mesh->port()}});
        REQUIRE(loop.until([&] {
            return a.logged("node 3 answers where node 2 was expected", log_level::warning) > 0;
        }));
    }
    SECTION("our id") {
        a.mesh->set_peers({{.node = 2, .host = "127.0.0.1", .port = twin.mesh->port()}});
        REQUIRE(loop.until([&] { return a.logged("two daemons", log_level::warning) > 0; }));
    }
    CHECK(a.changes.empty());
}
