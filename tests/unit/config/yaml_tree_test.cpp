#include "config/yaml_tree.hpp"

#include <random>

#include "catch.hpp"
#include "config/loader.hpp"

using namespace repld::config;

namespace {

std::vector<problem> problems_of(const std::string& text) {
    std::vector<problem> problems;
    (void)parse_yaml(text, problems);
    return problems;
}

}  // namespace

TEST_CASE("a tree knows the line of everything") {
    std::vector<problem> problems;
    const auto document = parse_yaml("# comment\na: 1\nb:\n  c: x\n  d: [1, 2]\ne:\n", problems);
    REQUIRE(problems.empty());
    const auto& entries = document.root.entries;
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].value.text == "1");
    CHECK(entries[1].line == 3);
    CHECK(entries[1].value.entries[0].line == 4);
    CHECK(entries[1].value.entries[1].value.items.size() == 2);
    CHECK(entries[2].value.type == yaml_node::kind::nothing);
}

TEST_CASE("what makes a file mean something else is a problem with its line") {
    using row = std::tuple<const char*, int, const char*>;
    for (const auto& [text, line, part] :
         {row{"a: 1\nb: 2\na: 3\n", 3, "given twice; the first is in line 1"},
          row{"a: &x 1\nb: 2\n", 1, "anchors"}, row{"a: 1\n---\nb: 2\n", 2, "second document"},
          row{"a: 1\nb: !!str 2\n", 2, "tags"}, row{"? [x]\n: 1\n", 1, "a key must be"},
          row{"a: 1\nb: [1, 2\n", 3, "syntax error"}, row{"a: 1\n\tb: 2\n", 2, "syntax error"},
          row{"a: *x\n", 1, "syntax error"}, row{"a: \"x\nb: 2\n", 1, "must end on the line"},
          row{"# \xc3\xbc\na: 'x\nb: 2\n", 2, "must end on the line"},
          row{"\xef\xbb\xbf"
              "a: \"x\n",
              1, "must end on the line"},
          row{"a: \"x\n  y\"\nb: 2\n", 1, "must end on the line"}}) {
        INFO(text);
        const auto problems = problems_of(text);
        REQUIRE_FALSE(problems.empty());
        CHECK(problems.front().text.find(part) != std::string::npos);
        CHECK(problems.front().line == line);
    }
    CHECK(problems_of("a:\n  b: 1\n  b: 2\n").front().key == "a.b");
    CHECK(problems_of("a: &x {b: 1}\nc: *x\n").size() == 2);
}

TEST_CASE("quotes that end on their line are fine") {
    for (const char* text : {"a: \"x\"", "a: 'it''s'", "a: \"x \\\" y\"", "\xc3\xbc: 1\nb: \"x\"",
                             "a: ''", "a: [\"x\", 'y']", "\"a\": \"b\"",
                             "\xef\xbb\xbf"
                             "a: \"b\""}) {
        INFO(text);
        CHECK(problems_of(text).empty());
    }
}

TEST_CASE("deep nesting is refused, not followed until the stack ends") {
    for (const char* opening : {"[", "{a: ", "- "}) {
        std::string text;
        while (text.size() < 60'000) text += opening;
        CHECK_FALSE(problems_of(text).empty());
    }
}

TEST_CASE("random damage to a file never ends the process") {
    const std::string base =
        "node: {id: 1, name: n1}\npostgres:\n  conninfo: \"host=x\"\n  list: [a, 'b']\n# c\n";
    const std::string alphabet =
        "\n\t :-[]{}#&*!|>'\"%@`,?\\\x01\x80\xff\xef\xbb\xbf"
        "a0~";
    std::mt19937 random(20240501);
    for (int round = 0; round < 3000; ++round) {
        auto text = base;
        for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
            const auto at = random() % text.size();
            const char c = alphabet[random() % alphabet.size()];
            if (random() % 3 == 0)
                text.erase(at, 1 + random() % 5);
            else
                text.insert(at, 1, c);
            if (text.empty()) text = " ";
        }
        (void)parse(text);
    }
    SUCCEED();
}
