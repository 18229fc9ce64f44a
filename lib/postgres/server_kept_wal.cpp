#include "postgres/server_kept_wal.hpp"

#include <sys/stat.h>

#include "platform/files.hpp"
#include "postgres/settings_file.hpp"

namespace repld::postgres {
namespace {

constexpr const char* setting = "wal_keep_size";
// Of no other origin: nobody else keeps a tebibyte and one megabyte.
constexpr const char* raised = "1048577MB";
constexpr const char* earlier_name = "repld.wal_keep_size";

}  // namespace

result<void> keep_wal(const std::filesystem::path& data_directory) {
    auto now = read_auto_setting(data_directory, setting);
    if (!now) return std::move(now).error();
    if (*now == raised) return {};
    if (*now) {
        auto stored =
            platform::write_file_durably(data_directory / earlier_name, **now, S_IRUSR | S_IWUSR);
        if (!stored) return stored;
    } else if (auto gone = forget_kept_wal(data_directory); !gone) {
        return gone;
    }
    return write_auto_settings(data_directory, {{setting, raised}});
}

result<std::optional<kept_wal>> find_kept_wal(const std::filesystem::path& data_directory) {
    auto now = read_auto_setting(data_directory, setting);
    if (!now) return std::move(now).error();
    if (*now != raised) return std::optional<kept_wal>();
    kept_wal found;
    auto earlier = platform::read_file(data_directory / earlier_name, 256);
    if (earlier)
        found.earlier = std::move(*earlier);
    else if (earlier.error().code != errc::refused)
        return std::move(earlier).error();
    return std::optional(std::move(found));
}

result<void> forget_kept_wal(const std::filesystem::path& data_directory) {
    return platform::remove_file_durably(data_directory / earlier_name);
}

}  // namespace repld::postgres
