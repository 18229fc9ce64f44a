#include "storage/register_store.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"
#include "state_directory.hpp"
#include "storage/register_file.hpp"

using namespace repld;
using namespace repld::storage;

namespace {

register_store opened(const test::state_directory& state) {
    auto store = register_store::open(state.path());
    INFO((store ? std::string() : to_string(store.error())));
    REQUIRE(store.has_value());
    return std::move(*store);
}

void save_one(const test::state_directory& state, const std::string& payload) {
    auto store = opened(state);
    REQUIRE(store.load().has_value());
    REQUIRE(store.save(payload).has_value());
}

error load_error(const test::state_directory& state) {
    auto store = opened(state);
    const auto loaded = store.load();
    REQUIRE_FALSE(loaded.has_value());
    return loaded.error();
}

}  // namespace

TEST_CASE("what was saved is loaded, also by the next process") {
    const test::state_directory state;
    {
        auto store = opened(state);
        CHECK_FALSE(store.load()->has_value());
        for (const char* payload : {"one", "two", ""}) {
            REQUIRE(store.save(payload).has_value());
            CHECK(**store.load() == payload);
        }
        REQUIRE(store.save("three").has_value());
    }
    auto store = opened(state);
    CHECK(**store.load() == "three");
    CHECK_FALSE(state.has("register.json.new"));
}

TEST_CASE("everything is closed to others, whatever the umask") {
    const test::state_directory state;
    const auto before = ::umask(0);
    save_one(state, "x");
    ::umask(before);
    const auto mode = [](const std::filesystem::path& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
    };
    CHECK(mode(state.path()) == 0700);
    for (const char* name : {"register.json", "initialized", "lock"})
        CHECK(mode(state.file(name)) == 0600);
}

TEST_CASE("a directory that others may enter is refused") {
    const test::state_directory state;
    std::filesystem::create_directory(state.path());
    for (const mode_t mode : {0750U, 0701U, 0770U, 0777U}) {
        REQUIRE(::chmod(state.path().c_str(), mode) == 0);
        const auto store = register_store::open(state.path());
        REQUIRE_FALSE(store.has_value());
        CHECK(store.error().code == errc::refused);
    }
    REQUIRE(::chmod(state.path().c_str(), 0700) == 0);
    CHECK(register_store::open(state.path()).has_value());
    if (::geteuid() == 0) {
        REQUIRE(::chown(state.path().c_str(), 12345, 12345) == 0);
        CHECK(register_store::open(state.path()).error().detail.find("user id 12345") !=
              std::string::npos);
    }
}

TEST_CASE("places that cannot hold a state directory are refused") {
    const test::state_directory state;
    CHECK(register_store::open(state.path() / "below").error().code == errc::io);
    std::ofstream(state.path()) << "a file";
    CHECK(register_store::open(state.path()).error().code == errc::io);
}

TEST_CASE("a second process is told who has the directory") {
    const test::state_directory state;
    {
        const auto first = opened(state);
        const auto second = register_store::open(state.path() / "");
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code == errc::refused);
        CHECK(second.error().detail.find("pid " + std::to_string(::getpid()) + ".") !=
              std::string::npos);
        const auto moved = std::move(const_cast<register_store&>(first));
        CHECK_FALSE(register_store::open(state.path()).has_value());
    }
    CHECK(register_store::open(state.path()).has_value());
}

TEST_CASE("damage anywhere in the file is found, and the file stays as it is") {
    const test::state_directory state;
    save_one(state, "{\"promise\":7}");
    const auto good = state.read("register.json");
    auto store = opened(state);
    const auto refused = [&](const std::string& content) {
        state.write("register.json", content);
        const auto loaded = store.load();
        return !loaded.has_value() && loaded.error().code == errc::corrupt &&
               !loaded.error().detail.empty() && state.read("register.json") == content &&
               store.save("guessed").error().code == errc::internal;
    };
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto damaged = good;
        damaged[at] = static_cast<char>(~damaged[at]);
        REQUIRE(refused(damaged));
        REQUIRE(refused(good.substr(0, at)));
    }
    CHECK(refused(good + "\n"));
    CHECK(refused(std::string(2 * file_size_max, 'x')));
    state.write("register.json", good);
    CHECK(**store.load() == "{\"promise\":7}");
}

