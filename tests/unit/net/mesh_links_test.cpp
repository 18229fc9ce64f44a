// Links between meshes on the loopback interface: how they come up, end and come again.
#include "catch.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;

namespace {

bool both_linked(const test_node& a, const test_node& b) {
    return a.linked_to(b.chosen.id) && b.linked_to(a.chosen.id);
}

}  // namespace

TEST_CASE("two meshes that dial each other have one link and talk both ways") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node b(loop, {.id = 2});
    CHECK_FALSE(a.mesh->send(2, "nobody there"));
    a.set_peers({&b});
    b.set_peers({&a});
    REQUIRE(loop.until([&] { return both_linked(a, b); }));
    for (int i = 0; i < 100; ++i) {
        REQUIRE(a.mesh->send(2, i));
        REQUIRE(b.mesh->send(1, -i));
    }
    REQUIRE(loop.until([&] { return a.messages.size() == 100 && b.messages.size() == 100; }));
    for (int i = 0; i < 100; ++i) {
        CHECK(b.messages[static_cast<std::size_t>(i)] == std::pair<node_id, json>(1, i));
        CHECK(a.messages[static_cast<std::size_t>(i)] == std::pair<node_id, json>(2, -i));
    }
    loop.run_for(400ms);
    // The lower id has dialed, the higher one has waited and found the link.
    CHECK(a.admitted.size() == 1);
    CHECK(b.admitted.size() == 1);
    CHECK(a.changes == std::vector<std::pair<node_id, bool>>{{2, true}});
    CHECK(b.changes == std::vector<std::pair<node_id, bool>>{{1, true}});
    const auto status = a.mesh->links();
    REQUIRE(status.size() == 1);
    CHECK(status[0].who.node_name == "n2");
    CHECK(status[0].received_age < 1s);
    CHECK(status[0].last_failure.empty());
    a.mesh->stop();
    b.mesh->stop();
    CHECK(loop.drains());
}

TEST_CASE("simultaneous dials leave one link and lose no message") {
    event_loop loop;
    mesh_settings at_once;
    at_once.first_dial_delay = 0ms;
    for (int round = 0; round < 10; ++round) {
        test_node a(loop, {.id = 1, .settings = at_once});
        test_node b(loop, {.id = 2, .settings = at_once});
        a.set_peers({&b});
        b.set_peers({&a});
        REQUIRE(loop.until([&] { return both_linked(a, b); }));
        int sent = 0;
        for (int i = 0; i < 30; ++i) {
            REQUIRE(a.mesh->send(2, ++sent));
            REQUIRE(b.mesh->send(1, sent));
            loop.run_for(2ms);
        }
        REQUIRE(loop.until([&] { return a.messages.size() == 30 && b.messages.size() == 30; }));
        CHECK(a.changes.size() == 1);
        CHECK(b.changes.size() == 1);
        CHECK(a.logged("", log_level::warning) == 0);
        CHECK(b.logged("", log_level::warning) == 0);
    }
    CHECK(loop.drains());
}

TEST_CASE("one side that knows the address is enough") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node b(loop, {.id = 2});
    b.set_peers({&a});
    REQUIRE(loop.until([&] { return both_linked(a, b); }));
    REQUIRE(a.mesh->send(2, "back"));
    REQUIRE(loop.until([&] { return b.messages.size() == 1; }));
}

TEST_CASE("a peer that is restarted goes down, comes up, and is linked again quickly") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    auto b = std::make_unique<test_node>(loop, test_node::options{.id = 2});
    a.set_peers({b.get()});
    REQUIRE(loop.until([&] { return a.linked_to(2); }));
    b.reset();
    REQUIRE(loop.until([&] { return !a.linked_to(2); }));
    CHECK_FALSE(a.mesh->send(2, "lost"));
    loop.run_for(300ms);
    b = std::make_unique<test_node>(loop, test_node::options{.id = 2});
    b->set_peers({&a});
    const auto started = std::chrono::steady_clock::now();
    REQUIRE(loop.until([&] { return both_linked(a, *b); }));
    CHECK(std::chrono::steady_clock::now() - started < 3s);
    REQUIRE(a.changes.size() == 3);
    CHECK(a.changes[1] == std::pair<node_id, bool>(2, false));
    CHECK(a.changes[2] == std::pair<node_id, bool>(2, true));
}

TEST_CASE("a new process of a peer replaces the old one's link, which nobody has closed") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node old(loop, {.id = 2});
    old.set_peers({&a});
    REQUIRE(loop.until([&] { return a.linked_to(2); }));
    test_node fresh(loop, {.id = 2});
    fresh.set_peers({&a});
    REQUIRE(loop.until([&] { return a.changes.size() == 3; }));
    CHECK(a.changes[1] == std::pair<node_id, bool>(2, false));
    CHECK(a.changes[2] == std::pair<node_id, bool>(2, true));
    CHECK(a.mesh->links()[0].who.boot == fresh.chosen.boot);
}

