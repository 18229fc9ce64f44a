#include "postgres/rewind_marker.hpp"

#include <sys/stat.h>

#include <array>
#include <system_error>

#include "platform/files.hpp"
#include "platform/os_error.hpp"
#include "postgres/rewind.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

constexpr std::array log_folders{"log", "pg_log"};

fs::path aside_of(const fs::path& data_directory, const char* folder) {
    fs::path data = data_directory;
    if (!data.has_filename()) data = data.parent_path();
    data += std::string(".repld-") + folder;
    return data;
}

error io_error(const std::string& what, const fs::path& path, const std::error_code& code) {
    return platform::os_error("could not " + what + " \"" + path.string() + "\"", code.value());
}

}  // namespace

fs::path rewind_marker(const fs::path& state_directory) {
    return state_directory / "rewind-under-way";
}

fs::path rewind_config(const fs::path& state_directory) {
    return state_directory / "rewind-config";
}

result<void> write_rewind_marker(const fs::path& state_directory, const std::string& text) {
    return platform::write_file_durably(rewind_marker(state_directory), text, S_IRUSR | S_IWUSR);
}

bool rewind_interrupted(const fs::path& state_directory) {
    std::error_code failed;
    // A folder that cannot be read hides a marker as likely as not.
    const bool there = fs::exists(rewind_marker(state_directory), failed);
    return there || failed;
}

result<void> clear_rewind_marker(const fs::path& state_directory) {
    if (auto gone = platform::remove_file_durably(rewind_marker(state_directory)); !gone)
        return gone;
    std::error_code failed;
    fs::remove_all(rewind_config(state_directory), failed);
    if (failed) return io_error("remove directory", rewind_config(state_directory), failed);
    return {};
}

result<void> set_logs_aside(const fs::path& data_directory) {
    std::error_code failed;
    for (const char* folder : log_folders) {
        const fs::path from = data_directory / folder;
        const fs::path to = aside_of(data_directory, folder);
        const bool real = fs::symlink_status(from, failed).type() == fs::file_type::directory;
        if (!real || fs::exists(to, failed)) continue;
        fs::rename(from, to, failed);
        // A folder on a file system of its own stays; its logs then share pg_rewind's fate.
        if (failed && failed != std::errc::cross_device_link &&
            failed != std::errc::device_or_resource_busy)
            return io_error("move directory", from, failed);
    }
    return {};
}

result<void> bring_logs_back(const fs::path& data_directory) {
    std::error_code failed;
    for (const char* folder : log_folders) {
        const fs::path from = aside_of(data_directory, folder);
        if (!fs::exists(from, failed)) continue;
        const fs::path to = data_directory / folder;
        fs::remove_all(to, failed);
        fs::rename(from, to, failed);
        if (failed) return io_error("move directory", from, failed);
    }
    return platform::sync_directory(data_directory);
}

}  // namespace repld::postgres
