#include "platform/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace repld::platform {
namespace {

namespace fs = std::filesystem;

std::string quoted(const fs::path& path) {
    return "\"" + path.string() + "\"";
}

fs::path folder_of(const fs::path& path) {
    const fs::path folder = path.parent_path();
    return folder.empty() ? fs::path(".") : folder;
}

result<void> write_all(int fd, std::string_view content, const fs::path& path) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return os_error("could not write file " + quoted(path), errno);
        }
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

// Everything up to the rename; the caller removes the file after an error.
result<void> write_new(const fs::path& path, std::string_view content, mode_t mode) {
    // A file of that name is what a killed writer left; O_NOFOLLOW: no link leads us elsewhere.
    const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                              S_IRUSR | S_IWUSR));
    if (!fd.valid()) return os_error("could not create file " + quoted(path), errno);
    if (::fchmod(fd.get(), mode) != 0) {
        return os_error("could not set permissions of file " + quoted(path), errno);
    }
    if (auto written = write_all(fd.get(), content, path); !written) return written;
    if (::fsync(fd.get()) != 0) return os_error("could not fsync file " + quoted(path), errno);
    return {};
}

}  // namespace

result<void> sync_directory(const fs::path& directory) {
    const unique_fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return os_error("could not open directory " + quoted(directory), errno);
    if (::fsync(fd.get()) != 0) {
        return os_error("could not fsync directory " + quoted(directory), errno);
    }
    return {};
}

result<void> write_file_durably(const fs::path& path, std::string_view content, mode_t mode) {
    fs::path fresh = path;
    fresh += ".new";
    if (auto written = write_new(fresh, content, mode); !written) {
        ::unlink(fresh.c_str());
        return written;
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) {
        const int number = errno;
        ::unlink(fresh.c_str());
        return os_error("could not rename file " + quoted(fresh) + " to " + quoted(path), number);
    }
    return sync_directory(folder_of(path));
}

result<void> remove_file_durably(const fs::path& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return os_error("could not remove file " + quoted(path), errno);
    }
    return sync_directory(folder_of(path));
}

result<std::string> read_file(const fs::path& path, std::size_t size_max) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) {
        const errc code = errno == ENOENT ? errc::refused : errc::io;
        return os_error("could not open file " + quoted(path), errno, code);
    }
    std::string content;
    std::array<char, 16384> chunk{};
    for (;;) {
        const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return os_error("could not read file " + quoted(path), errno);
        }
        if (n == 0) return content;
        content.append(chunk.data(), static_cast<std::size_t>(n));
        if (content.size() > size_max) {
            return error{errc::corrupt, "file " + quoted(path) + " is too large",
                         "It has more than " + std::to_string(size_max) + " bytes."};
        }
    }
}

}  // namespace repld::platform
