#include "postgres/clone_place.hpp"

#include <sys/stat.h>

#include <system_error>

#include "platform/files.hpp"
#include "platform/os_error.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

error io_error(const std::string& what, const fs::path& path, const std::error_code& code) {
    return platform::os_error("could not " + what + " \"" + path.string() + "\"", code.value());
}

fs::path real_path(const fs::path& data_directory) {
    std::error_code failed;
    fs::path path = fs::weakly_canonical(data_directory, failed);
    if (failed) path = data_directory;
    if (!path.has_filename()) path = path.parent_path();
    return path;
}

bool is_mount_point(const fs::path& path) {
    struct stat own {
    }, parent{};
    return ::stat(path.c_str(), &own) == 0 && ::stat(path.parent_path().c_str(), &parent) == 0 &&
           own.st_dev != parent.st_dev;
}

fs::path free_name(const fs::path& data) {
    std::error_code failed;
    for (int n = 1;; ++n) {
        fs::path name = data;
        name += ".repld-old-" + std::to_string(n);
        if (!fs::exists(fs::symlink_status(name, failed)) || n == 100000) return name;
    }
}

}  // namespace

fs::path clone_place(const fs::path& data_directory) {
    fs::path place = real_path(data_directory);
    place += ".repld-clone";
    return place;
}

result<void> clear_clone_place(const fs::path& data_directory) {
    const fs::path data = real_path(data_directory);
    if (is_mount_point(data)) {
        return error{errc::refused, "cannot clone into \"" + data.string() + "\"",
                     "It is a mount point, which a finished clone cannot be renamed to.",
                     "Use a folder below the mount point as data directory."};
    }
    std::error_code failed;
    const fs::path place = clone_place(data_directory);
    fs::remove_all(place, failed);
    if (failed) return io_error("remove directory", place, failed);
    fs::create_directories(data.parent_path(), failed);
    if (failed) return io_error("create directory", data.parent_path(), failed);
    return {};
}

result<fs::path> put_clone_in_place(const fs::path& data_directory) {
    const fs::path data = real_path(data_directory);
    const fs::path place = clone_place(data_directory);
    std::error_code failed;
    fs::path old;
    if (fs::exists(data, failed)) {
        const bool empty = fs::is_empty(data, failed);
        if (empty) {
            fs::remove(data, failed);
            if (failed) return io_error("remove directory", data, failed);
        } else {
            old = free_name(data);
            fs::rename(data, old, failed);
            if (failed) return io_error("rename directory", data, failed);
        }
    }
    fs::rename(place, data, failed);
    if (failed) {
        error e = io_error("rename directory", place, failed);
        if (!old.empty()) {
            std::error_code again;
            fs::rename(old, data, again);
            if (again) e.detail = "The old data directory is \"" + old.string() + "\" now.";
        }
        return e;
    }
    if (auto synced = platform::sync_directory(data.parent_path()); !synced)
        return std::move(synced).error();
    return old;
}

}  // namespace repld::postgres
