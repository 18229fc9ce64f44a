#include "config/server_files.hpp"

#include "catch.hpp"
#include "scratch.hpp"

using namespace repld;
using namespace repld::config;

namespace {

void install(const test::scratch& scratch, const std::string& directory) {
    for (const char* program : {"pg_ctl", "postgres"})
        std::filesystem::permissions(scratch.write(directory + "/" + program, ""),
                                     std::filesystem::perms::owner_all);
}

}  // namespace

TEST_CASE("the server programs are found by the version of the data directory") {
    const test::scratch scratch;
    const auto& root = scratch.path();
    scratch.write("data/PG_VERSION", "15\n");
    CHECK(find_bin_directory(root / "data", "", root).error().code == errc::configuration);
    install(scratch, "path");
    CHECK(*find_bin_directory(root / "data", "relative::" + (root / "path").string(), root) ==
          root / "path");
    install(scratch, "usr/lib/postgresql/14/bin");
    CHECK_FALSE(find_bin_directory(root / "data", "", root).has_value());
    install(scratch, "usr/pgsql-15/bin");
    CHECK(*find_bin_directory(root / "data", "", root) == root / "usr/pgsql-15/bin");
    install(scratch, "usr/lib/postgresql/15/bin");
    CHECK(*find_bin_directory(root / "data", "", root) == root / "usr/lib/postgresql/15/bin");
}

TEST_CASE("an empty data directory takes the only version there is") {
    const test::scratch scratch;
    const auto& root = scratch.path();
    install(scratch, "usr/lib/postgresql/15/bin");
    CHECK(*find_bin_directory(root / "data", "", root) == root / "usr/lib/postgresql/15/bin");
    install(scratch, "usr/pgsql-16/bin");
    const auto two = find_bin_directory(root / "data", "", root);
    REQUIRE_FALSE(two.has_value());
    CHECK(two.error().detail.find("several versions") != std::string::npos);
}

TEST_CASE("the local connection follows postmaster.pid") {
    const test::scratch scratch;
    CHECK(find_local_conninfo(scratch.path()).error().code == errc::unreachable);
    scratch.write("postmaster.pid", "42\n/srv/pg\n1700000000\n5433\n/var/run/it's\n*\n");
    CHECK(*find_local_conninfo(scratch.path()) ==
          "host='/var/run/it\\'s' port=5433 dbname=postgres");
    for (const char* bad :
         {"", "42\n", "42\n/srv/pg\n1\n5433\n\n*\n", "42\n/srv/pg\n1\nx\n/tmp\n"}) {
        scratch.write("postmaster.pid", bad);
        CHECK_FALSE(find_local_conninfo(scratch.path()).has_value());
    }
}
