#include "net/frame.hpp"

#include <random>

#include "catch.hpp"

using namespace repld;
using namespace repld::net;

namespace {

std::string length_prefix(std::uint32_t length) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes.push_back(static_cast<char>((length >> shift) & 0xffU));
    }
    return bytes;
}

std::vector<std::string> drain(frame_decoder& decoder) {
    std::vector<std::string> all;
    for (;;) {
        auto next = decoder.next();
        REQUIRE(next);
        if (!next->has_value()) return all;
        all.push_back(**next);
    }
}

}  // namespace

TEST_CASE("a frame is its length, big-endian, and the payload") {
    CHECK(encode_frame("abc") == std::string("\0\0\0\3abc", 7));
    CHECK(encode_frame(std::string(258, 'x')).substr(0, 4) == std::string("\0\0\1\2", 4));
}

TEST_CASE("frames arrive byte by byte") {
    frame_decoder decoder(100);
    const auto bytes = encode_frame("first") + encode_frame("second");
    std::vector<std::string> got;
    for (const char c : bytes) {
        decoder.feed(std::string_view(&c, 1));
        for (auto& one : drain(decoder)) got.push_back(one);
    }
    CHECK(got == std::vector<std::string>{"first", "second"});
    CHECK(decoder.buffered() == 0);
}

TEST_CASE("several frames arrive at once, the last one incomplete") {
    frame_decoder decoder(100);
    const auto last = encode_frame("three");
    decoder.feed(encode_frame("one") + encode_frame("two") + last.substr(0, 6));
    CHECK(drain(decoder) == std::vector<std::string>{"one", "two"});
    decoder.feed(last.substr(6));
    CHECK(drain(decoder) == std::vector<std::string>{"three"});
}

TEST_CASE("a length of zero or beyond the limit breaks the stream for good") {
    const auto length = GENERATE(0U, 101U, 0x7fffffffU, 0xffffffffU);
    frame_decoder decoder(100);
    decoder.feed(encode_frame("good") + length_prefix(length) + "payload");
    auto good = decoder.next();
    REQUIRE(good);
    CHECK(**good == "good");
    const auto bad = decoder.next();
    REQUIRE_FALSE(bad);
    CHECK(bad.error().code == errc::protocol);
    CHECK(decoder.buffered() == 0);
    decoder.feed(encode_frame("later"));
    CHECK_FALSE(decoder.next());
}

TEST_CASE("the limit itself is allowed, and can be raised") {
    frame_decoder decoder(10);
    decoder.feed(encode_frame(std::string(10, 'a')));
    CHECK(drain(decoder).size() == 1);
    decoder.set_limit(1000);
    decoder.feed(encode_frame(std::string(1000, 'b')));
    CHECK(drain(decoder).front().size() == 1000);
}

TEST_CASE("random payloads survive random cuts") {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::string> sent;
        std::string bytes;
        for (int i = 0; i < 10; ++i) {
            sent.emplace_back(1 + random() % 3000, static_cast<char>(random() % 256));
            bytes += encode_frame(sent.back());
        }
        frame_decoder decoder(4096);
        std::vector<std::string> got;
        for (std::size_t at = 0; at < bytes.size();) {
            const auto size = std::min<std::size_t>(1 + random() % 2000, bytes.size() - at);
            decoder.feed(std::string_view(bytes).substr(at, size));
            at += size;
            for (auto& one : drain(decoder)) got.push_back(one);
        }
        REQUIRE(got == sent);
    }
}

TEST_CASE("random bytes never make it hold more than was fed") {
    std::mt19937 random(11);
    for (int round = 0; round < 500; ++round) {
        frame_decoder decoder(300);
        std::size_t fed = 0;
        for (int i = 0; i < 20; ++i) {
            std::string junk(random() % 64, '\0');
            for (auto& c : junk) c = static_cast<char>(random() % 4 == 0 ? random() % 256 : 0);
            fed += junk.size();
            decoder.feed(junk);
            while (true) {
                const auto next = decoder.next();
                if (!next || !next->has_value()) break;
            }
            REQUIRE(decoder.buffered() <= fed);
        }
    }
}
