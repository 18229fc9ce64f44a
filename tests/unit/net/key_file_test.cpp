#include "net/key_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"

using namespace repld;
using namespace repld::net;

namespace {

class temporary_folder {
public:
    temporary_folder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "repld-key-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

std::string write_file(const std::filesystem::path& path, const std::string& text, mode_t mode) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path.string();
}

}  // namespace

TEST_CASE("a key is saved with mode 0600, loaded again, and never overwritten") {
    const temporary_folder folder;
    const auto path = (folder.path / "cluster.key").string();
    const auto key = generate_cluster_key();
    const auto other = generate_cluster_key();
    REQUIRE(key);
    REQUIRE(other);
    CHECK_FALSE(*key == *other);
    REQUIRE(save_cluster_key(path, *key));
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0600U);
    CHECK(status.st_size == 65);

    const auto refused = save_cluster_key(path, *other);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
    const auto loaded = load_cluster_key(path);
    REQUIRE(loaded);
    CHECK(*loaded == *key);
    // Nothing else is left in the folder.
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a key file that others may read is refused") {
    const temporary_folder folder;
    const auto mode = GENERATE(as<mode_t>{}, 0640, 0604, 0660, 0777, 0620, 0601);
    const auto path = write_file(folder.path / "k", std::string(64, 'a') + "\n", mode);
    const auto loaded = load_cluster_key(path);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == errc::configuration);
    CHECK(loaded.error().detail.find("access") != std::string::npos);
}

TEST_CASE("a key file with anything but one key is refused, and does not quote it") {
    const temporary_folder folder;
    const std::string text =
        GENERATE(as<std::string>{}, "", "\n", std::string(63, 'a'), std::string(65, 'a'),
                 std::string(63, 'a') + "g", std::string(64, 'a') + "\n\n",
                 std::string(64, 'a') + "\n" + std::string(64, 'b') + "\n", std::string(5000, 'a'));
    const auto path = write_file(folder.path / "k", text, 0600);
    const auto loaded = load_cluster_key(path);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == errc::configuration);
    CHECK(to_string(loaded.error()).find("aaaa") == std::string::npos);
}

TEST_CASE("a missing file, a folder and a FIFO are refused without waiting") {
    const temporary_folder folder;
    CHECK_FALSE(load_cluster_key((folder.path / "missing").string()));
    CHECK_FALSE(load_cluster_key(folder.path.string()));
    const auto fifo = (folder.path / "fifo").string();
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK_FALSE(load_cluster_key(fifo));
}

TEST_CASE("a key file without a final newline and with capitals is read") {
    const temporary_folder folder;
    const auto path = write_file(folder.path / "k", std::string(64, 'A'), 0400);
    const auto loaded = load_cluster_key(path);
    REQUIRE(loaded);
    CHECK(loaded->bytes()[0] == 0xaa);
    CHECK(loaded->bytes()[31] == 0xaa);
}

TEST_CASE("the identity of a key is the documented digest") {
    // Computed with another implementation of SHA-256.
    const cluster_key zeroes;
    const auto identity = key_identity(zeroes);
    CHECK(identity == "4929894233e2755b");
    CHECK(make_psk(zeroes).identity == identity);
    CHECK(make_psk(zeroes).key == secret_bytes(32, 0));
}
