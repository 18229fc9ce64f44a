#include "storage/register_file.hpp"

#include "catch.hpp"

using namespace repld;
using namespace repld::storage;

namespace {

const std::string payload = "{\"promise\":{\"term\":7,\"node\":2}}";

std::string reason(const std::string& content) {
    const auto decoded = decode(content);
    if (decoded) return "accepted";
    return decoded.error().code == errc::corrupt ? decoded.error().detail : "wrong code";
}

}  // namespace

TEST_CASE("what is encoded is decoded") {
    for (const auto& text :
         {std::string(), payload, std::string("a\nb\0c", 5), std::string(100'000, '\n')}) {
        const auto content = encode(text);
        REQUIRE(content.has_value());
        CHECK(*decode(*content) == text);
    }
    CHECK(encode(std::string(payload_size_max + 1, 'x')).error().code == errc::internal);
}

TEST_CASE("the file on disk looks like this") {
    CHECK(
        *encode("abc") ==
        "repld-register 1 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nabc");
}

TEST_CASE("every flipped bit is found") {
    const auto content = *encode(payload);
    for (std::size_t at = 0; at < content.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            auto damaged = content;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            REQUIRE(reason(damaged) != "accepted");
        }
    }
}

TEST_CASE("every truncation, insertion and appendix is found") {
    const auto content = *encode(payload);
    for (std::size_t length = 0; length < content.size(); ++length)
        REQUIRE(reason(content.substr(0, length)) != "accepted");
    for (std::size_t at = 0; at <= content.size(); ++at)
        for (const char c : {'0', ' ', '\n', '\0', 'x'}) {
            auto damaged = content;
            damaged.insert(at, 1, c);
            REQUIRE(reason(damaged) != "accepted");
        }
    CHECK(reason(content + content) != "accepted");
}

TEST_CASE("the reason is exact") {
    const auto content = *encode(payload);
    const auto after_magic = content.substr(16);
    CHECK(reason("") == "The file is empty.");
    CHECK(reason(std::string(4096, '\0')) == "It does not begin with \"repld-register\".");
    CHECK(reason(content.substr(0, 30)) == "The file ends within its header.");
    CHECK(reason("repld-register 2" + after_magic) ==
          "Its format version is 2; this program knows 1.");
    CHECK(reason("repld-register x" + after_magic).starts_with("The format version"));
    CHECK(reason(content.substr(0, content.size() - 1)) ==
          "It has 30 bytes of payload; its header says 31.");
    auto damaged = content;
    damaged.back() = '!';
    CHECK(reason(damaged) == "The checksum does not match the payload.");
}
