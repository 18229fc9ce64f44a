#include "net/hello.hpp"

#include "catch.hpp"

using namespace repld;
using namespace repld::net;

namespace {

hello sample() {
    hello h;
    h.cluster = "main";
    h.system_identifier = "7300000000000000001";
    h.node = 3;
    h.node_name = "n3";
    h.identity = 18446744073709551615ULL;
    h.boot = 9007199254740993ULL;  // more than a double can hold
    h.machine_id = "0123456789abcdef";
    h.advertise = "10.0.0.3:7432";
    h.program_version = "1.0";
    return h;
}

}  // namespace

TEST_CASE("a hello survives the way through JSON text") {
    const auto got = decode_hello(json::parse(encode_hello(sample()).dump()));
    REQUIRE(got);
    CHECK(encode_hello(*got) == encode_hello(sample()));
    CHECK(got->identity == sample().identity);
    CHECK(got->boot == sample().boot);
}

TEST_CASE("a hello without one of its fields is refused, whichever it is") {
    const auto whole = encode_hello(sample());
    for (const auto& [key, value] : whole.items()) {
        auto lacking = whole;
        lacking.erase(key);
        CHECK_FALSE(decode_hello(lacking));
        auto wrong = whole;
        wrong[key] = json::array();
        CHECK_FALSE(decode_hello(wrong));
    }
}

TEST_CASE("values that cannot be meant are refused") {
    auto body = encode_hello(sample());
    SECTION("not an object") {
        body = "hello";
    }
    SECTION("boot is no number") {
        body["boot"] = "12x";
    }
    SECTION("boot is empty") {
        body["boot"] = "";
    }
    SECTION("identity has more than 64 bits") {
        body["identity"] = "18446744073709551616";
    }
    SECTION("node id is negative") {
        body["node_id"] = -1;
    }
    SECTION("node id has more than 32 bits") {
        body["node_id"] = 4294967296ULL;
    }
    SECTION("text is endless") {
        body["cluster"] = std::string(2000, 'x');
    }
    SECTION("a client has a node id") {
        body["client"] = true;
    }
    CHECK_FALSE(decode_hello(body));
}
