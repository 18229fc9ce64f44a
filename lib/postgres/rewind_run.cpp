#include "postgres/rewind_run.hpp"

#include <charconv>

#include "postgres/server_position.hpp"
#include "process/runner.hpp"

namespace repld::postgres {

task<result<rewind_outcome>> run_pg_rewind(std::filesystem::path bin_directory,
                                           std::filesystem::path data_directory,
                                           program_conninfo source, duration limit) {
    // Without -R: whom to follow is not pg_rewind's to write. Without a shutdown of its own: the
    // checkpoint at the end of its single-user recovery recycles the WAL it needs.
    process::command what({(bin_directory / "pg_rewind").string(), "--target-pgdata",
                           data_directory.string(), "--source-server", source.text, "--progress",
                           "--no-ensure-shutdown"});
    what.extra_env = {{"LC_ALL", "C"}};
    if (!source.password.empty()) what.extra_env["PGPASSWORD"] = source.password;
    bool copying = false;
    bool not_needed = false;
    what.on_line = [&](std::string_view line) {
        // Said after everything was read and before the first write.
        copying = copying || line.find("need to copy") != std::string_view::npos;
        not_needed = not_needed || line.find("no rewind required") != std::string_view::npos;
    };
    auto ran = co_await process::run_command(std::move(what), limit);
    if (!ran) co_return std::move(ran).error();
    rewind_outcome out;
    out.needed = !not_needed;
    out.succeeded = ran->succeeded();
    out.touched = copying;
    out.words = ran->succeeded() ? ran->output : process::describe(*ran) + "\n" + ran->output;
    if (out.words.size() > 2000) out.words.erase(0, out.words.size() - 2000);
    while (!out.words.empty() && out.words.back() == '\n') out.words.pop_back();
    co_return out;
}

task<result<wal_count>> count_wal(std::filesystem::path bin_directory,
                                  std::filesystem::path wal_directory, wal_position from,
                                  std::uint64_t segment_size, duration limit) {
    // Counted by awk and not here: WAL has a hundred thousand records and more per segment.
    process::command what({"/bin/sh", "-c",
                           "\"$1\" -p \"$2\" -t \"$3\" -s \"$4\" 2>/dev/null | "
                           "awk '/desc: COMMIT/{c++} {l=$0} END{print c+0; print l}'",
                           "sh", (bin_directory / "pg_waldump").string(), wal_directory.string(),
                           std::to_string(from.timeline), to_string(from.end)});
    what.extra_env = {{"LC_ALL", "C"}};
    auto ran = co_await process::run_command(std::move(what), limit);
    auto done = process::require_success(std::move(ran), "count the divergent WAL");
    if (!done) co_return std::move(done).error();
    const std::string& text = done->output;
    wal_count out;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out.commits);
    const auto next = text.find('\n');
    if (read.ec != std::errc() || next == std::string::npos) {
        co_return error{errc::io, "could not count the divergent WAL", text};
    }
    std::string line = text.substr(next + 1);
    line.resize(std::min(line.size(), line.find('\n')));
    if (const auto end = end_of_waldump_line(line, segment_size)) out.end = *end;
    co_return out;
}

}  // namespace repld::postgres
