#include "secrets.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "catch.hpp"

using namespace repld;

namespace {

struct folder {
    std::filesystem::path path;
    folder() {
        char name[] = "/tmp/repld-secrets-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a key is made once, kept, and read again") {
    const folder f;
    host_secrets first(f.path / "key", f.path);
    REQUIRE(first.load().has_value());
    CHECK_FALSE(first.key().has_value());
    REQUIRE(first.ensure_key().has_value());
    const std::string hex = first.key_hex();
    CHECK(hex.size() == 64);
    host_secrets second(f.path / "key", f.path);
    REQUIRE(second.load().has_value());
    CHECK(second.key_hex() == hex);
    REQUIRE(second.ensure_key().has_value());
    CHECK(second.key_hex() == hex);
}

TEST_CASE("the key of another cluster is never written over") {
    const folder f;
    host_secrets mine(f.path / "key", f.path);
    REQUIRE(mine.ensure_key().has_value());
    const std::string hex = mine.key_hex();
    CHECK(mine.take_key(hex).has_value());
    const auto taken = mine.take_key(std::string(64, 'a'));
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error().code == errc::refused);
    CHECK(mine.key_hex() == hex);
    CHECK_FALSE(mine.take_key("short").has_value());
}

TEST_CASE("the password is kept in a file that libpq accepts") {
    const folder f;
    host_secrets s(f.path / "key", f.path);
    CHECK(s.passfile().empty());
    REQUIRE(s.take_password("repld", "abcDEF123").has_value());
    struct stat info {};
    REQUIRE(::stat(s.passfile().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    host_secrets again(f.path / "key", f.path);
    REQUIRE(again.load().has_value());
    CHECK(again.password() == "abcDEF123");
    CHECK_FALSE(again.take_password("repld", "with:colon").has_value());
}
