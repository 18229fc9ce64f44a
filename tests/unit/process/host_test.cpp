#include "platform/host.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include "catch.hpp"
#include "platform/boottime.hpp"
#include "temporary_directory.hpp"

namespace fs = std::filesystem;
using namespace repld;

TEST_CASE("the machine id comes from the first file that holds one") {
    const testing::temporary_directory root;
    fs::create_directories(root.path() / "etc");
    fs::create_directories(root.path() / "var/lib/dbus");
    const auto put = [&](const char* name, const char* text) {
        std::ofstream(root.path() / name) << text;
    };
    CHECK(platform::machine_id(root.path())->starts_with("host:"));
    put("etc/machine-id", "uninitialized\n");
    put("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n");
    CHECK(*platform::machine_id(root.path()) == "0123456789abcdef0123456789abcdef");
    put("etc/machine-id", "ffffffffffffffffffffffffffffffff\n");
    CHECK(*platform::machine_id(root.path()) == "ffffffffffffffffffffffffffffffff");
}

TEST_CASE("this boot has one id, and random numbers differ") {
    CHECK(platform::boot_id()->size() == 36);
    CHECK(*platform::boot_id() == *platform::boot_id());
    std::set<nonce> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(platform::random_nonce());
    CHECK(seen.size() == 1000);
    CHECK_FALSE(seen.contains(0));
}

TEST_CASE("the boot clock goes forward") {
    const auto a = platform::boot_now();
    const auto b = platform::boot_now();
    CHECK(a.time_since_epoch().count() > 0);
    CHECK(a <= b);
    CHECK(platform::realtime_since_epoch() > std::chrono::hours(24 * 365 * 50));
}
