// A fresh copy of another server by pg_basebackup, put in place only when it is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::postgres {

struct clone_options {
    std::filesystem::path bin_directory{};
    std::string slot{};  // physical slot on the source, already there; empty: none
    // Bytes copied and to be copied (0: not known yet), and a sentence fragment for people.
    std::function<void(std::uint64_t done, std::uint64_t total, std::string text)> on_progress{};
    // The configuration files of this data directory are kept instead of the source's. Usually the
    // target itself, when it is replaced.
    std::optional<std::filesystem::path> keep_config_from{};
    // Used to adapt the source's configuration when none is kept: port and host of the first, the
    // socket directory of the second.
    std::string own_conninfo{};
    std::string local_conninfo{};
    duration limit{};
};

// Copies into "<data_directory>.repld-clone", then renames it into place. A data directory that is
// not empty is set aside as "<data_directory>.repld-old-<n>", never removed. The copy has
// standby.signal and no upstream. Precondition: no server runs on the data directory.
// The password comes from a passfile that the conninfo or the environment names.
// Errors: refused (a server runs; tablespaces; version), unreachable, postgres, timed_out, io.
// After an error the data directory is as before (or, between two renames, set aside as the text
// says).
[[nodiscard]] task<result<void>> clone(std::string source_conninfo,
                                       std::filesystem::path data_directory, clone_options options);

}  // namespace repld::postgres