TEST_CASE("a silent link is closed and dialed again") {
    event_loop loop;
    mesh_settings quick;
    quick.idle_limit = 300ms;
    test_node a(loop, {.id = 1, .settings = quick});
    mesh_settings slow;
    slow.idle_limit = 60s;  // says nothing for 24 s
    test_node b(loop, {.id = 2, .settings = slow});
    a.set_peers({&b});
    REQUIRE(loop.until([&] { return a.changes.size() >= 3; }));
    CHECK(a.changes[1] == std::pair<node_id, bool>(2, false));
    CHECK(a.changes[2] == std::pair<node_id, bool>(2, true));
    // With the same limit on both sides pings keep it open.
    b.mesh->set_idle_limit(300ms);
    REQUIRE(loop.until([&] { return a.linked_to(2); }));
    const auto before = a.changes.size();
    loop.run_for(1s);
    CHECK(a.changes.size() <= before + 1);
    CHECK(a.linked_to(2));
}

TEST_CASE("peers can be added, moved and removed at any time") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node b(loop, {.id = 2});
    test_node c(loop, {.id = 3});
    a.mesh->set_peers({{.node = 2, .host = "127.0.0.1", .port = 1}});
    REQUIRE(loop.until([&] {
        return a.mesh->links()[0].last_failure.find("could not connect") != std::string::npos;
    }));
    a.set_peers({&b, &c});
    REQUIRE(loop.until([&] { return a.linked_to(2) && a.linked_to(3); }));
    a.set_peers({&c});
    CHECK_FALSE(a.linked_to(2));
    CHECK(a.linked_to(3));
    CHECK(a.mesh->links().size() == 1);
    REQUIRE(loop.until([&] { return !b.linked_to(1); }));
    a.set_peers({});
    CHECK(a.mesh->links().empty());
    a.set_peers({&b, &c});
    REQUIRE(loop.until([&] { return a.linked_to(2) && a.linked_to(3); }));
}

TEST_CASE("a mesh may be destroyed by its own callback") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    std::unique_ptr<peer_mesh> doomed;
    bool called = false;
    mesh_callbacks callbacks;
    callbacks.own_hello = [] {
        hello own;
        own.cluster = "main";
        own.node = 2;
        own.boot = 77;
        return own;
    };
    callbacks.own_key = [] { return std::optional<psk>(test_key()); };
    callbacks.admit = [](const hello&, const link_origin&) { return result<void>{}; };
    callbacks.on_link = [&](node_id, bool, const hello&) {
        called = true;
        doomed.reset();
    };
    doomed = std::make_unique<peer_mesh>(loop.executor(), mesh_settings{}, std::move(callbacks));
    doomed->set_peers({a.endpoint()});
    REQUIRE(loop.until([&] { return called; }));
    REQUIRE(loop.until([&] { return !a.linked_to(2); }));
    a.mesh->stop();
    CHECK(loop.drains());
}

TEST_CASE("stop ends every coroutine, whenever it comes") {
    for (int after_ms = 0; after_ms < 60; after_ms += 3) {
        event_loop loop;
        test_node a(loop, {.id = 1});
        test_node b(loop, {.id = 2});
        a.set_peers({&b});
        b.mesh->set_peers({a.endpoint(), {.node = 3, .host = "192.0.2.1", .port = 7432}});
        loop.run_for(std::chrono::milliseconds(after_ms));
        a.mesh->stop();
        b.mesh->stop();
        const auto changes = a.changes.size();
        REQUIRE(loop.drains(2s));
        CHECK(a.changes.size() == changes);
        CHECK_FALSE(a.mesh->send(2, 1));
    }
}

TEST_CASE("a loop that is thrown away with everything under way leaks nothing") {
    auto loop = std::make_unique<event_loop>();
    test_node a(*loop, {.id = 1});
    test_node b(*loop, {.id = 2});
    a.set_peers({&b});
    REQUIRE(loop->until([&] { return both_linked(a, b); }));
    a.mesh.reset();
    b.mesh.reset();
    loop.reset();
    SUCCEED();
}

TEST_CASE("a port that is taken, and an address that is none, are clear errors") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    peer_mesh other(loop.executor(), {}, {});
    const auto taken = other.listen("127.0.0.1", a.mesh->port());
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == errc::io);
    CHECK(taken.error().message.find(std::to_string(a.mesh->port())) != std::string::npos);
    const auto wrong = other.listen("db1.example", 7432);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == errc::configuration);
    CHECK(other.port() == 0);
    CHECK(other.listen("*", 0));
    CHECK(other.port() != 0);
}
