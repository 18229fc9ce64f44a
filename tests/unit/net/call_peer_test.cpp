#include "net/call_peer.hpp"

#include "catch.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;

namespace {

request_handler echo(std::vector<request_origin>& askers) {
    return [&askers](json request, request_origin origin, progress_sink progress) -> task<json> {
        askers.push_back(std::move(origin));
        progress(json("working"));
        co_return request;
    };
}

hello stranger() {
    hello own;
    own.program_version = "1.0";
    return own;
}

}  // namespace

TEST_CASE("a client with a join token asks, and is no peer") {
    event_loop loop;
    std::vector<request_origin> askers;
    const psk token{.identity = "join:42", .key = secret_bytes(32, 9)};
    test_node a(loop, {.id = 1, .on_request = echo(askers), .more_keys = {token}});
    std::vector<json> reports;
    progress_sink sink = [&](json report) { reports.push_back(std::move(report)); };
    const auto got = loop.wait(call_peer(loop.executor(), "127.0.0.1", a.mesh->port(), token,
                                         stranger(), "let me in", 2s, std::move(sink)));
    REQUIRE(got);
    CHECK(*got == "let me in");
    CHECK(reports == std::vector<json>{"working"});
    REQUIRE(askers.size() == 1);
    CHECK(askers[0].from == request_origin::channel::client);
    CHECK(askers[0].node == 0);
    CHECK(askers[0].psk_identity == "join:42");
    REQUIRE(a.admitted.size() == 1);
    CHECK(a.admitted[0].psk_identity == "join:42");
    CHECK(a.changes.empty());
    CHECK(a.mesh->links().empty());
    a.mesh->stop();
    CHECK(loop.drains());
}

TEST_CASE("a used token is as unknown as any other key") {
    event_loop loop;
    test_node a(loop, {.id = 1});
    const psk token{.identity = "join:42", .key = secret_bytes(32, 9)};
    const auto got = loop.wait(
        call_peer(loop.executor(), "127.0.0.1", a.mesh->port(), token, stranger(), "x", 2s, {}));
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::refused);
    REQUIRE(loop.until([&] { return a.logged("\"join:42\"", log_level::warning) == 1; }));
}

TEST_CASE("nobody there, nobody answering, and a deadline") {
    event_loop loop;
    asio::ip::tcp::acceptor silent(loop.executor(), {asio::ip::address_v4::loopback(), 0});
    const auto port = silent.local_endpoint().port();
    const auto started = std::chrono::steady_clock::now();
    const auto late = loop.wait(
        call_peer(loop.executor(), "127.0.0.1", port, test_key(), stranger(), "x", 300ms, {}));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == errc::timed_out);
    CHECK(std::chrono::steady_clock::now() - started < 2s);
    silent.close();
    const auto nobody = loop.wait(
        call_peer(loop.executor(), "127.0.0.1", port, test_key(), stranger(), "x", 2s, {}));
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == errc::unreachable);
    CHECK(loop.drains());
}
