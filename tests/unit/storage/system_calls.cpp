#include "system_calls.hpp"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace repld::test {

system_calls& system_calls::instance() {
    static system_calls one;
    return one;
}

void system_calls::reset() {
    const std::lock_guard lock(mutex_);
    names_.clear();
    fail_at_ = ~std::size_t{0};
    held_ = false;
    changed_.notify_all();
}

void system_calls::fail(std::size_t n, int code) {
    const std::lock_guard lock(mutex_);
    fail_at_ = names_.size() + n;
    fail_code_ = code;
}

std::vector<std::string> system_calls::names() {
    const std::lock_guard lock(mutex_);
    return names_;
}

void system_calls::hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
}

void system_calls::release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
}

void system_calls::wait_until_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
}

int system_calls::enter(const char* name) {
    std::unique_lock lock(mutex_);
    const auto number = names_.size();
    names_.emplace_back(name);
    if (std::strncmp(name, "fsync", 5) == 0 && held_) {
        waiting_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        waiting_ = false;
    }
    return number == fail_at_ ? fail_code_ : 0;
}

}  // namespace repld::test

namespace {

int outcome(int code, long done) {
    if (code == 0) return static_cast<int>(done);
    errno = code;
    return -1;
}

}  // namespace

extern "C" int fsync(int fd) {
    struct stat status {};
    const bool directory = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    const int code =
        repld::test::system_calls::instance().enter(directory ? "fsync directory" : "fsync file");
    return outcome(code, code == 0 ? ::syscall(SYS_fsync, fd) : 0);
}

extern "C" int renameat(int from_fd, const char* from, int to_fd, const char* to) noexcept {
    const int code = repld::test::system_calls::instance().enter("rename");
    return outcome(code, code == 0 ? ::syscall(SYS_renameat2, from_fd, from, to_fd, to, 0) : 0);
}

extern "C" int unlinkat(int fd, const char* name, int flags) noexcept {
    const int code = repld::test::system_calls::instance().enter("unlink");
    return outcome(code, code == 0 ? ::syscall(SYS_unlinkat, fd, name, flags) : 0);
}
