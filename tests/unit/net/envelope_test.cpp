#include "net/envelope.hpp"

#include <random>

#include "catch.hpp"

using namespace repld;
using namespace repld::net;

TEST_CASE("an envelope survives the way through text") {
    const auto type =
        GENERATE(envelope_type::hello, envelope_type::accept, envelope_type::refuse,
                 envelope_type::goodbye, envelope_type::ping, envelope_type::message,
                 envelope_type::request, envelope_type::progress, envelope_type::response);
    envelope sent{.type = type, .id = 18446744073709551615ULL, .body = json::object()};
    sent.body["text"] = "ü\n\"";
    const auto got = decode_envelope(encode_envelope(sent));
    REQUIRE(got);
    CHECK(got->type == type);
    CHECK(got->id == sent.id);
    CHECK(got->body == sent.body);
}

TEST_CASE("what is not an envelope of this version is refused") {
    const std::string text = GENERATE(
        as<std::string>{}, "", "{", "null", "[]", "17", "\"x\"", "\xff\xfe", "{}",
        R"({"v":2,"t":"ping","id":0})", R"({"v":"1","t":"ping","id":0})",
        R"({"v":1.0,"t":"ping","id":0})", R"({"v":1,"t":"pong","id":0})", R"({"v":1,"t":7,"id":0})",
        R"({"v":1,"id":0})", R"({"v":1,"t":"ping"})", R"({"v":1,"t":"ping","id":-1})",
        R"({"v":1,"t":"ping","id":"1"})", R"({"v":1,"t":"ping","id":0} trailing)");
    const auto got = decode_envelope(text);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::protocol);
}

TEST_CASE("deep nesting is refused before it is parsed, also inside strings it does not count") {
    const std::string head = R"({"v":1,"t":"message","id":0,"b":)";
    CHECK_FALSE(decode_envelope(head + std::string(500000, '[') + std::string(500000, ']') + "}"));
    CHECK(decode_envelope(head + std::string(60, '[') + std::string(60, ']') + "}"));
    CHECK(decode_envelope(head + "\"\\\"" + std::string(1000, '[') + "\"}"));
}

TEST_CASE("invalid UTF-8 is replaced, not thrown about") {
    envelope sent{.type = envelope_type::message, .id = 0, .body = "bad \xff byte"};
    const auto got = decode_envelope(encode_envelope(sent));
    REQUIRE(got);
    CHECK(got->body == "bad \xEF\xBF\xBD byte");
}

TEST_CASE("mutated envelopes are decoded or refused, nothing else") {
    const std::string good = R"({"v":1,"t":"request","id":12,"b":{"k":[1,2,{"x":"y\u00e9"}]}})";
    std::mt19937 random(3);
    for (int round = 0; round < 20000; ++round) {
        auto text = good;
        for (auto changes = 1 + random() % 4; changes > 0; --changes) {
            const auto at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = static_cast<char>(random() % 256); break;
                case 1: text.erase(at, 1 + random() % 5); break;
                default: text.insert(at, 1, "{}[]\",:0\\"[random() % 9]); break;
            }
            if (text.empty()) text = "x";
        }
        const auto got = decode_envelope(text);
        if (!got) REQUIRE(got.error().code == errc::protocol);
    }
}

TEST_CASE("an error survives, and a broken one is still an error") {
    const error sent{.code = errc::needs_person, .message = "m", .detail = "D.", .hint = "H."};
    const auto got = decode_error(encode_error(sent));
    CHECK(got.code == sent.code);
    CHECK(to_string(got) == to_string(sent));
    CHECK(decode_error(json::array()).code == errc::internal);
    CHECK(decode_error(json{{"code", "new_code"}, {"message", 7}}).message == "unknown error");
}
