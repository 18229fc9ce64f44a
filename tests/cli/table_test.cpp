#include "table_printer.hpp"

#include "catch.hpp"

using namespace repld::cli;

TEST_CASE("a table is aligned by what is seen, not by bytes", "[cli]") {
    table t({"ID", "Name"});
    t.add({"1", "gr\xc3\xbc"});
    t.add({"10", ""});
    CHECK(t.text(colours::off) ==
          " ID | Name\n"
          "----+------\n"
          " 1  | gr\xc3\xbc\n"
          " 10 |\n");
}

TEST_CASE("colours do not move columns", "[cli]") {
    table t({"A", "B"});
    t.add({cell("x", tint::bad), "1"});
    CHECK(t.text(colours::on) == " A | B\n---+---\n \x1b[31mx\x1b[0m | 1\n");
}

TEST_CASE("CSV quotes what RFC 4180 asks for", "[cli]") {
    table t({"a", "b"});
    t.add({"one, two", "say \"yes\""});
    t.add({"line\nend", ""});
    CHECK(t.csv() == "a,b\n\"one, two\",\"say \"\"yes\"\"\"\n\"line\nend\",\n");
}
