#include "config/endpoint.hpp"

#include "catch.hpp"

using namespace repld::config;

TEST_CASE("host and port are told apart") {
    CHECK(*parse_endpoint("10.0.0.11:7432") == endpoint{"10.0.0.11", 7432});
    CHECK(*parse_endpoint("db-1.example.com:1") == endpoint{"db-1.example.com", 1});
    CHECK(*parse_endpoint("[2001:db8::11]:65535") == endpoint{"2001:db8::11", 65535});
    for (const char* text : {"10.0.0.11:7432", "n1:7432", "[::1]:7432"})
        CHECK(to_string(*parse_endpoint(text)) == text);
}

TEST_CASE("what is not host:port is refused") {
    for (const char* bad : {"",
                            ":",
                            "n1",
                            "n1:",
                            ":7432",
                            "n1:0",
                            "n1:65536",
                            "n1:-1",
                            "n1:7432x",
                            "n1: 7432",
                            "::1:7432",
                            "[::1]",
                            "[::1]7432",
                            "[n1]:7432",
                            "[10.0.0.1]:7432",
                            "10.0.0:7432",
                            "10.0.0.256:7432",
                            "*:7432",
                            "a b:7432",
                            "-n:7432",
                            "n..1:7432",
                            "n1:7432:7432",
                            "[]:1"}) {
        INFO(bad);
        CHECK_FALSE(parse_endpoint(bad).has_value());
    }
}

TEST_CASE("wildcards are recognised in every spelling") {
    CHECK(parse_endpoint("0.0.0.0:1")->wildcard());
    CHECK(parse_endpoint("[::]:1")->wildcard());
    CHECK(parse_endpoint("[0:0:0:0:0:0:0:0]:1")->wildcard());
    CHECK_FALSE(parse_endpoint("[::1]:1")->wildcard());
    CHECK_FALSE(parse_endpoint("127.0.0.1:1")->wildcard());
}
