#include "logging/redact.hpp"

#include <chrono>
#include <random>

#include "catch.hpp"

using namespace repld::logging;

TEST_CASE("secrets are hidden in every spelling") {
    using row = std::pair<std::string, std::string>;
    const std::string m = "********";
    const std::string hex(64, 'a');
    for (const auto& [text, shown] : {
             row{"host=x password=S3cret user=y", "host=x password=" + m + " user=y"},
             row{"password = 'S3 cr\\'et' user=y", "password = '" + m + "' user=y"},
             row{"password=S3\\ cret user=y", "password=" + m + " user=y"},
             row{"password=a,b&c\"d x", "password=" + m + " x"},
             row{"sslpassword=x", "sslpassword=" + m},
             row{"PGPASSWORD=x pg_basebackup", "PGPASSWORD=" + m + " pg_basebackup"},
             row{"postgresql://u:S3cret@h/db", "postgresql://u:" + m + "@h/db"},
             row{"postgresql://u:a@b:c@h:1/db", "postgresql://u:" + m + "@h:1/db"},
             row{"postgresql://h/db?user=u&password=x", "postgresql://h/db?user=u&password=" + m},
             row{"{\"password\": \"S3\\\"cret\", \"a\": 1}",
                 "{\"password\": \"" + m + "\", \"a\": 1}"},
             row{R"({\"password\":\"S3cret\",\"a\":1})",
                 R"({\"password\":\")" + m + R"(\",\"a\":1})"},
             row{"ALTER ROLE r PASSWORD 'it''s'; x", "ALTER ROLE r PASSWORD '" + m + "'; x"},
             row{"replctl node join h:1 --token abc:def x",
                 "replctl node join h:1 --token " + m + " x"},
             row{"--token=abc x", "--token=" + m + " x"},
             row{"password='never closed", "password='" + m},
             row{"SCRAM-SHA-256$4096:salt$a:b x", "SCRAM-SHA-256$" + m + " x"},
             row{"md50123456789abcdef0123456789abcdef", "md5" + m},
             row{"key " + hex + " end", "key " + m + " end"},
             row{"key " + std::string(43, 'Q') + "= end", "key " + m + " end"},
             row{"-----BEGIN PRIVATE KEY-----\nMIIE\nxx\n-----END PRIVATE KEY-----\nrest",
                 "-----BEGIN PRIVATE KEY-----" + m + "-----END PRIVATE KEY-----\nrest"},
             row{"-----BEGIN EC PRIVATE KEY-----\nMIIE", "-----BEGIN EC PRIVATE KEY-----" + m},
         }) {
        CHECK(redact(text) == shown);
        CHECK(redact(redact(text)) == shown);
    }
}

TEST_CASE("ordinary text is left alone") {
    for (const std::string text :
         {"", "password authentication failed for user \"repld\"", "no password supplied",
          "fe_sendauth: no password", "the guard token is destroyed", "0/3000148 on timeline 1",
          "listening on 10.0.0.11:7432", "http://127.0.0.1:8432/health", "user@host",
          "/var/lib/postgresql/15/main/pg_wal/000000010000000000000001/and/more/of/it/here",
          "system identifier 7301234567890123456", "password=", "a password", "password:"}) {
        CHECK(redact(text) == text);
    }
}

TEST_CASE("names tell a secret") {
    CHECK(names_secret("password"));
    CHECK(names_secret("PGPASSWORD"));
    CHECK(names_secret("join_token"));
    CHECK_FALSE(names_secret("passfile"));
    CHECK_FALSE(names_secret("name"));
}

TEST_CASE("redaction takes time in proportion to the text") {
    const std::vector<std::string> pieces{
        "a/", "://", "-----BEGIN ", "password ", "token=", "'", "a:@", "x+", "\\\"", "password=\\"};
    for (const auto& piece : pieces) {
        std::string text;
        while (text.size() < 1'000'000) text += piece;
        const auto begin = std::chrono::steady_clock::now();
        (void)redact(text);
        CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    }
}

TEST_CASE("arbitrary bytes are survived") {
    const std::string alphabet =
        "password=' \"\\:@/-BEGINPRIVATEKEY tokenmd5$\n\xff"
        "af09+=";
    std::mt19937 random(7);
    for (int round = 0; round < 5000; ++round) {
        std::string text;
        for (auto left = random() % 120; left > 0; --left)
            text += alphabet[random() % alphabet.size()];
        (void)redact(text);
    }
    SUCCEED();
}
