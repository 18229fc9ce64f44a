// Finds what repld.yaml may leave out, from the files of the server itself.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace repld::config {

// The directory with the server's programs (pg_ctl and postgres): the one of PG_VERSION's major
// version in the places of Debian and of the PGDG packages, otherwise the first of `search_path`
// (as $PATH) that has them. An empty data directory has no version yet: then the only installed
// one. `root` is put in front of the packages' places. errc::configuration, with the key to set,
// when there is none or more than one. Reads the disk.
[[nodiscard]] result<std::filesystem::path> find_bin_directory(
    const std::filesystem::path& data_directory, const std::string& search_path,
    const std::filesystem::path& root = "/");

// A conninfo for the running server's Unix socket, from postmaster.pid: host, port and
// dbname=postgres; the user is libpq's default, the operating system's. errc::unreachable when the
// server does not run or has no socket yet: ask again after its start. Reads the disk.
[[nodiscard]] result<std::string> find_local_conninfo(const std::filesystem::path& data_directory);

}  // namespace repld::config
