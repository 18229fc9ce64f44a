#include "logging/log.hpp"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.hpp"
#include "pipe.hpp"

using namespace repld;
using namespace repld::logging;

namespace {

options json_options() {
    return {level::info, format::json};
}

}  // namespace

TEST_CASE("text lines carry time, level, message and fields") {
    test::pipe p;
    logger log({}, p.writer());
    log.info("promoted", {{"node", "n2"}, {"term", "7"}});
    log.debug("not wanted");
    const auto line = p.read();
    CHECK(line.ends_with("] info: promoted (node=n2, term=7)\n"));
    CHECK(line.substr(0, 2) == "20");
}

TEST_CASE("a json line is one object, whatever the message holds") {
    test::pipe p;
    logger log(json_options(), p.writer());
    log.warning("a \"quote\"\nand \xff bytes", {{"level", "mine"}, {"node", "n2"}});
    const auto line = p.read();
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    const auto object = nlohmann::json::parse(line);
    CHECK(object["level"] == "warning");
    CHECK(object["_level"] == "mine");
    CHECK(object["node"] == "n2");
    CHECK(object["msg"].get<std::string>().starts_with("a \"quote\"\nand "));
    CHECK(object.contains("ts"));
}

TEST_CASE("secrets reach neither message nor fields") {
    for (const auto f : {format::text, format::json}) {
        test::pipe p;
        logger log({level::info, f}, p.writer());
        log.error("conninfo password='geheim \"x' user=u",
                  {{"password", "geheim"}, {"conninfo", "{\"password\":\"geheim\"}"}});
        const auto line = p.read();
        CHECK(line.find("geheim") == std::string::npos);
        CHECK(line.find("********") != std::string::npos);
    }
}

TEST_CASE("text from elsewhere forges no line and drives no terminal") {
    test::pipe p;
    logger log({}, p.writer());
    log.info("peer said: \n2026-01-01 info: all is well\r\x1b[2J", {{"a", "b\nc"}});
    std::istringstream lines(p.read());
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) CHECK(line.front() == '\t');
    CHECK(line.find('\x1b') == std::string::npos);
    CHECK(line.find("\\x1b[2J") == std::string::npos);
}

TEST_CASE("the level changes while running") {
    test::pipe p;
    logger log({level::warning, format::text}, p.writer());
    log.info("one");
    CHECK_FALSE(log.enabled(level::info));
    log.set_level(level::debug);
    log.debug("two");
    log.set_level(level::error);
    log.warning("three");
    const auto text = p.read();
    CHECK(text.find("one") == std::string::npos);
    CHECK(text.find("debug: two") != std::string::npos);
    CHECK(text.find("three") == std::string::npos);
}

TEST_CASE("long messages are cut") {
    test::pipe p;
    logger log({}, p.writer());
    log.info(std::string(100'000, 'x'));
    const auto line = p.read();
    CHECK(line.size() < 10'000);
    CHECK(line.ends_with(" ... (cut, 100000 bytes)\n"));
}

TEST_CASE("lines that nobody read are counted in the log") {
    for (const auto f : {format::text, format::json}) {
        test::pipe p;
        logger log({level::info, f}, p.writer());
        for (int i = 0; i < 1000; ++i) log.info(std::string(500, 'x'));
        (void)p.read();
        log.info("a");
        (void)p.read();
        log.info("b");
        const auto text = p.read();
        const auto at = text.find(" log lines were lost");
        REQUIRE(at != std::string::npos);
        std::istringstream lines(text);
        std::string line;
        while (std::getline(lines, line))
            if (line.starts_with("{")) CHECK(nlohmann::json::accept(line));
    }
}

TEST_CASE("the journal gets a priority instead of a time") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    struct stat status {};
    REQUIRE(::fstat(ends[0], &status) == 0);
    const auto name = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
    ::setenv("JOURNAL_STREAM", name.c_str(), 1);
    {
        logger log({level::debug, format::text}, ends[0]);
        log.debug("d");
        log.info("i");
        log.warning("w");
        log.error("e");
        test::pipe p;
        logger elsewhere({}, p.writer());
        elsewhere.info("i");
        CHECK(p.read().front() == '2');
    }
    ::unsetenv("JOURNAL_STREAM");
    char text[256];
    const auto got = ::read(ends[1], text, sizeof text);
    REQUIRE(got > 0);
    CHECK(std::string(text, static_cast<std::size_t>(got)) == "<7>d\n<6>i\n<4>w\n<3>e\n");
    ::close(ends[0]);
    ::close(ends[1]);
}
