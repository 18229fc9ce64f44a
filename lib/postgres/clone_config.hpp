// The configuration files that live in a data directory: they belong to the host, and pg_rewind and
// pg_basebackup bring the source's. Every function blocks on the disk.
#pragma once

#include <filesystem>
#include <vector>

#include "core/result.hpp"

namespace repld::postgres {

// Relative paths of the files kept: *.conf (postgresql.auto.conf too), certificates, keys and
// passfiles at the top, and everything in folders named conf.d or *.conf.d. Errors: io.
[[nodiscard]] result<std::vector<std::filesystem::path>> local_files(
    const std::filesystem::path& data_directory);

// Copies them, durably, with mode and as links where they are links; `to` is made. Errors: io.
[[nodiscard]] result<void> save_local_files(const std::filesystem::path& data_directory,
                                            const std::filesystem::path& to);
// Puts every file below `from` into the data directory and takes away those of the kinds above that
// are not in `from` (the source's). Errors: io; may be called again.
[[nodiscard]] result<void> restore_local_files(const std::filesystem::path& from,
                                               const std::filesystem::path& data_directory);

// Copies one file with its mode and fsyncs it. Errors: io.
[[nodiscard]] result<void> copy_file_durably(const std::filesystem::path& from,
                                             const std::filesystem::path& to);

}  // namespace repld::postgres
