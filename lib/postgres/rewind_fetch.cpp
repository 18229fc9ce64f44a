#include "postgres/rewind_fetch.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "platform/files.hpp"
#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"
#include "postgres/connection.hpp"
#include "postgres/server_state.hpp"
#include "postgres/wal_file.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

// As text on the wire it is twice this, well below what a connection takes.
constexpr std::uint64_t chunk_bytes = 4 * 1024 * 1024;

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// "\x0123..." as bytea is printed; empty when it is something else.
std::string bytes_of(std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0) return {};
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 2; i < text.size(); i += 2) {
        const int high = digit(text[i]);
        const int low = digit(text[i + 1]);
        if (high < 0 || low < 0) return {};
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

result<void> write_chunk(const fs::path& path, std::uint64_t offset, const std::string& bytes) {
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (offset == 0 ? O_TRUNC : 0);
    const platform::unique_fd fd(::open(path.c_str(), flags, S_IRUSR | S_IWUSR));
    if (!fd.valid())
        return platform::os_error("could not create file \"" + path.string() + "\"", errno);
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::pwrite(fd.get(), bytes.data() + done, bytes.size() - done,
                                   static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return platform::os_error("could not write file \"" + path.string() + "\"", errno);
        done += static_cast<std::size_t>(n);
    }
    if (::fsync(fd.get()) != 0)
        return platform::os_error("could not fsync file \"" + path.string() + "\"", errno);
    return {};
}

// Only a whole segment gets the name that recovery believes in.
result<void> name_segment(const fs::path& fresh, const fs::path& path, const fs::path& data,
                          const wal_fork& where) {
    if (::rename(fresh.c_str(), path.c_str()) != 0)
        return platform::os_error("could not rename file \"" + fresh.string() + "\"", errno);
    if (auto synced = platform::sync_directory(path.parent_path()); !synced) return synced;
    return keep_common_wal(data, where);
}

}  // namespace

std::optional<std::string> missing_segment(std::string_view words, const wal_fork& where) {
    // could not open file "/data/pg_wal/000000010000000000000002": No such file or directory
    constexpr std::string_view mark = "could not open file \"";
    const auto at = words.find(mark);
    if (at == std::string_view::npos || where.timeline == 0) return std::nullopt;
    words.remove_prefix(at + mark.size());
    const auto end = words.find('"');
    if (end == std::string_view::npos || !words.substr(end).starts_with("\": No such file"))
        return std::nullopt;
    const std::string name = fs::path(words.substr(0, end)).filename().string();
    const auto segment = parse_segment_name(name, where.segment_size);
    const auto fork = segment_of(where.timeline, where.fork, where.segment_size);
    if (!segment || segment->timeline > where.timeline || segment->number >= fork.number)
        return std::nullopt;
    return name;
}

task<result<void>> fetch_segment(local_server& server, std::string conninfo_text,
                                 std::string segment, wal_fork where, boot_time deadline) {
    const fs::path data = server.settings().data_directory;
    const fs::path path = data / "pg_wal" / segment;
    const fs::path fresh = data / "pg_wal" / "repld.fetched";
    auto opened = co_await connection::open(std::move(conninfo_text), until(deadline));
    if (!opened) co_return std::move(opened).error();
    for (std::uint64_t offset = 0; offset < where.segment_size; offset += chunk_bytes) {
        const std::uint64_t wanted = std::min(chunk_bytes, where.segment_size - offset);
        auto rows = co_await (*opened)->query_simple(
            "SELECT pg_catalog.pg_read_binary_file(" + quote_literal("pg_wal/" + segment) + ", " +
                std::to_string(offset) + ", " + std::to_string(wanted) + ", true)",
            until(deadline));
        if (!rows) co_return std::move(rows).error();
        std::string bytes = bytes_of(rows->at(0, std::size_t{0}).value_or(""));
        if (bytes.size() != wanted) {
            co_return error{errc::refused, "cannot get WAL segment \"" + segment + "\"",
                            "The source does not have it any more either."};
        }
        std::function<result<void>()> write = [fresh, offset, held = std::move(bytes)] {
            return write_chunk(fresh, offset, held);
        };
        auto written = co_await server.on_disk(std::move(write), until(deadline));
        if (!written) co_return written;
    }
    std::function<result<void>()> name = [fresh, path, data, where] {
        return name_segment(fresh, path, data, where);
    };
    co_return co_await server.on_disk(std::move(name), until(deadline));
}

}  // namespace repld::postgres
