#include "net/name_resolver.hpp"

#include "catch.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;

TEST_CASE("numeric addresses need no lookup, names do") {
    event_loop loop;
    auto resolver = std::make_shared<name_resolver>(loop.executor());
    const auto v4 = loop.wait(name_resolver::resolve(resolver, "10.1.2.3", 7432, 1s));
    REQUIRE(v4);
    CHECK(to_string(v4->front()) == "10.1.2.3:7432");
    const auto v6 = loop.wait(name_resolver::resolve(resolver, "::1", 7432, 1s));
    REQUIRE(v6);
    CHECK(to_string(v6->front()) == "[::1]:7432");
    const auto mapped = loop.wait(name_resolver::resolve(resolver, "::ffff:10.1.2.3", 7432, 1s));
    REQUIRE(mapped);
    CHECK(to_string(mapped->front()) == "10.1.2.3:7432");
    const auto name = loop.wait(name_resolver::resolve(resolver, "localhost", 80, 5s));
    REQUIRE(name);
    CHECK(name->front().address().is_loopback());
}

TEST_CASE("a name that does not exist, and no time at all, are errors") {
    event_loop loop;
    auto resolver = std::make_shared<name_resolver>(loop.executor());
    const auto none = loop.wait(name_resolver::resolve(resolver, "no such name", 1, 2s));
    REQUIRE_FALSE(none);
    CHECK(none.error().code == errc::unreachable);
    resolver->stop();
    const auto stopped = loop.wait(name_resolver::resolve(resolver, "localhost", 1, 2s));
    CHECK_FALSE(stopped);
}
