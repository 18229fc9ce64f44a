// The marker of a rewind that has begun, and the places of what it sets aside.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace repld::postgres {

[[nodiscard]] std::filesystem::path rewind_marker(const std::filesystem::path& state_directory);
// Local configuration while it is not in the data directory.
[[nodiscard]] std::filesystem::path rewind_config(const std::filesystem::path& state_directory);
[[nodiscard]] result<void> write_rewind_marker(const std::filesystem::path& state_directory,
                                               const std::string& text);

// Server logs below the data directory, which pg_rewind would replace by the source's: moved beside
// it, and back in place of what came. Both may be called again after a crash. Errors: io.
[[nodiscard]] result<void> set_logs_aside(const std::filesystem::path& data_directory);
[[nodiscard]] result<void> bring_logs_back(const std::filesystem::path& data_directory);

}  // namespace repld::postgres
