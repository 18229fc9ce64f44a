#include "config/server_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

namespace repld::config {

namespace fs = std::filesystem;

namespace {

bool has_programs(const fs::path& directory) {
    return ::access((directory / "pg_ctl").c_str(), X_OK) == 0 &&
           ::access((directory / "postgres").c_str(), X_OK) == 0;
}

// The first lines of a small file, without their ends; empty when it cannot be read.
std::vector<std::string> first_lines(const fs::path& file, std::size_t count) {
    constexpr std::size_t line_max = 4096;
    std::vector<std::string> lines;
    std::ifstream input(file);
    std::string line;
    while (lines.size() < count && std::getline(input, line) && line.size() <= line_max)
        lines.push_back(line);
    return lines;
}

std::vector<fs::path> of_version(const fs::path& root, const std::string& major) {
    return {root / "usr/lib/postgresql" / major / "bin", root / ("usr/pgsql-" + major) / "bin"};
}

std::vector<fs::path> of_any_version(const fs::path& root) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(root / "usr/lib/postgresql", ignored))
        found.push_back(entry.path() / "bin");
    for (const auto& entry : fs::directory_iterator(root / "usr", ignored))
        if (entry.path().filename().string().starts_with("pgsql-"))
            found.push_back(entry.path() / "bin");
    std::sort(found.begin(), found.end());
    return found;
}

error not_found(std::string detail) {
    return {errc::configuration, "could not find the PostgreSQL server programs", std::move(detail),
            "Set postgres.bin_directory to the directory that has pg_ctl."};
}

// A value for a conninfo: quoted, with backslashes before what would end it.
std::string quoted(const std::string& text) {
    std::string value = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') value += '\\';
        value += c;
    }
    return value + "'";
}

result<fs::path> choose_bin_directory(const fs::path& data_directory,
                                      const std::string& search_path, const fs::path& root) {
    const auto version = first_lines(data_directory / "PG_VERSION", 1);
    auto places = version.empty() ? of_any_version(root) : of_version(root, version.front());
    std::erase_if(places, [](const fs::path& p) { return !has_programs(p); });
    if (places.size() > 1 && version.empty())
        return not_found("There are several versions, and the data directory is empty: \"" +
                         places.front().string() + "\", \"" + places.back().string() + "\".");
    if (!places.empty()) return places.front();
    std::istringstream entries(search_path);
    for (std::string entry; std::getline(entries, entry, ':');)
        if (!entry.empty() && entry.front() == '/' && has_programs(entry)) return fs::path(entry);
    return not_found(version.empty() ? "No version is installed in the usual places."
                                     : "The data directory is of version " +
                                           version.front().substr(0, 10) + ".");
}

}  // namespace

result<fs::path> find_bin_directory(const fs::path& data_directory, const std::string& search_path,
                                    const fs::path& root) {
    try {
        return choose_bin_directory(data_directory, search_path, root);
    } catch (const std::exception& e) {
        // A directory may vanish or fail while it is listed.
        return not_found(std::string("Looking for them failed: ") + e.what() + ".");
    }
}

result<std::string> find_local_conninfo(const fs::path& data_directory) {
    // Lines of postmaster.pid: pid, data directory, start time, port, socket directory, ...
    constexpr std::size_t port_line = 3;
    constexpr std::size_t socket_line = 4;
    const auto lines = first_lines(data_directory / "postmaster.pid", socket_line + 1);
    const auto is_number = [](const std::string& text) {
        return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    };
    if (lines.size() <= socket_line || !is_number(lines[port_line]) || lines[socket_line].empty())
        return error{
            errc::unreachable, "the local PostgreSQL server is not running or has no Unix socket",
            "\"" + (data_directory / "postmaster.pid").string() + "\" names no socket directory.",
            "Set postgres.local_conninfo if the server listens on TCP only."};
    return "host=" + quoted(lines[socket_line]) + " port=" + lines[port_line] + " dbname=postgres";
}

}  // namespace repld::config
