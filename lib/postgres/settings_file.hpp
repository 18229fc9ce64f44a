// postgresql.auto.conf of a server that does not run: the file that ALTER SYSTEM writes.
// Precondition of the two functions that touch the disk: no postmaster runs on the data directory,
// since it would write the file over.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::postgres {

// A value of nullopt removes the setting.
using setting_changes = std::map<std::string, std::optional<std::string>>;

// Pure. Lines that set none of the names (comments too) stay as they are, in their order; of a
// changed setting every line is replaced by one at the end.
[[nodiscard]] std::string change_settings(std::string_view file, const setting_changes& changes);
// Pure. The value that the last line of that name gives, unquoted; names are not case sensitive.
[[nodiscard]] std::optional<std::string> find_setting(std::string_view file, std::string_view name);
// 'value' with quotes and backslashes doubled, as the server's configuration files want it.
[[nodiscard]] std::string quote_setting(std::string_view value);

// Durable when it returns; the file's mode stays. Nothing is written when nothing changes.
// Errors: io, corrupt (larger than 1 MiB), refused (a value with a line break or NUL).
[[nodiscard]] result<void> write_auto_settings(const std::filesystem::path& data_directory,
                                               const setting_changes& changes);
// nullopt: not set there.
[[nodiscard]] result<std::optional<std::string>> read_auto_setting(
    const std::filesystem::path& data_directory, std::string_view name);

}  // namespace repld::postgres
