#include "platform/files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "catch.hpp"
#include "temporary_directory.hpp"

namespace fs = std::filesystem;
using namespace repld;
using repld::testing::temporary_directory;

namespace {

mode_t mode_of(const fs::path& path) {
    struct stat s {};
    REQUIRE(::stat(path.c_str(), &s) == 0);
    return s.st_mode & 07777;
}

}  // namespace

TEST_CASE("a durable write replaces the content and sets the mode whatever the umask") {
    const temporary_directory dir;
    const auto path = dir.path() / "state";
    const mode_t before = ::umask(0077);
    REQUIRE(platform::write_file_durably(path, "one", 0600));
    REQUIRE(platform::write_file_durably(path, "two\n", 0644));
    ::umask(before);
    CHECK(*platform::read_file(path, 100) == "two\n");
    CHECK(mode_of(path) == 0644);
    CHECK(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a durable write that fails leaves the old file and nothing else") {
    const temporary_directory dir;
    const auto path = dir.path() / "state";
    REQUIRE(platform::write_file_durably(path, "old", 0600));
    // A link in place of the new file is not followed.
    fs::create_symlink(dir.path() / "elsewhere", dir.path() / "state.new");
    CHECK_FALSE(platform::write_file_durably(path, "new", 0600));
    CHECK(*platform::read_file(path, 100) == "old");
    CHECK_FALSE(fs::exists(dir.path() / "elsewhere"));

    const auto missing = platform::write_file_durably(dir.path() / "none" / "state", "x", 0600);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == errc::io);
    CHECK(missing.error().message.find("none/state.new") != std::string::npos);
}

TEST_CASE("reading is bounded and tells a missing file from a broken one") {
    const temporary_directory dir;
    const auto path = dir.path() / "file";
    REQUIRE(platform::write_file_durably(path, std::string(1000, 'x'), 0600));
    CHECK(platform::read_file(path, 1000)->size() == 1000);
    CHECK(platform::read_file(path, 999).error().code == errc::corrupt);
    CHECK(platform::read_file(dir.path() / "none", 10).error().code == errc::refused);
    CHECK(platform::read_file(dir.path(), 10).error().code == errc::io);
}

TEST_CASE("removing twice is the same as removing once") {
    const temporary_directory dir;
    const auto path = dir.path() / "file";
    REQUIRE(platform::write_file_durably(path, "x", 0600));
    CHECK(platform::remove_file_durably(path));
    CHECK_FALSE(fs::exists(path));
    CHECK(platform::remove_file_durably(path));
    CHECK_FALSE(platform::remove_file_durably(dir.path() / "none" / "file"));
}
