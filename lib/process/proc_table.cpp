#include "process/proc_table.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace repld::process {
namespace {

namespace fs = std::filesystem;

std::string proc_path(pid_t pid, const char* name) {
    return "/proc/" + std::to_string(pid) + "/" + name;
}

// A file of /proc has no size before it is read; 64 KiB bounds a huge command line.
std::string read_proc(pid_t pid, const char* name) {
    const platform::unique_fd fd(::open(proc_path(pid, name).c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    if (!fd.valid()) return text;
    std::array<char, 4096> chunk{};
    while (text.size() < 65536) {
        const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
        if (n <= 0) break;  // ESRCH: it ended between open and read
        text.append(chunk.data(), static_cast<std::size_t>(n));
    }
    return text;
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    if (code != std::errc{} || stop != end) return std::nullopt;
    return value;
}

struct close_directory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

template <class Visit>
result<void> for_each_pid(Visit visit) {
    const std::unique_ptr<DIR, close_directory> proc(::opendir("/proc"));
    if (!proc) return platform::os_error("could not open directory \"/proc\"", errno);
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(proc.get());
        if (entry == nullptr) {
            if (errno != 0) return platform::os_error("could not read directory \"/proc\"", errno);
            return {};
        }
        if (const auto pid = number<pid_t>(entry->d_name); pid && *pid > 0) visit(*pid);
    }
}

}  // namespace

std::optional<process_info> parse_stat(const std::string& text) {
    // "pid (comm) state ppid ...": comm may hold spaces and parentheses, so its end is the last
    // ')'.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open)
        return std::nullopt;
    process_info info;
    const auto pid =
        open > 0 ? number<pid_t>(std::string_view(text).substr(0, open - 1)) : std::nullopt;
    if (!pid) return std::nullopt;
    info.pid = *pid;
    info.comm = text.substr(open + 1, close - open - 1);

    std::string_view rest = std::string_view(text).substr(close + 1);
    constexpr int state_field = 3, parent_field = 4, start_field = 22;
    for (int field = state_field; field <= start_field; ++field) {
        const auto begin = rest.find_first_not_of(" \n");
        if (begin == std::string_view::npos) return std::nullopt;
        rest.remove_prefix(begin);
        const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
        rest.remove_prefix(word.size());
        if (field == state_field) {
            const bool gone = word == "Z" || word == "X" || word == "x";
            info.state = gone ? process_state::zombie : process_state::alive;
        } else if (field == parent_field) {
            const auto parent = number<pid_t>(word);
            if (!parent) return std::nullopt;
            info.parent = *parent;
        } else if (field == start_field) {
            const auto ticks = number<std::uint64_t>(word);
            if (!ticks) return std::nullopt;
            info.start_ticks = *ticks;
        }
    }
    return info;
}

std::optional<process_info> look_up(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    return parse_stat(read_proc(pid, "stat"));
}

process_state state_of(pid_t pid) {
    const auto info = look_up(pid);
    return info ? info->state : process_state::absent;
}

bool is_alive(pid_t pid) {
    return state_of(pid) == process_state::alive;
}

std::optional<std::uint64_t> start_ticks(pid_t pid) {
    const auto info = look_up(pid);
    if (!info) return std::nullopt;
    return info->start_ticks;
}

result<std::vector<process_info>> children_of(pid_t pid) {
    // Not /proc/<pid>/task/<tid>/children: it skips entries when a child ends while it is read.
    std::vector<process_info> children;
    auto scanned = for_each_pid([&](pid_t candidate) {
        auto info = look_up(candidate);
        if (info && info->parent == pid) children.push_back(std::move(*info));
    });
    if (!scanned) return std::move(scanned).error();
    return children;
}

result<std::vector<process_info>> processes_with_cwd(const fs::path& directory) {
    struct stat wanted {};
    if (::stat(directory.c_str(), &wanted) != 0) {
        return platform::os_error("could not stat directory \"" + directory.string() + "\"", errno);
    }
    std::vector<process_info> found;
    auto scanned = for_each_pid([&](pid_t pid) {
        struct stat cwd {};
        if (::stat(proc_path(pid, "cwd").c_str(), &cwd) != 0) return;
        if (cwd.st_dev != wanted.st_dev || cwd.st_ino != wanted.st_ino) return;
        auto info = look_up(pid);
        if (info && info->state == process_state::alive) found.push_back(std::move(*info));
    });
    if (!scanned) return std::move(scanned).error();
    return found;
}

std::optional<bool> has_cwd(pid_t pid, const fs::path& directory) {
    struct stat wanted {
    }, cwd{};
    if (::stat(directory.c_str(), &wanted) != 0) return std::nullopt;
    if (::stat(proc_path(pid, "cwd").c_str(), &cwd) != 0) return std::nullopt;
    return cwd.st_dev == wanted.st_dev && cwd.st_ino == wanted.st_ino;
}

std::vector<std::string> command_line(pid_t pid) {
    std::vector<std::string> arguments;
    const std::string text = read_proc(pid, "cmdline");
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = text.find('\0', begin);
        arguments.push_back(text.substr(begin, end - begin));
        if (end == std::string::npos) break;
        begin = end + 1;
    }
    return arguments;
}

fs::path executable(pid_t pid) {
    std::error_code failed;
    std::string path = fs::read_symlink(proc_path(pid, "exe"), failed).string();
    if (failed) return {};
    constexpr std::string_view mark = " (deleted)";
    if (path.ends_with(mark)) path.resize(path.size() - mark.size());
    return path;
}

}  // namespace repld::process
