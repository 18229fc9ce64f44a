#include "logging/line_sink.hpp"

#include <signal.h>
#include <sys/socket.h>

#include <algorithm>

#include "catch.hpp"
#include "pipe.hpp"

using namespace repld;
using namespace repld::logging;

TEST_CASE("a reader that does not read costs lines, not time") {
    test::pipe p;
    line_sink sink(p.writer());
    const std::string line = std::string(999, 'x') + "\n";
    const auto begin = std::chrono::steady_clock::now();
    constexpr std::size_t lines = 1000;
    for (std::size_t i = 0; i < lines; ++i) sink.write(line);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
    CHECK_FALSE(sink.has_room(line.size()));
    const auto dropped = sink.take_dropped();
    CHECK(dropped > 0);
    CHECK(sink.take_dropped() == 0);
    std::string all = p.read();
    while (!sink.has_room(line_sink::pending_max)) {
        sink.drain(std::chrono::milliseconds(1));
        all += p.read();
    }
    CHECK(all.size() == (lines - dropped) * line.size());
    CHECK(static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n')) == lines - dropped);
}

TEST_CASE("draining gives up in time") {
    test::pipe p;
    line_sink sink(p.writer());
    for (int i = 0; i < 100; ++i) sink.write(std::string(999, 'x') + "\n");
    const auto begin = std::chrono::steady_clock::now();
    sink.drain(std::chrono::milliseconds(50));
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= std::chrono::milliseconds(50));
    CHECK(took < std::chrono::seconds(2));
}

TEST_CASE("a reader that is gone is survived") {
    ::signal(SIGPIPE, SIG_IGN);
    test::pipe p;
    line_sink sink(p.writer());
    p.close_reader();
    sink.write("x\n");
    CHECK(sink.take_dropped() == 1);
    line_sink nowhere(-1);
    nowhere.write("x\n");
    CHECK(nowhere.take_dropped() == 1);
}

TEST_CASE("a socket is written without waiting") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    {
        line_sink sink(ends[0]);
        for (int i = 0; i < 2000; ++i) sink.write(std::string(999, 'x') + "\n");
        CHECK(sink.take_dropped() > 0);
        ::close(ends[1]);
        sink.write("x\n");
        CHECK(sink.take_dropped() >= 1);
    }
    ::close(ends[0]);
}
