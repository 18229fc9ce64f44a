#include "postgres/server_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "platform/files.hpp"
#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"
#include "postgres/wal_file.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

constexpr const char* signal_name = "standby.signal";
constexpr const char* spare_name = "repld.standby.signal.spare";
constexpr std::string_view reservation = "1\t0/0\trepld: reserved\n";
constexpr timeline_id reserved_max = 1000;
constexpr std::size_t history_bytes_max = 1024 * 1024;

// 0, or an errno. An empty file needs no block of its own, only a place in its folder.
int make_empty(const fs::path& path) {
    const platform::unique_fd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (!fd.valid()) return errno;
    return ::fsync(fd.get()) == 0 ? 0 : errno;
}

// Numbers of all history files in pg_wal, with whether each is a placeholder of ours.
struct history_file {
    timeline_id timeline = 0;
    bool placeholder = false;
};
std::vector<history_file> history_files(const fs::path& wal) {
    std::vector<history_file> found;
    std::error_code failed;
    for (fs::directory_iterator it(wal, failed), end; !failed && it != end; it.increment(failed)) {
        const auto timeline = parse_history_name(it->path().filename().string());
        if (!timeline) continue;
        const auto text = platform::read_file(it->path(), history_bytes_max);
        found.push_back({*timeline, text && *text == reservation});
    }
    return found;
}

}  // namespace

result<void> put_standby_signal(const fs::path& data_directory) {
    const fs::path path = data_directory / signal_name;
    int failed = make_empty(path);
    if (failed != 0 && ::rename((data_directory / spare_name).c_str(), path.c_str()) == 0)
        failed = 0;
    if (failed != 0)
        return platform::os_error("could not create file \"" + path.string() + "\"", failed);
    return platform::sync_directory(data_directory);
}

result<void> put_spare_signal(const fs::path& data_directory) {
    const fs::path path = data_directory / spare_name;
    std::error_code ignored;
    if (fs::exists(path, ignored)) return {};
    if (const int failed = make_empty(path); failed != 0)
        return platform::os_error("could not create file \"" + path.string() + "\"", failed);
    return platform::sync_directory(data_directory);
}

result<void> reserve_timelines(const fs::path& data_directory, timeline_id current,
                               timeline_id wanted) {
    const fs::path wal = data_directory / "pg_wal";
    const std::string text = std::to_string(wanted);
    if (wanted <= current || wanted - current > reserved_max) {
        return error{errc::refused, "cannot promote to timeline " + text,
                     "The server is on timeline " + std::to_string(current) + "."};
    }
    std::error_code failed;
    if (fs::exists(wal / history_name(wanted), failed)) {
        return error{errc::refused, "cannot promote to timeline " + text,
                     "A history file of that timeline is in pg_wal already."};
    }
    bool written = false;
    for (timeline_id number = current + 1; number < wanted; ++number) {
        const fs::path path = wal / history_name(number);
        if (fs::exists(path, failed)) continue;
        // Walreceivers ask for every number after the promotion, so the content has to last.
        auto done = platform::write_file_durably(path, reservation, S_IRUSR | S_IWUSR);
        if (!done) return done;
        written = true;
    }
    return written ? platform::sync_directory(wal) : result<void>{};
}

result<void> drop_reservations(const fs::path& data_directory) {
    const fs::path wal = data_directory / "pg_wal";
    bool removed = false;
    for (const auto& file : history_files(wal)) {
        if (!file.placeholder) continue;
        const fs::path path = wal / history_name(file.timeline);
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            return platform::os_error("could not remove file \"" + path.string() + "\"", errno);
        removed = true;
    }
    return removed ? platform::sync_directory(wal) : result<void>{};
}

timeline_id newest_history(const fs::path& data_directory) {
    timeline_id newest = 0;
    for (const auto& file : history_files(data_directory / "pg_wal")) {
        if (!file.placeholder) newest = std::max(newest, file.timeline);
    }
    return newest;
}

result<lsn> timeline_begin(const fs::path& data_directory, timeline_id timeline) {
    const fs::path path = data_directory / "pg_wal" / history_name(timeline);
    auto text = platform::read_file(path, history_bytes_max);
    if (!text) return std::move(text).error();
    auto lines = parse_history(*text, timeline);
    if (!lines) return std::move(lines).error();
    if (lines->empty()) {
        return error{errc::corrupt, "history file \"" + path.string() + "\" names no timeline"};
    }
    return lines->back().end;
}

}  // namespace repld::postgres
