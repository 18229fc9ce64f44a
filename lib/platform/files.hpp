// Small files that must survive a power cut. Every function here blocks on the disk: call it off
// the event loop when the disk may be slow. Errors are io unless said otherwise and name the file.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::platform {

// Writes a new file beside `path`, fsyncs it, renames it to `path` and fsyncs the folder. After an
// error that comes before the rename the old file is whole and the new one is removed; an error of
// the folder's fsync leaves the new content visible, but a power cut may bring the old one back.
// `mode` is set exactly, whatever the umask. One writer per path at a time.
[[nodiscard]] result<void> write_file_durably(const std::filesystem::path& path,
                                              std::string_view content, mode_t mode);

// Unlinks and fsyncs the folder; a file that is not there is success.
[[nodiscard]] result<void> remove_file_durably(const std::filesystem::path& path);

[[nodiscard]] result<void> sync_directory(const std::filesystem::path& directory);

// The whole content. Errors: refused when there is no such file, corrupt when it has more than
// `size_max` bytes, io otherwise.
[[nodiscard]] result<std::string> read_file(const std::filesystem::path& path,
                                            std::size_t size_max);

}  // namespace repld::platform
