#include "text.hpp"

#include <string>

#include "catch.hpp"

using namespace repld::cli;

TEST_CASE("sizes are printed as PostgreSQL prints them", "[cli]") {
    CHECK(bytes_text(-1) == "0 bytes");
    CHECK(bytes_text(0) == "0 bytes");
    CHECK(bytes_text(1023) == "1023 bytes");
    CHECK(bytes_text(1024) == "1.0 kB");
    CHECK(bytes_text(1024 * 1023.9) == "1.0 MB");
    CHECK(bytes_text(214.0 * 1024 * 1024) == "214 MB");
    CHECK(bytes_text(1.2 * 1024 * 1024 * 1024) == "1.2 GB");
    CHECK(bytes_text(1e30).ends_with(" PB"));
}

TEST_CASE("lengths of time have at most two units", "[cli]") {
    CHECK(seconds_text(-3) == "0.0 s");
    CHECK(seconds_text(0.25) == "0.2 s");
    CHECK(seconds_text(9.99) == "10 s");
    CHECK(seconds_text(59.9) == "1 min");
    CHECK(seconds_text(303) == "5 min 3 s");
    CHECK(seconds_text(7500) == "2 h 5 min");
    CHECK(seconds_text(93784) == "1 d 2 h");
    CHECK_FALSE(seconds_text(1e300).empty());
}

TEST_CASE("what a daemon sent cannot steer the terminal", "[cli]") {
    CHECK(printable("plain") == "plain");
    CHECK(printable("a\x1b[31mb\x07") == "a?[31mb?");
    CHECK(printable("two\nlines\tand\rmore") == "two lines and more");
    CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
    CHECK(printable("cut \xc3") == "cut ?");
    CHECK(printable("\xff\xfe") == "??");
    CHECK(printable("\xc2\x9b"
                    "31m") == "??31m");    // CSI as one control character
    CHECK(printable("\xc0\x9b") == "??");  // an overlong form of ESC
    CHECK(display_width("gr\xc3\xbc\xc3\x9f") == 4);
}

TEST_CASE("a typo finds what was meant, anything else finds nothing", "[cli]") {
    const std::vector<std::string> known{"cluster", "node", "witness", "daemon", "config"};
    CHECK(closest("clutser", known) == "cluster");
    CHECK(closest("nod", known) == "node");
    CHECK(closest("conf", known) == "config");
    CHECK(closest("deamon", known) == "daemon");
    CHECK_FALSE(closest("standby", known));
    CHECK_FALSE(closest("", known));
    CHECK_FALSE(closest("x", known));
    CHECK_FALSE(closest(std::string(100000, 'a'), known));
}
