// The two system calls, since <sys/pidfd.h> of glibc 2.36 (Debian 12) declares them without
// extern "C" and does not link from C++.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace repld::process {

// -1 and errno on failure; the descriptor is close-on-exec.
inline int open_pidfd(pid_t pid) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
}

// 0, or -1 and errno.
inline int signal_pidfd(int pidfd, int signal) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U));
}

}  // namespace repld::process
