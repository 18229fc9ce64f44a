#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>

#include "catch.hpp"
#include "state_directory.hpp"
#include "storage/register_store.hpp"
#include "system_calls.hpp"

using namespace repld;
using namespace repld::storage;
using calls = std::vector<std::string>;

namespace {

register_store loaded_store(const test::state_directory& state) {
    auto store = register_store::open(state.path());
    REQUIRE(store.has_value());
    REQUIRE(store->load().has_value());
    return std::move(*store);
}

// The largest file that this process may write; beyond it a write fails as on a full disk.
class size_limit {
public:
    explicit size_limit(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~size_limit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    size_limit(const size_limit&) = delete;
    size_limit& operator=(const size_limit&) = delete;

private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("a save syncs the file before the rename and the directory after it") {
    auto& system = test::system_calls::instance();
    const test::state_directory state;
    auto store = loaded_store(state);
    system.reset();
    REQUIRE(store.save("one").has_value());
    CHECK(system.names() == calls{"unlink", "fsync file", "rename", "fsync directory",  // register
                                  "unlink", "fsync file", "fsync directory"});          // marker
    system.reset();
    REQUIRE(store.save("two").has_value());
    CHECK(system.names() == calls{"unlink", "fsync file", "rename", "fsync directory"});
}

TEST_CASE("a marker found after a crash is synced before it is relied on") {
    auto& system = test::system_calls::instance();
    const test::state_directory state;
    REQUIRE(loaded_store(state).save("one").has_value());
    system.reset();
    (void)loaded_store(state);
    CHECK(system.names() == calls{"fsync directory"});
}

TEST_CASE("a failure at any step of a save is told, and leaves one whole payload") {
    auto& system = test::system_calls::instance();
    for (const bool first : {true, false}) {
        for (std::size_t step = 0; step < (first ? 7U : 4U); ++step) {
            INFO((first ? "first save, step " : "later save, step ") << step);
            const test::state_directory state;
            auto store = loaded_store(state);
            if (!first) REQUIRE(store.save("old").has_value());
            system.reset();
            system.fail(step, EIO);
            const auto saved = store.save("new");
            REQUIRE_FALSE(saved.has_value());
            CHECK(saved.error().code == errc::io);
            CHECK(saved.error().message.find("Input/output error") != std::string::npos);
            system.reset();
            const auto found = store.load();
            REQUIRE(found.has_value());
            if (found->has_value())
                CHECK((**found == "new" || **found == "old"));
            else
                CHECK(first);
            if (step < 2 && !first) CHECK(**found == "old");
            REQUIRE(store.save("newer").has_value());
            CHECK(**store.load() == "newer");
            CHECK_FALSE(state.has("register.json.new"));
            std::filesystem::remove(state.file("register.json"));
            CHECK(store.load().error().code == errc::corrupt);
        }
    }
    system.reset();
}

TEST_CASE("a rename that the file system refuses is told and changes nothing") {
    const test::state_directory state;
    auto store = loaded_store(state);
    REQUIRE(std::filesystem::create_directory(state.file("register.json")));
    const auto saved = store.save("x");
    REQUIRE_FALSE(saved.has_value());
    CHECK(saved.error().message.find("rename") != std::string::npos);
    CHECK(std::filesystem::is_directory(state.file("register.json")));
}

TEST_CASE("a file that may not grow keeps the old payload") {
    const test::state_directory state;
    auto store = loaded_store(state);
    REQUIRE(store.save("old").has_value());
    for (const rlim_t bytes : {0U, 10U, 90U, 4096U}) {
        const size_limit limit(bytes);
        const auto saved = store.save(std::string(8192, 'x'));
        REQUIRE_FALSE(saved.has_value());
        CHECK(saved.error().code == errc::io);
        CHECK_FALSE(state.has("register.json.new"));
        CHECK(**store.load() == "old");
    }
    REQUIRE(store.save("new").has_value());
    CHECK(**store.load() == "new");
}

TEST_CASE("a full disk keeps the old payload") {
    const test::state_directory state;
    std::filesystem::create_directory(state.path());
    // In a mount namespace of this thread alone, so that nothing stays mounted whatever happens.
    const bool alone = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!alone || ::mount("tmpfs", state.path().c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0) {
        WARN("no file system of our own can be mounted here: skipped");
        return;
    }
    {
        auto store = loaded_store(state);
        CHECK(store.save("old").has_value());
        state.write("ballast", std::string(65536, 'x'));
        const auto saved = store.save(std::string(20'000, 'x'));
        CHECK_FALSE(saved.has_value());
        if (!saved) CHECK(saved.error().message.find("No space left") != std::string::npos);
        CHECK(**store.load() == "old");
        std::filesystem::remove(state.file("ballast"));
        CHECK(store.save("new").has_value());
        CHECK(**store.load() == "new");
    }
    CHECK(::umount(state.path().c_str()) == 0);
}
