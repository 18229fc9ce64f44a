#include "config/loader.hpp"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>

#include "catch.hpp"
#include "scratch.hpp"

using namespace repld;
using namespace repld::config;

namespace {

const std::string small_file =
    "node:\n"
    "  id: 1\n"
    "  name: n1\n"
    "postgres:\n"
    "  data_directory: /srv/pg\n"
    "  conninfo: host=10.0.0.11 dbname=repld\n"
    "peer:\n"
    "  listen: 10.0.0.11:7432\n";

// "line: key: text" of every problem.
std::vector<std::string> problems_of(const std::string& text, const conninfo_check& check = {}) {
    std::vector<std::string> list;
    for (const auto& p : parse(text, check).problems)
        list.push_back(std::to_string(p.line) + ": " + p.key + ": " + p.text);
    return list;
}

std::string with(std::string text, const std::string& old, const std::string& replacement) {
    const auto at = text.find(old);
    REQUIRE(at != std::string::npos);
    return text.replace(at, old.size(), replacement);
}

// The only problem of the small file after one replacement.
std::string problem_after(const std::string& old, const std::string& replacement) {
    const auto problems = problems_of(with(small_file, old, replacement));
    INFO(replacement);
    REQUIRE(problems.size() == 1);
    return problems.front();
}

}  // namespace

TEST_CASE("a small file gets the defaults") {
    const auto o = parse(small_file);
    REQUIRE(o.problems.empty());
    const auto& c = o.value;
    CHECK(c.node.id == 1);
    CHECK(c.node.role == node_role::data);
    CHECK(c.node.location == "default");
    CHECK(c.node.priority == 100);
    REQUIRE(c.postgres);
    CHECK(c.postgres->bin_directory.empty());
    CHECK(c.postgres->service.start.empty());
    CHECK(c.peer.advertise == endpoint{"10.0.0.11", 7432});
    CHECK(c.peer.key_file == "/etc/repld/cluster.key");
    CHECK_FALSE(c.http);
    CHECK(c.paths.state == "/var/lib/repld");
    CHECK(c.paths.run == "/run/repld");
    CHECK(c.log.level == logging::level::info);
    CHECK(c.log.format == logging::format::text);
}

TEST_CASE("every key of a full file is read") {
    const auto o = parse(
        "node: {id: 7, name: n-7_x, role: data, location: Berlin.1, priority: 0}\n"
        "postgres:\n"
        "  data_directory: /srv//pg/\n"
        "  bin_directory: /opt/pg/bin\n"
        "  conninfo: 'host=h password=${SECRET}'\n"
        "  local_conninfo: host=/tmp\n"
        "  service: {start: a 1, stop: b, restart: c, reload: d, promote: e}\n"
        "peer: {listen: '[::]:7000', advertise: 'db7:7001', key_file: /k}\n"
        "http: {listen: '127.0.0.1:8432'}\n"
        "paths: {state: /s, run: /r}\n"
        "log: {level: debug, format: json}\n");
    REQUIRE(o.problems.empty());
    const auto& c = o.value;
    CHECK(c.node.name == "n-7_x");
    CHECK(c.node.priority == 0);
    CHECK(c.postgres->data_directory == "/srv/pg");
    CHECK(c.postgres->conninfo == "host=h password=${SECRET}");
    CHECK(c.postgres->local_conninfo == "host=/tmp");
    CHECK(c.postgres->service.start == "a 1");
    CHECK(c.postgres->service.promote == "e");
    CHECK(c.peer.listen.wildcard());
    CHECK(c.peer.advertise == endpoint{"db7", 7001});
    CHECK(c.http->listen.port == 8432);
    CHECK(c.paths.run == "/r");
    CHECK(c.log.format == logging::format::json);
}

TEST_CASE("the example file is right") {
    const auto loaded = load(REPLD_EXAMPLE_FILE);
    INFO((loaded ? std::string() : to_string(loaded.error())));
    REQUIRE(loaded.has_value());
    CHECK(loaded->node.name == "n1");
}

