// What may come in on an open port from people who are no daemons.
#include <random>

#include "catch.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;
using tcp = asio::ip::tcp;

namespace {

tcp::socket knock(event_loop& loop, const test_node& node) {
    tcp::socket socket(loop.executor());
    socket.connect({asio::ip::address_v4::loopback(), node.mesh->port()});
    return socket;
}

bool closed_by_other(tcp::socket& socket) {
    socket.non_blocking(true);
    char buffer[256];
    boost::system::error_code code;
    while (!code) socket.read_some(asio::buffer(buffer), code);
    return code != asio::error::would_block;
}

}  // namespace

TEST_CASE("garbage on the port is refused, logged once, and hurts nobody") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node b(loop, {.id = 2});
    std::mt19937 random(5);
    for (int i = 0; i < 40; ++i) {
        auto socket = knock(loop, a);
        std::string junk(1 + random() % 5000, '\0');
        for (auto& c : junk) c = static_cast<char>(random() % 256);
        if (i % 3 == 0) junk = "GET / HTTP/1.1\r\n\r\n";
        if (i % 3 == 1) junk = std::string("\x16\x03\x01\xff\xff", 5) + junk;
        boost::system::error_code ignored;
        asio::write(socket, asio::buffer(junk), ignored);
        if (i % 2 == 0) REQUIRE(loop.until([&] { return closed_by_other(socket); }));
    }
    CHECK(a.logged("", log_level::warning) < 10);  // one per reason, not one per attempt
    CHECK(a.logged("", log_level::warning) > 0);
    b.set_peers({&a});
    REQUIRE(loop.until([&] { return a.linked_to(2); }));
}

TEST_CASE("a client that says nothing, or one byte at a time, is closed in time") {
    event_loop loop;
    mesh_settings quick;
    quick.setup_limit = 300ms;
    test_node a(loop, {.id = 1, .settings = quick});
    auto silent = knock(loop, a);
    auto slow = knock(loop, a);
    const auto started = std::chrono::steady_clock::now();
    const std::string start("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    for (const char c : start) {
        boost::system::error_code ignored;
        asio::write(slow, asio::buffer(&c, 1), ignored);
        loop.run_for(20ms);
    }
    REQUIRE(loop.until([&] { return closed_by_other(silent) && closed_by_other(slow); }));
    CHECK(std::chrono::steady_clock::now() - started < 2s);
}

TEST_CASE("a crowd of silent clients does not keep a peer out") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    test_node b(loop, {.id = 2});
    std::vector<tcp::socket> crowd;
    for (int i = 0; i < 100; ++i) crowd.push_back(knock(loop, a));
    REQUIRE(loop.until([&] {
        std::size_t turned_away = 0;
        for (auto& one : crowd) turned_away += closed_by_other(one) ? 1U : 0U;
        return turned_away == crowd.size() - inbound_unauthenticated_max;
    }));
    b.set_peers({&a});
    REQUIRE(loop.until([&] { return a.linked_to(2); }));
}

TEST_CASE("a peer that goes away in the middle of the handshake is dialed again") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    tcp::acceptor rude(loop.executor(), {asio::ip::address_v4::loopback(), 0});
    a.mesh->set_peers({{.node = 2, .host = "127.0.0.1", .port = rude.local_endpoint().port()}});
    rude.non_blocking(true);
    int dials = 0;
    REQUIRE(loop.until([&] {
        boost::system::error_code code;
        auto socket = rude.accept(code);
        if (!code) ++dials;
        return dials == 4;
    }));
    a.mesh->stop();
    CHECK(loop.drains());
}
