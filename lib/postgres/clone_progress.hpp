// What pg_basebackup -P says, and what a copied configuration needs to run beside its source. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "postgres/conninfo.hpp"
#include "postgres/settings_file.hpp"

namespace repld::postgres {

struct copy_progress {
    std::uint64_t done = 0;  // bytes
    std::uint64_t total = 0;
};
// "  12345/67890 kB (18%), 0/1 tablespace"; nullopt for any other line.
[[nodiscard]] std::optional<copy_progress> parse_progress(std::string_view line);

struct source_settings {
    std::string port{};
    std::string listen_addresses{};
    std::string unix_socket_directories{};
};
// Settings for postgresql.auto.conf: the address of this node instead of the source's, no upstream.
[[nodiscard]] setting_changes adapt_settings(const source_settings& source, const conninfo& own,
                                             const conninfo& local);

}  // namespace repld::postgres
