#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace repld::storage {

namespace {

result<void> write_all(int fd, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const auto done = ::write(fd, content.data(), content.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return io_error("write", path, errno);
        if (done == 0) return io_error("write", path, ENOSPC);
        content.remove_prefix(static_cast<std::size_t>(done));
    }
    return {};
}

result<void> fill(descriptor file, std::string_view content, const std::string& path) {
    if (auto written = write_all(file.get(), content, path); !written) return written;
    // fsync is not tried twice: after a failure the kernel may call the same pages clean.
    if (::fsync(file.get()) != 0) return io_error("sync", path, errno);
    if (!file.close()) return io_error("close", path, errno);
    return {};
}

}  // namespace

descriptor::~descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

bool descriptor::close() noexcept {
    return ::close(std::exchange(fd_, -1)) == 0;
}

error io_error(const std::string& doing, const std::string& path, int code) {
    return {errc::io,
            "could not " + doing + " \"" + path + "\": " + std::generic_category().message(code),
            "", ""};
}

result<void> write_new_file(const descriptor& directory, const char* name, std::string_view content,
                            const std::string& path) {
    if (::unlinkat(directory.get(), name, 0) != 0 && errno != ENOENT)
        return io_error("remove", path, errno);
    descriptor file(::openat(directory.get(), name,
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) return io_error("create", path, errno);
    auto filled = fill(std::move(file), content, path);
    // What cannot be removed is removed by the next write.
    if (!filled) (void)::unlinkat(directory.get(), name, 0);
    return filled;
}

result<std::optional<std::string>> read_file(const descriptor& directory, const char* name,
                                             std::size_t size_max, const std::string& path) {
    const descriptor file(
        ::openat(directory.get(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file.valid() && errno == ENOENT) return std::optional<std::string>();
    if (!file.valid()) return io_error("open", path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return io_error("examine", path, errno);
    if (!S_ISREG(status.st_mode))
        return error{errc::io, "\"" + path + "\" is not a regular file", "", ""};
    std::string content;
    std::array<char, 16 * 1024> block{};
    while (content.size() <= size_max) {
        const auto got = ::read(file.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error("read", path, errno);
        if (got == 0) return std::optional<std::string>(std::move(content));
        content.append(block.data(), static_cast<std::size_t>(got));
    }
    return error{errc::io, "\"" + path + "\" is larger than " + std::to_string(size_max) + " bytes",
                 "", ""};
}

result<void> sync_directory(const descriptor& directory, const std::string& path) {
    if (::fsync(directory.get()) != 0) return io_error("sync directory", path, errno);
    return {};
}

}  // namespace repld::storage
