#include "postgres/postmaster.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "platform/files.hpp"
#include "process/proc_table.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

error bad_file(const std::string& detail) {
    return error{errc::corrupt, "file \"postmaster.pid\" is not understood", detail};
}

template <class T>
bool read_number(std::string_view text, T& value) {
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    return code == std::errc{} && stop == end;
}

postmaster_status parse_status(std::string_view text) {
    if (text.starts_with("starting")) return postmaster_status::starting;
    if (text.starts_with("stopping")) return postmaster_status::stopping;
    if (text.starts_with("ready")) return postmaster_status::ready;
    if (text.starts_with("standby")) return postmaster_status::standby;
    return postmaster_status::unknown;
}

// The n-th line (from 0) when it is there in full, without blanks around it. The last line that the
// server has written may still lack its end.
std::array<std::string_view, 8> complete_lines(std::string_view text) {
    std::array<std::string_view, 8> lines{};
    for (auto& line : lines) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) break;
        line = text.substr(0, end);
        while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
        while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
        text.remove_prefix(end + 1);
    }
    return lines;
}

bool is_server_program(pid_t pid) {
    const auto name = process::executable(pid).filename().string();
    // Not readable: another user's process. Taking it for a server errs on the safe side.
    return name.empty() || name.starts_with("postgres") || name.starts_with("postmaster");
}

// Whether this process is the postmaster of the folder: it works there from its first moments on.
bool works_in(pid_t pid, const fs::path& data_directory) {
    if (const auto there = process::has_cwd(pid, data_directory)) return *there;
    // Another user's: its arguments can be read all the same.
    const auto arguments = process::command_line(pid);
    return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
        std::error_code ignored;
        return fs::path(argument).is_absolute() &&
               fs::equivalent(argument, data_directory, ignored);
    });
}

result<std::optional<postmaster_file>> read_postmaster_file(const fs::path& data_directory) {
    auto text = platform::read_file(data_directory / "postmaster.pid", 16384);
    if (!text) {
        if (text.error().code == errc::refused) return std::optional<postmaster_file>();
        return std::move(text).error();
    }
    // Between its creation and its first write the file is empty; a server that died then has left
    // it so. Either way it names nobody.
    if (text->empty()) return std::optional<postmaster_file>();
    auto file = parse_postmaster_file(*text);
    if (!file) return std::move(file).error();
    return std::optional<postmaster_file>(std::move(*file));
}

std::string owner_of(const fs::path& path) {
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0) return {};
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 16384> buffer{};
    if (::getpwuid_r(s.st_uid, &entry, buffer.data(), buffer.size(), &found) != 0) return {};
    return found != nullptr ? std::string(found->pw_name) : std::string();
}

}  // namespace

result<postmaster_file> parse_postmaster_file(std::string_view text) {
    const auto lines = complete_lines(text);
    postmaster_file file;
    if (!read_number(lines[0], file.pid) || file.pid == 0) {
        return bad_file("Line 1 is no process number: \"" + std::string(lines[0]) + "\".");
    }
    if (file.pid < 0) {
        file.standalone = true;
        file.pid = -file.pid;
    }
    file.data_directory = lines[1];
    if (!lines[2].empty() && !read_number(lines[2], file.start_time)) {
        return bad_file("Line 3 is no time: \"" + std::string(lines[2]) + "\".");
    }
    const bool port_ok = lines[3].empty() || read_number(lines[3], file.port);
    if (!port_ok || file.port < 0 || file.port > 65535) {
        return bad_file("Line 4 is no port: \"" + std::string(lines[3]) + "\".");
    }
    file.socket_directory = lines[4];
    file.listen_address = lines[5];
    file.shared_memory = lines[6];
    file.status = parse_status(lines[7]);
    return file;
}

result<std::optional<postmaster_process>> find_postmaster(const fs::path& data_directory) {
    using answer = std::optional<postmaster_process>;
    auto file = read_postmaster_file(data_directory);
    if (!file) return std::move(file).error();
    if (!file->has_value()) return answer();
    // The start time is read before the folder is looked at: if the number changes hands in
    // between, the watch that is opened with it finds out.
    const auto info = process::look_up((*file)->pid);
    if (!info || info->state != process::process_state::alive) return answer();
    if (!works_in(info->pid, data_directory) || !is_server_program(info->pid)) return answer();
    return answer(postmaster_process{std::move(**file), info->start_ticks});
}

result<std::vector<server_process>> all_server_processes(const fs::path& data_directory) {
    std::vector<server_process> found;
    const auto add = [&](const process::process_info& p, server_process_kind kind) {
        const bool known = std::any_of(found.begin(), found.end(),
                                       [&](const server_process& f) { return f.pid == p.pid; });
        if (known || p.state != process::process_state::alive) return;
        found.push_back({p.pid, p.start_ticks, p.comm, kind, is_server_program(p.pid)});
    };

    const auto postmaster = find_postmaster(data_directory);
    if (postmaster && postmaster->has_value()) {
        const pid_t pid = (*postmaster)->file.pid;
        if (const auto info = process::look_up(pid)) add(*info, server_process_kind::postmaster);
        auto children = process::children_of(pid);
        if (!children) return std::move(children).error();
        for (const auto& child : *children) add(child, server_process_kind::child);
    }
    auto there = process::processes_with_cwd(data_directory);
    if (!there) return std::move(there).error();
    for (const auto& p : *there) add(p, server_process_kind::by_directory);

    if (found.empty() && !postmaster) return postmaster.error();
    return found;
}

conninfo local_conninfo(const postmaster_file& file, std::string_view user) {
    std::string name(user);
    if (name.empty()) name = owner_of(file.data_directory);
    if (name.empty()) name = "postgres";
    std::string host = file.socket_directory.string();
    const bool relative = !host.empty() && host.front() != '/' && host.front() != '@';
    if (relative) host = (file.data_directory / host).string();
    if (host.empty()) host = file.listen_address;
    if (host.empty() || host == "*" || host == "0.0.0.0" || host == "::") host = "localhost";
    conninfo c;
    c.set("host", host);
    c.set("port", std::to_string(file.port));
    c.set("user", name);
    c.set("dbname", "postgres");
    return c;
}

}  // namespace repld::postgres
