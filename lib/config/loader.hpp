// Reads repld.yaml. A file with anything wrong in it is refused whole, with all its problems.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/host_config.hpp"
#include "config/problem.hpp"
#include "core/result.hpp"

namespace repld::config {

// Larger files are refused unread.
inline constexpr std::size_t file_size_max = 64 * 1024;

// Judges a connection string; the message of its error is what is wrong with it ("invalid
// connection option \"hots\""). Given by whoever has libpq; without it only emptiness is checked.
using conninfo_check = std::function<result<void>(const std::string&)>;

// --config if given, otherwise $REPLD_CONFIG if set and not empty, otherwise /etc/repld/repld.yaml.
[[nodiscard]] std::filesystem::path find_file(const std::optional<std::string>& command_line);

// Judges text without touching any file. `value` is meaningful only when `problems` is empty.
struct outcome {
    host_config value{};
    std::vector<problem> problems{};
};
[[nodiscard]] outcome parse(const std::string& text, const conninfo_check& check = {});

// Reads and judges a file. errc::configuration: wrong content (DETAIL: one line per problem, each
// "file:line: key: found ..., expected ..."), too large, binary or no regular file. errc::io: it
// cannot be read. Reads the disk: not for the event loop of a running daemon with a lease to keep.
[[nodiscard]] result<host_config> load(const std::filesystem::path& file,
                                       const conninfo_check& check = {});

}  // namespace repld::config
