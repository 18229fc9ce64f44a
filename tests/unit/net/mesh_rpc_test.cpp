#include "catch.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;

namespace {

// Does what the request says: "echo", "slow" (an answer after 300 ms), "huge", "throw", "progress".
struct toy_server {
    int finished = 0;
    std::vector<request_origin> askers{};

    request_handler handler(event_loop& loop) {
        return [this, &loop](json request, request_origin origin, progress_sink progress) {
            return answer(this, loop.executor(), std::move(request), std::move(origin),
                          std::move(progress));
        };
    }

    static task<json> answer(toy_server* self, asio::any_io_executor executor, json request,
                             request_origin origin, progress_sink progress) {
        self->askers.push_back(std::move(origin));
        const std::string verb = request.value("do", "echo");
        if (verb == "throw") throw std::runtime_error("toy failure");
        if (verb == "huge") co_return json(std::string(17 << 20, 'x'));
        asio::steady_timer timer(executor);
        if (verb == "progress") {
            for (int i = 1; i <= 3; ++i) {
                progress(json(i));
                timer.expires_after(10ms);
                co_await timer.async_wait(as_result);
            }
        }
        if (verb == "slow") {
            timer.expires_after(300ms);
            co_await timer.async_wait(as_result);
            progress(json("to nobody, perhaps"));
        }
        ++self->finished;
        co_return request;
    }
};

json ask(const char* verb) {
    json request = json::object();
    request["do"] = verb;
    return request;
}

struct linked_pair {
    explicit linked_pair(event_loop& loop)
        : a(loop, {.id = 1, .on_request = at_a.handler(loop)}),
          b(loop, {.id = 2, .on_request = at_b.handler(loop)}) {
        a.set_peers({&b});
        if (!loop.until([&] { return a.linked_to(2) && b.linked_to(1); })) {
            throw std::runtime_error("no link");
        }
    }
    toy_server at_a{};
    toy_server at_b{};
    test_node a;
    test_node b;
};

}  // namespace

TEST_CASE("requests go both ways and carry who asks") {
    event_loop loop;
    linked_pair pair(loop);
    const auto there = loop.wait(pair.a.mesh->call(2, ask("echo"), 2s, {}));
    REQUIRE(there);
    CHECK(*there == ask("echo"));
    REQUIRE(loop.wait(pair.b.mesh->call(1, ask("echo"), 2s, {})));
    REQUIRE(pair.at_b.askers.size() == 1);
    CHECK(pair.at_b.askers[0].from == request_origin::channel::peer);
    CHECK(pair.at_b.askers[0].node == 1);
    CHECK(pair.at_a.askers[0].node == 2);
}

TEST_CASE("progress reports arrive in order, before the answer") {
    event_loop loop;
    linked_pair pair(loop);
    std::vector<json> reports;
    progress_sink sink = [&](json report) { reports.push_back(std::move(report)); };
    REQUIRE(loop.wait(pair.a.mesh->call(2, ask("progress"), 2s, std::move(sink))));
    CHECK(reports == std::vector<json>{1, 2, 3});
}

TEST_CASE("a deadline ends the call, not the operation") {
    event_loop loop;
    linked_pair pair(loop);
    const auto late = loop.wait(pair.a.mesh->call(2, ask("slow"), 100ms, {}));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == errc::timed_out);
    CHECK(pair.at_b.finished == 0);
    REQUIRE(loop.until([&] { return pair.at_b.finished == 1; }));
    // The late answer disturbs nobody.
    REQUIRE(loop.wait(pair.a.mesh->call(2, ask("echo"), 2s, {})));
}

TEST_CASE("the death of the link ends the call at once, and the handler runs on") {
    event_loop loop;
    linked_pair pair(loop);
    const bool here = GENERATE(true, false);
    asio::steady_timer timer(loop.executor(), 50ms);
    timer.async_wait(
        [&](const boost::system::error_code&) { (here ? pair.a : pair.b).mesh->stop(); });
    const auto dead = loop.wait(pair.a.mesh->call(2, ask("slow"), 5s, {}));
    REQUIRE_FALSE(dead);
    CHECK(dead.error().code == errc::unreachable);
    CHECK(pair.at_b.finished == 0);
    REQUIRE(loop.until([&] { return pair.at_b.finished == 1; }));
}

TEST_CASE("without a link, and for unknown nodes, a call fails at once") {
    event_loop loop;
    linked_pair pair(loop);
    const auto nobody = loop.wait(pair.a.mesh->call(9, ask("echo"), 5s, {}));
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == errc::unreachable);
}

TEST_CASE("a handler that throws, and an answer that fits no frame, are errors of that call only") {
    event_loop loop;
    linked_pair pair(loop);
    const auto thrown = loop.wait(pair.a.mesh->call(2, ask("throw"), 2s, {}));
    REQUIRE_FALSE(thrown);
    CHECK(thrown.error().code == errc::internal);
    CHECK(thrown.error().detail == "toy failure");
    CHECK(pair.b.logged("toy failure", log_level::error) == 1);
    const auto huge = loop.wait(pair.a.mesh->call(2, ask("huge"), 5s, {}));
    REQUIRE_FALSE(huge);
    CHECK(huge.error().code == errc::refused);
    const auto asked_too_much =
        loop.wait(pair.a.mesh->call(2, json(std::string(17 << 20, 'x')), 5s, {}));
    REQUIRE_FALSE(asked_too_much);
    REQUIRE(loop.wait(pair.a.mesh->call(2, ask("echo"), 2s, {})));
}

TEST_CASE("requests beyond the bound of a connection are refused, the others are answered") {
    event_loop loop;
    linked_pair pair(loop);
    int answered = 0;
    int refused = 0;
    const auto count = [](linked_pair* both, int* good, int* bad) -> task<void> {
        auto request = ask("slow");
        auto outcome = co_await both->a.mesh->call(2, std::move(request), 5s, progress_sink{});
        ++*(outcome ? good : bad);
    };
    for (int i = 0; i < 40; ++i) spawn(loop.executor(), count(&pair, &answered, &refused));
    REQUIRE(loop.until([&] { return answered + refused == 40; }));
    CHECK(answered == static_cast<int>(requests_per_connection_max));
}

TEST_CASE("a large answer arrives whole") {
    event_loop loop;
    linked_pair pair(loop);
    json request = ask("echo");
    request["data"] = std::string(8 << 20, 'y');
    const auto got = loop.wait(pair.a.mesh->call(2, request, 10s, {}));
    REQUIRE(got);
    CHECK((*got)["data"] == request["data"]);
}
