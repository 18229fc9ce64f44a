#include "postgres/clone_config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "platform/files.hpp"
#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

bool kept_name(const std::string& name) {
    constexpr std::array endings{".conf", ".crt", ".key", ".pem", ".crl", "pgpass"};
    const bool ending = std::any_of(endings.begin(), endings.end(),
                                    [&](const char* e) { return name.ends_with(e); });
    return ending || name == "repld.wal_keep_size";
}

bool kept_folder(const std::string& name) {
    return name == "conf.d" || name.ends_with(".conf.d");
}

error io_error(const std::string& what, const fs::path& path, const std::error_code& code) {
    return platform::os_error("could not " + what + " \"" + path.string() + "\"", code.value());
}

result<std::vector<fs::path>> files_below(const fs::path& root, bool all) {
    std::vector<fs::path> found;
    std::error_code failed;
    fs::directory_iterator it(root, failed);
    if (failed) return io_error("read directory", root, failed);
    for (const fs::directory_iterator end; it != end; it.increment(failed)) {
        if (failed) return io_error("read directory", root, failed);
        const std::string name = it->path().filename().string();
        const auto type = it->symlink_status(failed).type();
        const bool file = type == fs::file_type::regular || type == fs::file_type::symlink;
        if (file && (all || kept_name(name))) found.emplace_back(name);
        if (type != fs::file_type::directory || (!all && !kept_folder(name))) continue;
        auto inside = files_below(it->path(), true);
        if (!inside) return inside;
        for (const auto& path : *inside) found.push_back(fs::path(name) / path);
    }
    return found;
}

result<void> copy_link(const fs::path& from, const fs::path& to) {
    std::error_code failed;
    const fs::path target = fs::read_symlink(from, failed);
    if (failed) return io_error("read link", from, failed);
    fs::remove(to, failed);
    fs::create_symlink(target, to, failed);
    if (failed) return io_error("create link", to, failed);
    return platform::sync_directory(to.parent_path());
}

result<void> copy_list(const std::vector<fs::path>& list, const fs::path& from,
                       const fs::path& to) {
    std::error_code failed;
    fs::create_directories(to, failed);
    if (failed) return io_error("create directory", to, failed);
    for (const auto& path : list) {
        const fs::path target = to / path;
        fs::create_directories(target.parent_path(), failed);
        if (failed) return io_error("create directory", target.parent_path(), failed);
        const bool link = fs::is_symlink(from / path, failed);
        auto copied =
            link ? copy_link(from / path, target) : copy_file_durably(from / path, target);
        if (!copied) return copied;
        if (auto synced = platform::sync_directory(target.parent_path()); !synced) return synced;
    }
    return platform::sync_directory(to);
}

}  // namespace

result<void> copy_file_durably(const fs::path& from, const fs::path& to) {
    const platform::unique_fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!in.valid() || ::fstat(in.get(), &info) != 0)
        return platform::os_error("could not open file \"" + from.string() + "\"", errno);
    // Written beside and renamed: a copy that was cut short must not pass for the file.
    fs::path fresh = to;
    fresh += ".repld-new";
    const platform::unique_fd out(::open(
        fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (!out.valid() || ::fchmod(out.get(), info.st_mode & 07777) != 0)
        return platform::os_error("could not create file \"" + fresh.string() + "\"", errno);
    std::vector<char> chunk(1024 * 1024);
    for (;;) {
        const ssize_t n = ::read(in.get(), chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return platform::os_error("could not read file \"" + from.string() + "\"", errno);
        if (n == 0) break;
        for (ssize_t done = 0; done < n;) {
            const ssize_t w =
                ::write(out.get(), chunk.data() + done, static_cast<std::size_t>(n - done));
            if (w < 0 && errno == EINTR) continue;
            if (w < 0) {
                const int number = errno;
                ::unlink(fresh.c_str());
                return platform::os_error("could not write file \"" + fresh.string() + "\"",
                                          number);
            }
            done += w;
        }
    }
    if (::fsync(out.get()) != 0)
        return platform::os_error("could not fsync file \"" + fresh.string() + "\"", errno);
    if (::rename(fresh.c_str(), to.c_str()) != 0)
        return platform::os_error("could not rename file \"" + fresh.string() + "\"", errno);
    return {};
}

result<std::vector<fs::path>> local_files(const fs::path& data_directory) {
    return files_below(data_directory, false);
}

result<void> save_local_files(const fs::path& data_directory, const fs::path& to) {
    auto list = local_files(data_directory);
    if (!list) return std::move(list).error();
    return copy_list(*list, data_directory, to);
}

result<void> restore_local_files(const fs::path& from, const fs::path& data_directory) {
    auto saved = files_below(from, true);
    if (!saved) return std::move(saved).error();
    auto present = local_files(data_directory);
    if (!present) return std::move(present).error();
    // Copied before anything is removed: called again after a crash, it ends the same way.
    if (auto copied = copy_list(*saved, from, data_directory); !copied) return copied;
    std::error_code failed;
    for (const auto& path : *present) {
        if (std::find(saved->begin(), saved->end(), path) != saved->end()) continue;
        fs::remove(data_directory / path, failed);
        if (failed) return io_error("remove file", data_directory / path, failed);
    }
    return platform::sync_directory(data_directory);
}

}  // namespace repld::postgres
