#include "postgres/rewind_wal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>

#include "platform/files.hpp"
#include "platform/os_error.hpp"
#include "postgres/clone_config.hpp"
#include "postgres/wal_file.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

error io_error(const std::string& what, const fs::path& path, const std::error_code& code) {
    return platform::os_error("could not " + what + " \"" + path.string() + "\"", code.value());
}

result<std::vector<fs::path>> segments_in(const fs::path& wal, std::uint64_t segment_size) {
    std::vector<fs::path> found;
    std::error_code failed;
    fs::directory_iterator it(wal, failed);
    if (failed) return io_error("read directory", wal, failed);
    for (const fs::directory_iterator end; it != end; it.increment(failed)) {
        if (failed) return io_error("read directory", wal, failed);
        const std::string name = it->path().filename().string();
        if (parse_segment_name(name, segment_size) || parse_history_name(name))
            found.push_back(it->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

bool same_content(const fs::path& a, const fs::path& b) {
    std::error_code failed;
    if (fs::file_size(a, failed) != fs::file_size(b, failed) || failed) return false;
    std::ifstream one(a, std::ios::binary);
    std::ifstream two(b, std::ios::binary);
    return one && two &&
           std::equal(std::istreambuf_iterator<char>(one), std::istreambuf_iterator<char>(),
                      std::istreambuf_iterator<char>(two));
}

result<void> link_or_copy(const fs::path& from, const fs::path& to) {
    std::error_code failed;
    fs::create_hard_link(from, to, failed);
    if (!failed || failed == std::errc::file_exists) return {};
    return copy_file_durably(from, to);
}

}  // namespace

result<int> copy_divergent_wal(const fs::path& data_directory, const wal_fork& where,
                               const fs::path& aside) {
    const fs::path wal = data_directory / "pg_wal";
    auto all = segments_in(wal, where.segment_size);
    if (!all) return std::move(all).error();
    const auto first = segment_of(where.timeline, where.fork, where.segment_size).number;
    std::error_code failed;
    int copied = 0;
    for (const auto& path : *all) {
        const auto segment = parse_segment_name(path.filename().string(), where.segment_size);
        // Names after the end are segments recycled for later use: their content is older.
        if (!segment || segment->timeline < where.timeline || segment->number < first) continue;
        fs::create_directories(aside, failed);
        if (failed) return io_error("create directory", aside, failed);
        auto done = copy_file_durably(path, aside / path.filename());
        if (!done) return std::move(done).error();
        ++copied;
    }
    if (copied == 0) return 0;
    if (auto synced = platform::sync_directory(aside); !synced) return std::move(synced).error();
    return copied;
}

fs::path kept_wal_directory(const fs::path& data_directory) {
    std::error_code failed;
    fs::path data = fs::canonical(data_directory, failed);
    if (failed) data = data_directory;
    const fs::path wal = fs::canonical(data / "pg_wal", failed);
    const bool elsewhere = !failed && wal.parent_path() != data;
    const fs::path beside = elsewhere ? wal.parent_path() : data.parent_path();
    return beside / (data.filename().string() + ".repld-wal");
}

result<void> keep_common_wal(const fs::path& data_directory, const wal_fork& where) {
    auto all = segments_in(data_directory / "pg_wal", where.segment_size);
    if (!all) return std::move(all).error();
    const fs::path to = kept_wal_directory(data_directory);
    std::error_code failed;
    fs::create_directories(to, failed);
    if (failed) return io_error("create directory", to, failed);
    const auto first = segment_of(where.timeline, where.fork, where.segment_size).number;
    for (const auto& path : *all) {
        const auto segment = parse_segment_name(path.filename().string(), where.segment_size);
        if (!segment || segment->timeline > where.timeline || segment->number >= first) continue;
        if (auto kept = link_or_copy(path, to / path.filename()); !kept) return kept;
    }
    return platform::sync_directory(to);
}

result<void> put_back_common_wal(const fs::path& data_directory, const wal_fork& where,
                                 const fs::path& aside) {
    const fs::path from = kept_wal_directory(data_directory);
    const fs::path wal = data_directory / "pg_wal";
    std::error_code failed;
    if (fs::exists(from, failed)) {
        auto kept = segments_in(from, where.segment_size);
        if (!kept) return std::move(kept).error();
        for (const auto& path : *kept) {
            const fs::path target = wal / path.filename();
            if (fs::exists(target, failed)) continue;
            if (auto put = link_or_copy(path, target); !put) return put;
        }
    }
    const std::string name = segment_name(
        segment_of(where.timeline, where.fork, where.segment_size), where.segment_size);
    const fs::path divergent = wal / name;
    if (!aside.empty() && fs::exists(divergent, failed) && same_content(divergent, aside / name)) {
        fs::remove(divergent, failed);
        if (failed) return io_error("remove file", divergent, failed);
    }
    if (auto synced = platform::sync_directory(wal); !synced) return synced;
    fs::remove_all(from, failed);
    if (failed) return io_error("remove directory", from, failed);
    return {};
}

}  // namespace repld::postgres
