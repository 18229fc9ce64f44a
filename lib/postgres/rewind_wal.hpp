// What a rewind does with WAL files: the divergent ones are kept for people, the common ones for
// the recovery that follows. Every function blocks on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"

namespace repld::postgres {

struct wal_fork {
    timeline_id timeline = 0;  // the own one
    lsn fork{};
    std::uint64_t segment_size = 0;
};

// Copies the segments of the own timeline from the fork's on, and of later timelines of its own,
// to `aside` (made). The number of files; 0: there were none. Errors: io.
[[nodiscard]] result<int> copy_divergent_wal(const std::filesystem::path& data_directory,
                                             const wal_fork& where,
                                             const std::filesystem::path& aside);

// Beside pg_wal on the same file system, so that hard links do; outside the data directory, where
// pg_rewind would remove it.
[[nodiscard]] std::filesystem::path kept_wal_directory(const std::filesystem::path& data_directory);
// Links (or copies) every segment before the fork's there. Errors: io.
[[nodiscard]] result<void> keep_common_wal(const std::filesystem::path& data_directory,
                                           const wal_fork& where);
// Puts back those that are missing now, and removes the divergent segment at the fork where it is
// still the one in `aside`: recovery would read beyond the fork in it. Removes the kept folder.
// Errors: io; may be called again.
[[nodiscard]] result<void> put_back_common_wal(const std::filesystem::path& data_directory,
                                               const wal_fork& where,
                                               const std::filesystem::path& aside);

}  // namespace repld::postgres
