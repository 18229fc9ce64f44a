// The few file operations that durability is made of, as results. All names are relative to an open
// directory, so that a directory that is renamed or replaced meanwhile is not written to by
// accident.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.hpp"

namespace repld::storage {

// Owns a file descriptor.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    ~descriptor();
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    // Closes now, because close() may report a failed write.
    [[nodiscard]] bool close() noexcept;

private:
    int fd_ = -1;
};

// errc::io: "could not <doing> \"<path>\": <errno as text>". `code` is an errno.
[[nodiscard]] error io_error(const std::string& doing, const std::string& path, int code);

// Creates the file anew (an older one of that name is removed first, so that a failed write-back of
// its pages cannot be taken for ours), writes everything, syncs and closes it. On failure the name
// is removed as far as possible. `path` is for messages.
[[nodiscard]] result<void> write_new_file(const descriptor& directory, const char* name,
                                          std::string_view content, const std::string& path);

// The content of a regular file; nothing when there is no such name. errc::io when it cannot be
// read, is no regular file or is larger than `size_max`.
[[nodiscard]] result<std::optional<std::string>> read_file(const descriptor& directory,
                                                           const char* name, std::size_t size_max,
                                                           const std::string& path);

[[nodiscard]] result<void> sync_directory(const descriptor& directory, const std::string& path);

}  // namespace repld::storage
