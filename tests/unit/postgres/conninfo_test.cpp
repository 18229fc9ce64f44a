#include "postgres/conninfo.hpp"

#include "catch.hpp"

using namespace repld;
using postgres::conninfo;
using postgres::redact_text;

namespace {

std::string printed(std::string_view text) {
    const auto c = conninfo::parse(text);
    if (!c) return "ERROR " + c.error().detail;
    // What is printed means the same.
    const auto again = conninfo::parse(c->to_string());
    REQUIRE(again);
    CHECK(again->entries() == c->entries());
    return c->to_string();
}

}  // namespace

TEST_CASE("connection strings keep their order and are quoted where necessary") {
    CHECK(printed("host=a port=5432 user=repld dbname=repld") ==
          "host=a port=5432 user=repld dbname=repld");
    CHECK(printed("dbname = x  host  =  'a b'\tuser='' ") == "dbname=x host='a b' user=''");
    CHECK(printed("password='it\\'s \\\\'") == "password='it\\'s \\\\'");
    CHECK(printed("options=a\\ b") == "options='a b'");
    CHECK(printed("") == "");
    CHECK(printed("user=a user=b") == "user=b");
}

TEST_CASE("URIs become keywords and values") {
    CHECK(printed("postgresql://repld:p%20w@db1:5433/repld?sslmode=require") ==
          "host=db1 port=5433 user=repld dbname=repld password='p w' sslmode=require");
    CHECK(printed("postgres://a,b/x").starts_with("host=a,b"));
}

TEST_CASE("wrong connection strings are refused without telling a password") {
    for (const char* text : {"host", "colour=red", "host='a", "=x", "postgresql://["}) {
        const auto c = conninfo::parse(text);
        REQUIRE_FALSE(c);
        CHECK(c.error().code == errc::configuration);
        CHECK_FALSE(c.error().detail.empty());
    }
    const auto secret = conninfo::parse("password=two words here");
    REQUIRE_FALSE(secret);
    CHECK(to_string(secret.error()).find("words") == std::string::npos);
    const auto uri = conninfo::parse("postgresql://u:hunter2@h/x?hunter2=1");
    REQUIRE_FALSE(uri);
    CHECK(to_string(uri.error()).find("hunter2") == std::string::npos);
    CHECK_FALSE(conninfo::parse(std::string_view("host=a\0b", 8)));
}

TEST_CASE("keywords are read, changed and removed") {
    auto c = *conninfo::parse("host=a user=u");
    CHECK(c.get("host") == "a");
    CHECK_FALSE(c.get("port"));
    CHECK(c.with("host", "b").to_string() == "host=b user=u");
    CHECK(c.with("port", "1").to_string() == "host=a user=u port=1");
    CHECK(c.without("host").to_string() == "user=u");
    c.set_default("user", "other");
    c.set_default("dbname", "d");
    CHECK(c.to_string() == "host=a user=u dbname=d");
    c.remove("user");
    CHECK_FALSE(c.has("user"));
}

TEST_CASE("secrets are hidden in connection strings") {
    const auto c = *conninfo::parse("host=a password=hunter2 sslpassword='x y' passfile=/f");
    CHECK(c.redacted() == "host=a password=*** sslpassword=*** passfile=/f");
}

TEST_CASE("secrets are hidden in any text") {
    CHECK(redact_text("host=a password=hunter2 port=1") == "host=a password=*** port=1");
    CHECK(redact_text("password = 'hun\\'ter 2' x") == "password = *** x");
    CHECK(redact_text("PGPASSWORD=hunter2") == "PGPASSWORD=***");
    CHECK(redact_text("sslpassword=hunter2") == "sslpassword=***");
    CHECK(redact_text("password=a\\ b c") == "password=*** c");
    CHECK(redact_text(R"({"password": "hun\"ter2", "a": 1})") == R"({"password": ***, "a": 1})");
    CHECK(redact_text("ALTER ROLE x PASSWORD 'hun''ter2' LOGIN") ==
          "ALTER ROLE x PASSWORD *** LOGIN");
    CHECK(redact_text("SET primary_conninfo = 'host=a password=''hun ter2'' port=1'") ==
          "SET primary_conninfo = 'host=a password=*** port=1'");
    CHECK(redact_text("postgresql://u:hunter2@h/x postgres://u@h") ==
          "postgresql://u:***@h/x postgres://u@h");
    CHECK(redact_text("postgresql://u:a@b@h/x?password=hunter2&a=1") ==
          "postgresql://u:***@h/x?password=***&a=1");
    CHECK(redact_text("password='never closed") == "password=***");
    CHECK(redact_text("password authentication failed for user \"x\"") ==
          "password authentication failed for user \"x\"");
    CHECK(redact_text("password=") == "password=");
    CHECK(redact_text("http://h:1/a@b") == "http://h:1/a@b");
    CHECK(redact_text("").empty());
}
