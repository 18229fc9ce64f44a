// wal_keep_size raised while a server has no upstream: a restartpoint would recycle the divergent
// WAL that a later pg_rewind has to read. The earlier value waits in a file beside it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace repld::postgres {

// Offline. Precondition: no postmaster runs. Nothing is done when it is raised already.
[[nodiscard]] result<void> keep_wal(const std::filesystem::path& data_directory);

// For a running server: what ALTER SYSTEM has to do to undo it. nullopt: it is not raised.
struct kept_wal {
    std::optional<std::string> earlier{};  // nullopt: RESET
};
[[nodiscard]] result<std::optional<kept_wal>> find_kept_wal(
    const std::filesystem::path& data_directory);
// After that was done. Errors: io.
[[nodiscard]] result<void> forget_kept_wal(const std::filesystem::path& data_directory);

}  // namespace repld::postgres
