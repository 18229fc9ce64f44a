// The test program's own fsync, renameat and unlinkat, which take the place of libc's: they record
// what is called, fail on demand, and can be held up like a disk that hangs.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace repld::test {

class system_calls {
public:
    static system_calls& instance();

    // Recording starts anew; nothing fails and nothing is held.
    void reset();
    // The n-th recorded call from now (0: the next) fails with this errno.
    void fail(std::size_t n, int code);
    [[nodiscard]] std::vector<std::string> names();

    // While held, fsync waits; waiting() tells whether one does.
    void hold();
    void release();
    void wait_until_held();

    // For the replaced functions: records the call and gives the errno to fail with, or 0.
    int enter(const char* name);

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> names_;
    std::size_t fail_at_ = ~std::size_t{0};
    int fail_code_ = 0;
    bool held_ = false;
    bool waiting_ = false;
};

}  // namespace repld::test
