#include "process/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <string_view>

#include "platform/os_error.hpp"
#include "process/pidfd_calls.hpp"

namespace repld::process {
namespace {

// Children whose owner has let go of them before they ended. Each came out of one killed command,
// so the list is as long as the number of processes that cannot be killed at this moment. Never
// destroyed, since a thread that starts a child may outlive main.
struct unreaped_list {
    std::mutex mutex{};
    std::vector<pid_t> pids{};
};

unreaped_list& unreaped() {
    static auto* const list = new unreaped_list;
    return *list;
}

void reap_abandoned() {
    const std::lock_guard lock(unreaped().mutex);
    std::erase_if(unreaped().pids, [](pid_t pid) {
        int status = 0;
        const pid_t got = ::waitpid(pid, &status, WNOHANG);
        return got == pid || (got < 0 && errno == ECHILD);
    });
}

// Destroys what posix_spawn's set-up calls have made.
struct spawn_settings {
    spawn_settings() {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    ~spawn_settings() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    spawn_settings(const spawn_settings&) = delete;
    spawn_settings& operator=(const spawn_settings&) = delete;

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

// 0 or an errno.
int prepare(spawn_settings& s, int output, const std::filesystem::path& working_dir) {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int failed = 0;
    const auto check = [&failed](int number) { failed = failed != 0 ? failed : number; };
    check(::posix_spawnattr_setflags(
        &s.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    check(::posix_spawnattr_setpgroup(&s.attributes, 0));
    check(::posix_spawnattr_setsigmask(&s.attributes, &none));
    check(::posix_spawnattr_setsigdefault(&s.attributes, &all));
    check(::posix_spawn_file_actions_addopen(&s.actions, 0, "/dev/null", O_RDONLY, 0));
    check(::posix_spawn_file_actions_adddup2(&s.actions, output, 1));
    check(::posix_spawn_file_actions_adddup2(&s.actions, output, 2));
    // Whatever a library has opened without O_CLOEXEC (a lock, a listening socket) stays here.
    check(::posix_spawn_file_actions_addclosefrom_np(&s.actions, 3));
    if (!working_dir.empty()) {
        check(::posix_spawn_file_actions_addchdir_np(&s.actions, working_dir.c_str()));
    }
    return failed;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (auto& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

// A dup2 onto itself would leave the descriptor open but marked close-on-exec; so both ends of the
// pipe are numbers above the standard three even when this process runs with those closed.
result<platform::unique_fd> above_standard(platform::unique_fd fd) {
    if (fd.get() > 2) return fd;
    platform::unique_fd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!higher.valid()) return platform::os_error("could not copy a descriptor", errno);
    return higher;
}

}  // namespace

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
    std::vector<std::string> entries;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string key(text.substr(0, text.find('=')));
        if (!extra.contains(key)) entries.emplace_back(text);
    }
    for (const auto& [key, value] : extra) entries.push_back(key + "=" + value);
    return entries;
}

result<child> child::spawn(const parts& what) {
    if (what.argv.empty()) return error{errc::internal, "cannot run a command without a name"};
    reap_abandoned();

    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return platform::os_error("could not create a pipe", errno);
    }
    auto reading = above_standard(platform::unique_fd(ends[0]));
    auto writing = above_standard(platform::unique_fd(ends[1]));
    if (!reading) return std::move(reading).error();
    if (!writing) return std::move(writing).error();
    if (::fcntl(reading->get(), F_SETFL, O_NONBLOCK) != 0) {
        return platform::os_error("could not make a pipe non-blocking", errno);
    }

    auto arguments = what.argv;
    auto variables = what.environment;
    const auto argv = pointers(arguments);
    const auto envp = pointers(variables);
    spawn_settings settings;
    pid_t pid = 0;
    int failed = prepare(settings, writing->get(), what.working_dir);
    // glibc's posix_spawn shares our memory until the exec (CLONE_VM | CLONE_VFORK), allocates
    // nothing in the child, and reports a failed exec here.
    if (failed == 0) {
        failed = ::posix_spawnp(&pid, argv.front(), &settings.actions, &settings.attributes,
                                argv.data(), envp.data());
    }
    if (failed != 0)
        return platform::os_error("could not run \"" + arguments.front() + "\"", failed);

    child started(pid, std::move(*reading), platform::unique_fd());
    // Unreaped and ours, so the number cannot have been used again.
    started.pidfd_ = platform::unique_fd(open_pidfd(pid));
    if (!started.pidfd_.valid()) {
        return platform::os_error("could not watch \"" + arguments.front() + "\"", errno);
    }
    return started;
}

child::child(child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      output_(std::move(other.output_)),
      pidfd_(std::move(other.pidfd_)) {}

child::~child() {
    if (pid_ == 0) return;
    kill_group(SIGKILL);
    if (!reap()) abandon();
}

void child::kill_group(int signal) const noexcept {
    if (pid_ == 0) return;
    // While our child is unreaped the number is nobody else's. A child may have left its group
    // (setsid), so it gets the signal under its own number too.
    ::kill(-pid_, signal);
    ::kill(pid_, signal);
}

std::optional<int> child::reap() {
    if (pid_ == 0) return std::nullopt;
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
        pid_ = 0;
        return status;
    }
    return std::nullopt;
}

void child::abandon() noexcept {
    if (pid_ == 0) return;
    const std::lock_guard lock(unreaped().mutex);
    unreaped().pids.push_back(std::exchange(pid_, 0));
}

}  // namespace repld::process
