#include "postgres/controldata.hpp"

#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "platform/files.hpp"
#include "postgres/wal_file.hpp"
#include "process/runner.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<cluster_state_on_disk, const char*>, 7> state_names{{
    {cluster_state_on_disk::starting_up, "starting up"},
    {cluster_state_on_disk::shut_down, "shut down"},
    {cluster_state_on_disk::shut_down_in_recovery, "shut down in recovery"},
    {cluster_state_on_disk::shutting_down, "shutting down"},
    {cluster_state_on_disk::in_crash_recovery, "in crash recovery"},
    {cluster_state_on_disk::in_archive_recovery, "in archive recovery"},
    {cluster_state_on_disk::in_production, "in production"},
}};

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

template <class T>
std::optional<T> number(std::string_view text) {
    T n{};
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, n);
    if (code != std::errc{} || stop != end) return std::nullopt;
    return n;
}

std::optional<cluster_state_on_disk> parse_state(std::string_view text) {
    for (const auto& [state, name] : state_names) {
        if (text == name) return state;
    }
    return std::nullopt;
}

std::optional<bool> parse_on_off(std::string_view text) {
    if (text == "on") return true;
    if (text == "off") return false;
    return std::nullopt;
}

// Reads labelled lines one after the other and remembers the first that is missing or wrong.
class label_reader {
public:
    explicit label_reader(std::string_view text) {
        while (!text.empty()) {
            const auto line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(line.size() + 1, text.size()));
            const auto colon = line.find(':');
            if (colon == std::string_view::npos) continue;
            values_.emplace(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
        }
    }

    template <class T, class Parse>
    void read(T& field, std::string_view label, Parse parse) {
        if (failure_) return;
        const auto found = values_.find(label);
        if (found == values_.end()) {
            failure_ = error{errc::corrupt, "output of pg_controldata is not understood",
                             "The line \"" + std::string(label) + "\" is missing."};
            return;
        }
        if (auto value = parse(found->second)) {
            field = *value;
            return;
        }
        failure_ = error{errc::corrupt, "output of pg_controldata is not understood",
                         "The line \"" + std::string(label) + "\" has the value \"" +
                             std::string(found->second) + "\"."};
    }

    [[nodiscard]] const std::optional<error>& failure() const noexcept { return failure_; }

private:
    std::map<std::string_view, std::string_view> values_{};
    std::optional<error> failure_{};
};

process::command in_c_locale(std::vector<std::string> argv) {
    process::command what(std::move(argv));
    what.extra_env = {{"LC_ALL", "C"}};
    return what;
}

}  // namespace

const char* to_string(cluster_state_on_disk state) noexcept {
    for (const auto& [known, name] : state_names) {
        if (known == state) return name;
    }
    return "unknown";
}

result<control_data> parse_control_data(std::string_view text) {
    // pg_controldata prints what it has read all the same, and succeeds.
    if (text.find("CRC checksum does not match") != std::string_view::npos) {
        return error{errc::corrupt, "the control file does not match its checksum",
                     "It was damaged, or written by a server of another version."};
    }
    control_data c;
    label_reader lines(text);
    lines.read(c.pg_control_version, "pg_control version number", number<std::uint32_t>);
    lines.read(c.system_identifier, "Database system identifier", number<std::uint64_t>);
    lines.read(c.state, "Database cluster state", parse_state);
    lines.read(c.checkpoint, "Latest checkpoint location", parse_lsn);
    lines.read(c.redo, "Latest checkpoint's REDO location", parse_lsn);
    lines.read(c.timeline, "Latest checkpoint's TimeLineID", number<timeline_id>);
    lines.read(c.previous_timeline, "Latest checkpoint's PrevTimeLineID", number<timeline_id>);
    lines.read(c.min_recovery_end, "Minimum recovery ending location", parse_lsn);
    lines.read(c.min_recovery_end_timeline, "Min recovery ending loc's timeline",
               number<timeline_id>);
    lines.read(c.wal_log_hints, "wal_log_hints setting", parse_on_off);
    lines.read(c.data_checksum_version, "Data page checksum version", number<std::uint32_t>);
    lines.read(c.wal_segment_size, "Bytes per WAL segment", number<std::uint64_t>);
    if (lines.failure()) return *lines.failure();
    if (!valid_segment_size(c.wal_segment_size)) {
        return error{errc::corrupt, "the control file names an impossible WAL segment size",
                     std::to_string(c.wal_segment_size) + " bytes."};
    }
    return c;
}

task<result<control_data>> read_control_data(fs::path bin_directory, fs::path data_directory,
                                             duration limit) {
    auto what =
        in_c_locale({(bin_directory / "pg_controldata").string(), "-D", data_directory.string()});
    auto outcome =
        process::require_success(co_await process::run_command(std::move(what), limit),
                                 "read the control file of \"" + data_directory.string() + "\"");
    if (!outcome) co_return std::move(outcome).error();
    co_return parse_control_data(outcome->output);
}

result<int> data_directory_version(const fs::path& data_directory) {
    const auto path = data_directory / "PG_VERSION";
    auto text = platform::read_file(path, 64);
    if (!text) return std::move(text).error();
    const auto version = number<int>(trimmed(*text));
    if (!version || *version < 10) {
        return error{errc::corrupt, "file \"" + path.string() + "\" holds no version that is known",
                     "It holds \"" + std::string(trimmed(*text)) + "\"."};
    }
    return *version;
}

result<int> parse_program_version(std::string_view text) {
    // "postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)", "postgres (PostgreSQL) 18beta1"
    constexpr std::string_view mark = "(PostgreSQL) ";
    const auto at = text.find(mark);
    int version = 0;
    if (at != std::string_view::npos) {
        const auto rest = text.substr(at + mark.size());
        std::from_chars(rest.data(), rest.data() + rest.size(), version);
    }
    if (version < 10 || version > 999) {
        return error{errc::protocol, "version of the server programs is not understood",
                     "\"postgres --version\" said: " + std::string(trimmed(text))};
    }
    return version;
}

task<result<int>> server_programs_version(fs::path bin_directory, duration limit) {
    const auto program = bin_directory / "postgres";
    auto what = in_c_locale({program.string(), "--version"});
    auto outcome = process::require_success(co_await process::run_command(std::move(what), limit),
                                            "ask \"" + program.string() + "\" for its version");
    if (!outcome) co_return std::move(outcome).error();
    co_return parse_program_version(outcome->output);
}

}  // namespace repld::postgres
