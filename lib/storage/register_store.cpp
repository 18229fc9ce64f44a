#include "storage/register_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "storage/register_file.hpp"

namespace repld::storage {

namespace fs = std::filesystem;

namespace {

constexpr const char* register_name = "register.json";
constexpr const char* new_name = "register.json.new";
constexpr const char* aside_name = "register.json.aside";
constexpr const char* marker_name = "initialized";
constexpr const char* lock_name = "lock";

constexpr std::string_view marker_text =
    "A register file was written in this directory. If register.json is gone, this node has lost "
    "what it\n"
    "promised and must not vote until it is re-admitted. Do not remove this file.\n";

error corrupt(const std::string& path, std::string why) {
    return {errc::corrupt, "the register file \"" + path + "\" cannot be used", std::move(why),
            "This node does not vote until the cluster has re-admitted it. Do not restore the file "
            "from a backup: what was promised since would be forgotten."};
}

// A directory that was just made is lost by a crash unless its parent is synced.
result<void> make_directory(const fs::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0) {
        if (errno == EEXIST) return {};
        const int code = errno;
        auto failed = io_error("create state directory", path.string(), code);
        if (code == ENOENT || code == EACCES)
            failed.hint = "Create it with mode 0700, owned by the user that runs repld.";
        return failed;
    }
    const auto parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    const descriptor opened(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.valid()) return io_error("open", parent.string(), errno);
    return sync_directory(opened, parent.string());
}

// Who can write here can make this node forget a promise.
result<void> check_owner(const descriptor& directory, const std::string& path) {
    struct stat status {};
    if (::fstat(directory.get(), &status) != 0) return io_error("examine", path, errno);
    if (status.st_uid != ::geteuid())
        return error{errc::refused, "state directory \"" + path + "\" belongs to another user",
                     "It belongs to user id " + std::to_string(status.st_uid) + "; repld runs as " +
                         std::to_string(::geteuid()) + ".",
                     "Run repld as the owner, or change the owner."};
    if ((status.st_mode & 0077) != 0) {
        char mode[8];
        std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
        return error{errc::refused, "state directory \"" + path + "\" is open to group or others",
                     std::string("Its mode is ") + mode + "; 0700 is required.", "Use chmod 0700."};
    }
    return {};
}

result<descriptor> take_lock(const descriptor& directory, const std::string& path) {
    descriptor lock(
        ::openat(directory.get(), lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) return io_error("open lock file", path, errno);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return io_error("lock", path, errno);
        char pid[32] = {};
        const auto got = ::pread(lock.get(), pid, sizeof pid - 1, 0);
        const bool known = got > 0 && pid[0] >= '1' && pid[0] <= '9';
        return error{errc::refused, "another process uses this state directory",
                     "\"" + path + "\" is locked by " +
                         (known ? "the process with pid " + std::to_string(std::atol(pid))
                                : std::string("a process that has not yet written its pid")) +
                         ".",
                     "Run one repld per state directory; stop the other one first."};
    }
    // The pid is for people only: the lock itself is what counts, so a full disk does not matter.
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock.get(), 0) == 0) {
        [[maybe_unused]] const auto written = ::pwrite(lock.get(), pid.data(), pid.size(), 0);
    }
    return lock;
}

}  // namespace

register_store::register_store(fs::path path, descriptor directory, descriptor lock)
    : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

std::string register_store::path_of(const char* name) const {
    return (path_ / name).string();
}

result<register_store> register_store::open(const fs::path& given) {
    // Without a slash at the end, which would make the directory look like its own parent.
    const auto path = given.has_filename() ? given : given.parent_path();
    if (auto made = make_directory(path); !made) return std::move(made).error();
    descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return io_error("open state directory", path.string(), errno);
    if (auto checked = check_owner(directory, path.string()); !checked)
        return std::move(checked).error();
    auto lock = take_lock(directory, (path / lock_name).string());
    if (!lock) return std::move(lock).error();
    return register_store(path, std::move(directory), std::move(*lock));
}

result<bool> register_store::marked() const {
    struct stat status {};
    if (::fstatat(directory_.get(), marker_name, &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno == ENOENT) return false;
    return io_error("examine", path_of(marker_name), errno);
}

result<void> register_store::mark() {
    if (marked_) return {};
    if (auto known = marked(); !known) {
        return std::move(known).error();
    } else if (!*known) {
        const auto path = path_of(marker_name);
        if (auto written = write_new_file(directory_, marker_name, marker_text, path); !written)
            return written;
    }
    // Also when it was there already: a crash may have come before its directory entry was synced.
    if (auto synced = sync_directory(directory_, path_.string()); !synced) return synced;
    marked_ = true;
    return {};
}

result<std::optional<std::string>> register_store::load() {
    writable_ = false;
    const auto path = path_of(register_name);
    auto content = read_file(directory_, register_name, file_size_max, path);
    if (!content) return corrupt(path, "It is not readable: " + content.error().message + ".");
    if (!*content) {
        auto known = marked();
        if (!known) return std::move(known).error();
        if (*known)
            return corrupt(path, "State lost: the file is gone, but the marker \"" +
                                     path_of(marker_name) + "\" says that there was one.");
        writable_ = true;
        return std::optional<std::string>();
    }
    auto payload = decode(**content);
    if (!payload) return corrupt(path, payload.error().detail);
    // A crash may have come between the first register file and the marker.
    if (auto made = mark(); !made) return std::move(made).error();
    writable_ = true;
    return std::optional<std::string>(std::move(*payload));
}

result<void> register_store::save(const std::string& payload) {
    if (!writable_)
        return error{errc::internal, "the register was not loaded before it was saved", "", ""};
    auto content = encode(payload);
    if (!content) return std::move(content).error();
    const auto path = path_of(new_name);
    if (auto written = write_new_file(directory_, new_name, *content, path); !written)
        return written;
    if (::renameat(directory_.get(), new_name, directory_.get(), register_name) != 0)
        return io_error("rename to register.json", path, errno);
    if (auto synced = sync_directory(directory_, path_.string()); !synced) return synced;
    // The marker follows the first register file and precedes the first success: nobody relies on a
    // file without it, and a crash in between does not look like a loss.
    return mark();
}

result<void> register_store::set_aside() {
    const auto path = path_of(register_name);
    const bool moved =
        ::renameat(directory_.get(), register_name, directory_.get(), aside_name) == 0;
    if (!moved && errno != ENOENT) return io_error("set aside", path, errno);
    if (auto synced = sync_directory(directory_, path_.string()); !synced) return synced;
    writable_ = true;
    return {};
}

}  // namespace repld::storage
