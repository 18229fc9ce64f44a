// Where a clone grows and how it comes into its place. Every function blocks on the disk.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace repld::postgres {

// "<data_directory>.repld-clone", with symbolic links resolved: pg_basebackup writes here.
[[nodiscard]] std::filesystem::path clone_place(const std::filesystem::path& data_directory);

// The place can be used: what an earlier clone left there is removed. Errors: refused (the data
// directory is a mount point, which cannot be renamed), io.
[[nodiscard]] result<void> clear_clone_place(const std::filesystem::path& data_directory);

// Renames the finished clone to the data directory; a data directory with content becomes
// "<data_directory>.repld-old-<n>". The name of that, or empty. Errors: io, saying what is where.
[[nodiscard]] result<std::filesystem::path> put_clone_in_place(
    const std::filesystem::path& data_directory);

}  // namespace repld::postgres
