#include "net/connection.hpp"

#include <sys/socket.h>

#include "catch.hpp"
#include "net/unix_stream.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;
using local = asio::local::stream_protocol;

namespace {

// Our end as a connection, the other as a bare socket in the test's hand.
struct half {
    explicit half(event_loop& loop, connection_limits limits = {}) : far(loop.executor()) {
        local::socket near(loop.executor());
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        near.assign(local(), ends[0]);
        far.assign(local(), ends[1]);
        link = std::make_shared<connection>(
            loop.executor(), std::make_shared<unix_stream>(std::move(near), "test"), limits);
        link->start();
    }
    ~half() { link->close(error{.code = errc::unreachable, .message = "end of test"}); }

    local::socket far;
    std::shared_ptr<connection> link;
};

envelope message(int number) {
    return envelope{.type = envelope_type::message, .id = 0, .body = number};
}

std::vector<envelope> read_all(event_loop& loop, local::socket& socket) {
    frame_decoder decoder(frame_bytes_max_peer);
    std::vector<envelope> all;
    // The end of what comes is a while without anything.
    for (int quiet = 0; quiet < 10; ++quiet) {
        loop.run_for(10ms);
        while (socket.available() > 0) {
            std::string bytes(socket.available(), '\0');
            bytes.resize(socket.read_some(asio::buffer(bytes)));
            decoder.feed(bytes);
            loop.run_for(2ms);
            quiet = 0;
        }
    }
    for (;;) {
        auto next = decoder.next();
        if (!next || !next->has_value()) return all;
        all.push_back(*decode_envelope(**next));
    }
}

}  // namespace

TEST_CASE("envelopes go out in order and come in one by one") {
    event_loop loop;
    half pair(loop);
    for (int i = 0; i < 20; ++i) REQUIRE(pair.link->post(message(i)));
    const auto got = read_all(loop, pair.far);
    REQUIRE(got.size() == 20);
    for (int i = 0; i < 20; ++i) CHECK(got[static_cast<std::size_t>(i)].body == i);

    asio::write(pair.far, asio::buffer(encode_frame(encode_envelope(message(1))) +
                                       encode_frame(encode_envelope(message(2)))));
    CHECK(loop.wait(pair.link->receive())->body == 1);
    CHECK(loop.wait(pair.link->receive())->body == 2);
}

TEST_CASE("garbage, a huge length and an end of stream close it with a reason") {
    event_loop loop;
    half pair(loop);
    errc expected = errc::protocol;
    SECTION("garbage") {
        asio::write(pair.far, asio::buffer(encode_frame("garbage")));
    }
    SECTION("length") {
        asio::write(pair.far, asio::buffer(std::string("\x7f\xff\xff\xff", 4)));
    }
    SECTION("beyond the limit before hello") {
        asio::write(pair.far, asio::buffer(std::string("\0\1\0\1", 4)));
    }
    SECTION("end in the middle of a frame") {
        asio::write(pair.far, asio::buffer(std::string("\0\0\0\x09{", 5)));
        pair.far.close();
        expected = errc::unreachable;
    }
    const auto got = loop.wait(pair.link->receive());
    REQUIRE_FALSE(got);
    CHECK(got.error().code == expected);
    CHECK_FALSE(pair.link->open());
    CHECK_FALSE(pair.link->post(message(1)));
    CHECK(loop.drains());
}

TEST_CASE("silence closes it, pings keep it open, and it pings itself") {
    event_loop loop;
    connection_limits limits;
    limits.idle_limit = 300ms;
    half pair(loop, limits);
    const auto started = std::chrono::steady_clock::now();
    bool closed = false;
    SECTION("silence") {
        const auto got = loop.wait(pair.link->receive());
        REQUIRE_FALSE(got);
        closed = true;
        const auto took = std::chrono::steady_clock::now() - started;
        CHECK(took >= 290ms);
        CHECK(took < 2s);
        std::string bytes(4096, '\0');
        bytes.resize(pair.far.read_some(asio::buffer(bytes)));
        CHECK(bytes.find("ping") != std::string::npos);
    }
    SECTION("pings of the other side") {
        spawn(loop.executor(), [](std::shared_ptr<connection> link) -> task<void> {
            auto got = co_await link->receive();
            CHECK_FALSE(got);
        }(pair.link));
        for (int i = 0; i < 10; ++i) {
            asio::write(pair.far, asio::buffer(encode_frame(encode_envelope(envelope{}))));
            loop.run_for(100ms);
        }
        CHECK(pair.link->open());
        CHECK(pair.link->received_age() < 200ms);
    }
    CHECK(pair.link->open() != closed);
}

TEST_CASE("a loop that was held up listens before it judges") {
    event_loop loop;
    connection_limits limits;
    limits.idle_limit = 300ms;
    half pair(loop, limits);
    loop.run_for(10ms);
    // The process stands still beyond the limit; what came meanwhile lies in the socket.
    asio::write(pair.far, asio::buffer(encode_frame(encode_envelope(message(5)))));
    const auto end = std::chrono::steady_clock::now() + 500ms;
    while (std::chrono::steady_clock::now() < end) {
    }
    loop.run_for(1ms);
    CHECK(pair.link->open());
    CHECK(loop.wait(pair.link->receive())->body == 5);
}

TEST_CASE("when the other side reads nothing, old messages are dropped and answers are not") {
    event_loop loop;
    half pair(loop);
    const json big(std::string(20000, 'x'));
    for (int i = 0; i < 600; ++i) {
        json body = json::object();
        body["n"] = i;
        body["pad"] = big;
        const envelope e{.type = i % 100 == 0 ? envelope_type::response : envelope_type::message,
                         .id = static_cast<std::uint64_t>(i),
                         .body = std::move(body)};
        REQUIRE(pair.link->post(e));
        if (i == 50) loop.run_for(20ms);
    }
    const auto got = read_all(loop, pair.far);
    int answers = 0;
    int last = -1;
    for (const auto& e : got) {
        answers += e.type == envelope_type::response ? 1 : 0;
        CHECK(e.body["n"] > last);
        last = e.body["n"];
    }
    CHECK(answers == 6);
    CHECK(last == 599);
    CHECK(got.size() < 400);
    CHECK(got.size() >= 256);
}

TEST_CASE("what fits no frame is refused, and an endless queue of answers closes it") {
    event_loop loop;
    half pair(loop);
    envelope e{.type = envelope_type::response, .id = 1, .body = std::string(15 << 20, 'x')};
    envelope huge{.type = envelope_type::response, .id = 1, .body = std::string(17 << 20, 'x')};
    const auto refused = pair.link->post(huge);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
    CHECK(pair.link->open());
    int posted = 0;
    while (posted < 10 && pair.link->post(e)) ++posted;
    CHECK(posted == 4);
    CHECK_FALSE(pair.link->open());
    CHECK(loop.drains());
}

TEST_CASE("finish writes what is queued before it closes") {
    event_loop loop;
    half pair(loop);
    for (int i = 0; i < 5; ++i) REQUIRE(pair.link->post(message(i)));
    pair.link->finish();
    CHECK_FALSE(pair.link->post(message(6)));
    CHECK(read_all(loop, pair.far).size() == 5);
    CHECK(loop.drains(2s));
    CHECK_FALSE(pair.link->open());
}
