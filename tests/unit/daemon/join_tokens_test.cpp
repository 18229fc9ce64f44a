#include "join_tokens.hpp"

#include "catch.hpp"

using namespace repld;
using namespace std::chrono_literals;

TEST_CASE("a token opens what it was made for, until it expires") {
    join_tokens tokens;
    const boot_time now{1h};
    const auto token = tokens.make(60s, now);
    REQUIRE(token.has_value());
    const auto key = psk_of_token(*token);
    REQUIRE(key.has_value());
    CHECK(key->identity == "join:" + token->substr(0, 8));
    CHECK(key->key.size() == 16);
    const auto secret = tokens.find(key->identity, now + 59s);
    REQUIRE(secret.has_value());
    CHECK(*secret == key->key);
    CHECK_FALSE(tokens.find(key->identity, now + 60s).has_value());
    CHECK_FALSE(tokens.find("join:00000000", now).has_value());
}

TEST_CASE("a token serves one installation, which may try again") {
    join_tokens tokens;
    const auto token = tokens.make(60s, boot_time{});
    const auto key = psk_of_token(*token);
    CHECK(tokens.use(key->identity, 7));
    CHECK(tokens.use(key->identity, 7));
    CHECK_FALSE(tokens.use(key->identity, 8));
    CHECK_FALSE(tokens.use("join:ffffffff", 7));
}

TEST_CASE("what is no token is refused") {
    for (const char* bad :
         {"", "x", "1a2b3c4d", "1a2b3c4d-", "1a2b3c4d-0123456789abcdef0123456789abcde",
          "1a2b3c4d-0123456789abcdef0123456789abcdeg", "1a2b3c4d+0123456789abcdef0123456789abcdef",
          "1a2b3c4d-0123456789ABCDEF0123456789ABCDEF"}) {
        const auto key = psk_of_token(bad);
        CHECK_FALSE(key.has_value());
    }
}

TEST_CASE("open tokens are bounded, and expired ones make room") {
    join_tokens tokens;
    for (std::size_t i = 0; i < join_tokens_max; ++i)
        REQUIRE(tokens.make(60s, boot_time{}).has_value());
    CHECK_FALSE(tokens.make(60s, boot_time{}).has_value());
    CHECK(tokens.make(60s, boot_time{61s}).has_value());
}