TEST_CASE("a file that cannot be read is corrupt, not absent") {
    const test::state_directory state;
    save_one(state, "x");
    std::filesystem::remove(state.file("register.json"));
    std::filesystem::create_directory(state.file("register.json"));
    CHECK(load_error(state).code == errc::corrupt);
    std::filesystem::remove(state.file("register.json"));
    std::filesystem::create_symlink("elsewhere", state.file("register.json"));
    CHECK(load_error(state).code == errc::corrupt);
}

TEST_CASE("a file that is gone is lost state, not a new node") {
    const test::state_directory state;
    save_one(state, "x");
    std::filesystem::remove(state.file("register.json"));
    const auto lost = load_error(state);
    CHECK(lost.code == errc::corrupt);
    CHECK(lost.detail.starts_with("State lost"));
    state.write("register.json.new", *encode("x"));
    CHECK(load_error(state).code == errc::corrupt);
}

TEST_CASE("a crash at any step of the first save is no loss") {
    const test::state_directory state;
    (void)opened(state);
    state.write("register.json.new", encode("x")->substr(0, 20));
    CHECK_FALSE(opened(state).load()->has_value());
    state.write("register.json.new", *encode("x"));
    CHECK_FALSE(opened(state).load()->has_value());
    std::filesystem::rename(state.file("register.json.new"), state.file("register.json"));
    CHECK(**opened(state).load() == "x");
    CHECK(state.has("initialized"));
    std::filesystem::remove(state.file("register.json"));
    CHECK(load_error(state).code == errc::corrupt);
}

TEST_CASE("saving begins anew only after a deliberate act") {
    const test::state_directory state;
    save_one(state, "old");
    auto store = opened(state);
    CHECK(store.save("before load").error().code == errc::internal);
    state.write("register.json", "garbage");
    CHECK_FALSE(store.load().has_value());
    CHECK(store.save("x").error().code == errc::internal);
    CHECK(state.read("register.json") == "garbage");
    REQUIRE(store.set_aside().has_value());
    CHECK(state.read("register.json.aside") == "garbage");
    REQUIRE(store.save("new").has_value());
    CHECK(**store.load() == "new");
    std::filesystem::remove(state.file("register.json"));
    CHECK_FALSE(store.load().has_value());
    REQUIRE(store.set_aside().has_value());
    CHECK(store.save("newer").has_value());
}

TEST_CASE("a process killed while it saves leaves a whole file and loses no success") {
    const test::state_directory state;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    long next = 1;
    for (int round = 0; round < 25; ++round) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            auto store = register_store::open(state.path());
            if (!store || !store->load()) ::_exit(1);
            for (long number = next;; ++number) {
                if (!store->save(std::to_string(number) + std::string(5000, '.'))) ::_exit(1);
                if (::write(ends[1], &number, sizeof number) != sizeof number) ::_exit(1);
            }
        }
        long reported = 0;
        for (int i = 0; i < 1 + round % 7; ++i)
            REQUIRE(::read(ends[0], &reported, sizeof reported) == sizeof reported);
        ::usleep(static_cast<useconds_t>(round * 37 % 400));
        REQUIRE(::kill(child, SIGKILL) == 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
        auto store = opened(state);
        const auto loaded = store.load();
        REQUIRE(loaded.has_value());
        REQUIRE(loaded->has_value());
        const long found = std::stol(**loaded);
        REQUIRE(found >= reported);
        // What the child reported between the last read and its death is of the past as well.
        next = found + 1;
    }
    ::close(ends[0]);
    ::close(ends[1]);
}