TEST_CASE("all problems are told at once, in the order of the file") {
    const auto problems = problems_of(
        "node:\n"
        "  id: none\n"
        "  nmae: n1\n"
        "postgres: [1]\n"
        "peer:\n"
        "  advertise: 10.0.0.11\n"
        "  listen: {a: b}\n"
        "log: {level: loud}\n"
        "max_lag: 1MB\n");
    REQUIRE(problems.size() == 8);
    CHECK(problems[0] ==
          "1: node.name: missing, expected a name that no other node of the cluster has");
    CHECK(problems[1] == "2: node.id: found \"none\", expected an integer from 1 to 2147483647");
    CHECK(problems[2] == "3: node.nmae: unknown key, did you mean \"name\"?");
    CHECK(problems[3] == "4: postgres: found a list, expected a mapping");
    CHECK(problems[4] ==
          "6: peer.advertise: found \"10.0.0.11\", expected host:port, for example 10.0.0.11:7432");
    CHECK(problems[5] == "7: peer.listen: found a mapping, expected a text");
    CHECK(problems[6] ==
          "8: log.level: found \"loud\", expected \"debug\", \"info\", \"warning\" or \"error\"");
    CHECK(problems[7] ==
          "9: max_lag: this is a setting of the whole cluster, expected it in \"replctl cluster "
          "settings max_lag VALUE\"");
}

TEST_CASE("values out of their range are refused") {
    CHECK(problem_after("id: 1", "id: 0").starts_with("2: node.id: found \"0\", expected"));
    CHECK(problem_after("id: 1", "id: 1.5").starts_with("2: node.id"));
    CHECK(problem_after("id: 1", "id: 99999999999999999999").starts_with("2: node.id"));
    CHECK(problem_after("id: 1", "id: 0x1").starts_with("2: node.id"));
    CHECK(problem_after("id: 1", "id:").starts_with("2: node.id: found nothing"));
    CHECK(problem_after("id: 1", "id: 1\n  priority: -1").starts_with("3: node.priority"));
    for (const char* name : {"N1", "-n", "n.1", "\"n 1\"", "\"\"", "\"n\\n1\""})
        CHECK(problem_after("name: n1", std::string("name: ") + name).starts_with("3: node.name"));
    CHECK(problem_after("name: n1", "name: " + std::string(64, 'a')).starts_with("3: node.name"));
    CHECK(problem_after("/srv/pg", "srv/pg")
              .starts_with("5: postgres.data_directory: found \"srv/pg\""));
    CHECK(problem_after("name: n1", "name: n1\n  role: primary").starts_with("4: node.role"));
    CHECK(problem_after("  listen: 10.0.0.11:7432", "  key_file: x\n  listen: 10.0.0.11:7432")
              .starts_with("8: peer.key_file"));
}

TEST_CASE("the postgres section belongs to data nodes, and only to them") {
    CHECK(problem_after("name: n1", "name: n1\n  role: witness")
              .starts_with("5: postgres: found a section, expected none"));
    const std::string witness = "node: {id: 1, name: w, role: witness}\npeer: {listen: 'w:1'}\n";
    CHECK(problems_of(witness).empty());
    CHECK_FALSE(parse(witness).value.postgres);
    const auto problems = problems_of(with(witness, "witness", "data"));
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().starts_with("1: postgres: missing"));
    CHECK(problem_after("  data_directory: /srv/pg\n", "")
              .starts_with("4: postgres.data_directory: missing"));
}

TEST_CASE("other hosts must have something to connect to") {
    CHECK(problem_after("listen: 10.0.0.11:7432", "listen: 0.0.0.0:7432")
              .starts_with("7: peer.advertise: missing"));
    CHECK(problem_after("  listen: 10.0.0.11:7432", "  advertise: '[::]:7432'")
              .starts_with("8: peer.advertise: found \"[::]:7432\""));
    CHECK(problem_after("peer:\n  listen: 10.0.0.11:7432\n", "")
              .starts_with("1: peer.advertise: missing"));
}

TEST_CASE("http has a port of its own and is off without its section") {
    CHECK(problem_after("peer:", "http:\npeer:").starts_with("7: http.listen: missing"));
    CHECK(problem_after("peer:", "http: {listen: '0.0.0.0:7432'}\npeer:")
              .starts_with("7: http.listen"));
    CHECK(
        problems_of(with(small_file, "peer:", "http: {listen: '127.0.0.1:7432'}\npeer:")).empty());
}

