#include "client.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.hpp"

using namespace repld;
using namespace repld::cli;

TEST_CASE("an answer is taken only when it can be understood", "[cli]") {
    CHECK_FALSE(parse_response(json{}));
    CHECK_FALSE(parse_response(json::array()));
    CHECK_FALSE(parse_response({{"result", json::object()}}));
    CHECK_FALSE(parse_response({{"exit_code", 0}, {"result", 7}}));
    CHECK_FALSE(parse_response({{"exit_code", 0.5}, {"result", json::object()}}));

    const auto good = parse_response({{"exit_code", 25}, {"result", {{"a", 1}}}});
    REQUIRE(good);
    CHECK(good->code == exit_code::problems);
    CHECK(good->notices.empty());

    const auto newer = parse_response({{"exit_code", 77}, {"result", json::object()}});
    REQUIRE(newer);
    CHECK(newer->code == exit_code::needs_person);
}

TEST_CASE("an error never ends with the exit code of success", "[cli]") {
    const auto refused =
        parse_response({{"exit_code", 0}, {"error", {{"code", "refused"}, {"message", "no"}}}});
    REQUIRE(refused);
    CHECK(refused->code == exit_code::refused);
    CHECK(refused->failure->message == "no");

    const auto odd = parse_response({{"exit_code", 0}, {"error", json::object()}});
    REQUIRE(odd);
    CHECK(odd->code == exit_code::needs_person);
}

TEST_CASE("addresses of members", "[cli]") {
    CHECK(parse_address("10.0.0.11:7000")->port == 7000);
    CHECK(parse_address("db1")->port == 7432);
    CHECK(parse_address("[fd00::1]:7000")->host == "fd00::1");
    CHECK(parse_address("[fd00::1]")->port == 7432);
    CHECK_FALSE(parse_address(""));
    CHECK_FALSE(parse_address("db1:"));
    CHECK_FALSE(parse_address("db1:70000"));
    CHECK_FALSE(parse_address("db 1:7432"));
}

TEST_CASE("the list of members is read as far as it makes sense", "[cli]") {
    std::string path = (std::filesystem::temp_directory_path() / "replctlXXXXXX").string();
    const int descriptor = mkstemp(path.data());
    REQUIRE(descriptor >= 0);
    close(descriptor);
    const auto write = [&](const std::string& text) { std::ofstream(path) << text; };

    write(R"({"cluster":"main","peers":[{"id":2,"name":"n2","address":"10.0.0.12:7432"},
              {"id":3,"name":"n3","address":17},"x"]})");
    const auto list = load_members(path);
    REQUIRE(list);
    CHECK(list->cluster == "main");
    REQUIRE(list->members.size() == 1);
    CHECK(list->members[0].id == 2);
    CHECK(list->members[0].host == "10.0.0.12");

    write("{\"cluster\":");
    CHECK(load_members(path).error().code == errc::corrupt);
    std::filesystem::remove(path);
    CHECK(load_members(path).error().code == errc::io);
}
