#include "process/pidfd.hpp"

#include <poll.h>

#include <cerrno>
#include <string>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"
#include "process/pidfd_calls.hpp"
#include "process/proc_table.hpp"

namespace repld::process {
namespace {

error gone(pid_t pid) {
    return error{errc::unreachable, "process " + std::to_string(pid) + " does not exist any more"};
}

bool has_ended(int pidfd) {
    pollfd p{};
    p.fd = pidfd;
    p.events = POLLIN;
    return ::poll(&p, 1, 0) == 1;
}

}  // namespace

result<process_watch> process_watch::open(asio::any_io_executor executor, pid_t pid,
                                          std::optional<std::uint64_t> start_ticks) {
    if (pid <= 0) return error{errc::internal, "cannot watch process " + std::to_string(pid)};
    platform::unique_fd fd(open_pidfd(pid));
    if (!fd.valid()) {
        if (errno == ESRCH) return gone(pid);
        return platform::os_error("could not open a handle of process " + std::to_string(pid),
                                  errno);
    }
    // Looked up after pidfd_open: if the number changed hands in between, the handle is of a
    // process with another start time, or of a dead one.
    const auto info = look_up(pid);
    if (!info || info->state != process_state::alive || has_ended(fd.get())) return gone(pid);
    if (start_ticks && info->start_ticks != *start_ticks) {
        auto e = gone(pid);
        e.detail = "The number belongs to another process (\"" + info->comm + "\") now.";
        return e;
    }
    asio::posix::stream_descriptor descriptor(executor);
    boost::system::error_code failed;
    descriptor.assign(fd.get(), failed);
    if (failed) {
        return platform::os_error("could not watch process " + std::to_string(pid), failed.value());
    }
    static_cast<void>(fd.release());
    return process_watch(std::move(descriptor), pid);
}

bool process_watch::dead() const {
    return has_ended(descriptor_.native_handle());
}

task<result<void>> process_watch::wait_dead() {
    auto [failed] =
        co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, as_result);
    if (!failed || dead()) co_return result<void>{};
    co_return error{errc::internal, "wait for the end of process " + std::to_string(pid_) +
                                        " was given up: " + failed.message()};
}

result<void> process_watch::send(int signal) const {
    if (signal_pidfd(descriptor_.native_handle(), signal) == 0) return {};
    if (errno == ESRCH) return gone(pid_);
    return platform::os_error(
        "could not send signal " + std::to_string(signal) + " to process " + std::to_string(pid_),
        errno);
}

}  // namespace repld::process