TEST_CASE("nothing of ours lies inside the data directory") {
    CHECK(problem_after("peer:", "paths: {state: /srv/pg/repld}\npeer:")
              .starts_with("7: paths.state"));
    CHECK(problem_after("peer:", "paths: {state: /srv/x/../pg}\npeer:")
              .starts_with("7: paths.state"));
    CHECK(problem_after("peer:", "peer:\n  key_file: /srv/pg/key").starts_with("8: peer.key_file"));
    CHECK(problems_of(with(small_file, "peer:", "paths: {state: /srv/pg2}\npeer:")).empty());
    CHECK(problem_after("peer:", "paths: {run: /" + std::string(80, 'r') + "}\npeer:")
              .starts_with("7: paths.run"));
}

TEST_CASE("a conninfo is judged by the caller and its password is not shown") {
    const conninfo_check check = [](const std::string& text) -> result<void> {
        if (text.find("hots=") == std::string::npos) return {};
        return error{errc::usage, "invalid connection option \"hots\""};
    };
    CHECK(problems_of(small_file, check).empty());
    const auto problems =
        problems_of(with(small_file, "host=10.0.0.11", "hots=x password=geheim"), check);
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().starts_with("6: postgres.conninfo: found \"hots=x password="));
    CHECK(problems.front().find("invalid connection option \"hots\"") != std::string::npos);
    CHECK(problems.front().find("geheim") == std::string::npos);
    CHECK(problems_of("password=geheim x: 1\n").back().find("geheim") == std::string::npos);
}

TEST_CASE("a file is named with its line and refused whole") {
    const test::scratch scratch;
    const auto file = scratch.write("repld.yaml", with(small_file, "id: 1", "id: x"));
    const auto loaded = load(file);
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().code == errc::configuration);
    CHECK(loaded.error().message == "configuration file \"" + file.string() + "\" contains errors");
    CHECK(loaded.error().detail ==
          file.string() + ":2: node.id: found \"x\", expected an integer from 1 to 2147483647");
    CHECK(load(scratch.write("ok.yaml", small_file))->file == scratch.path() / "ok.yaml");
}

TEST_CASE("what is no configuration file is refused politely") {
    const test::scratch scratch;
    CHECK(load(scratch.path() / "none").error().code == errc::io);
    CHECK(load(scratch.path()).error().code == errc::configuration);
    const auto large = load(scratch.write("large", std::string(5'000'000, '#')));
    CHECK(large.error().detail == "It is larger than 64 kB.");
    const auto binary = load(scratch.write("binary", std::string("a: 1\nb: \0\1\2", 11)));
    CHECK(binary.error().detail.find(":2: found a control character") != std::string::npos);
    CHECK(problems_of("a: 1\n# \xfc\n").front() ==
          "2: : found a byte that is not UTF-8, expected text");
    CHECK(problems_of("# \xc3\xbc \xe2\x82\xac\n" + small_file).empty());
    const auto fifo = scratch.path() / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(load(fifo).error().code == errc::configuration);
    CHECK_FALSE(problems_of("").empty());
    CHECK_FALSE(problems_of("just text").empty());
    CHECK(problems_of("- 1\n- 2\n").front() == "1: : found a list, expected a mapping");
}

TEST_CASE("the number of problems told is bounded") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "key" + std::to_string(i) + ": 1\n";
    CHECK(parse(text).problems.size() == problems_max);
}

TEST_CASE("the file is found by option, environment, default") {
    ::setenv("REPLD_CONFIG", "/from/environment", 1);
    CHECK(find_file("/from/option") == "/from/option");
    CHECK(find_file(std::nullopt) == "/from/environment");
    ::setenv("REPLD_CONFIG", "", 1);
    CHECK(find_file(std::nullopt) == "/etc/repld/repld.yaml");
    ::unsetenv("REPLD_CONFIG");
    CHECK(find_file(std::nullopt) == "/etc/repld/repld.yaml");
}

TEST_CASE("the effective values are listed without secrets") {
    const auto o = parse(with(small_file, "dbname=repld", "password=geheim"));
    REQUIRE(o.problems.empty());
    const auto list = describe(o.value);
    const auto value_of = [&](const std::string& key) {
        const auto at =
            std::find_if(list.begin(), list.end(), [&](const setting& s) { return s.key == key; });
        return at == list.end() ? std::string("?") : at->value;
    };
    CHECK(value_of("node.role") == "data");
    CHECK(value_of("postgres.conninfo") == "host=10.0.0.11 password=********");
    CHECK(value_of("postgres.service.stop") == "(pg_ctl)");
    CHECK(value_of("peer.advertise") == "10.0.0.11:7432");
    CHECK(value_of("http.listen") == "(off)");
    CHECK(value_of("log.level") == "info");
}
