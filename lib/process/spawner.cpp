#include "process/spawner.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "platform/os_error.hpp"
#include "platform/unique_fd.hpp"

namespace repld::process {
namespace {

constexpr int threads_max = 16;

// Never destroyed: detached threads may still count when the program ends.
std::atomic<int>& threads() noexcept {
    static constinit std::atomic<int> count{0};
    return count;
}

// Shared by the coroutine and the thread; holds nothing of the loop, which may be gone before the
// thread is.
class hand_over {
public:
    explicit hand_over(platform::unique_fd event) : event_(std::move(event)) {}

    // On the thread. A child that nobody waits for is killed by its destructor.
    void give(result<child> started) {
        const std::lock_guard lock(mutex_);
        if (abandoned_) return;
        started_.emplace(std::move(started));
        const std::uint64_t one = 1;
        static_cast<void>(::write(event_.get(), &one, sizeof one));
    }

    // On the loop: the answer, or nullopt, after which the thread keeps what it makes to itself.
    std::optional<result<child>> take() {
        const std::lock_guard lock(mutex_);
        abandoned_ = !started_;
        return std::exchange(started_, std::nullopt);
    }

    [[nodiscard]] int event() const noexcept { return event_.get(); }

private:
    platform::unique_fd event_;
    std::mutex mutex_{};
    std::optional<result<child>> started_{};
    bool abandoned_ = false;
};

// Signals stay the loop's; a thread inherits the mask of its maker.
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_{};
};

result<void> start_thread(const std::shared_ptr<hand_over>& shared, child::parts what) {
    const error refused{errc::io, "could not run \"" + what.argv.front() + "\"",
                        "Too many programs are being started."};
    if (threads().fetch_add(1) >= threads_max) {
        threads().fetch_sub(1);
        return refused;
    }
    try {
        const signals_blocked blocked;
        std::thread([shared, parts = std::move(what)] {
            shared->give(child::spawn(parts));
            threads().fetch_sub(1);
        }).detach();
    } catch (const std::system_error&) {
        threads().fetch_sub(1);
        return refused;
    }
    return {};
}

// Tells the thread that nobody waits any more, however the coroutine ends.
struct abandon_at_exit {
    explicit abandon_at_exit(std::shared_ptr<hand_over> h) : shared(std::move(h)) {}
    abandon_at_exit(const abandon_at_exit&) = delete;
    abandon_at_exit& operator=(const abandon_at_exit&) = delete;
    ~abandon_at_exit() { static_cast<void>(shared->take()); }
    std::shared_ptr<hand_over> shared;
};

}  // namespace

task<result<child>> spawn_off_loop(child::parts what,
                                   std::chrono::steady_clock::time_point deadline) {
    const std::string program = what.argv.empty() ? std::string() : what.argv.front();
    if (program.empty()) co_return error{errc::internal, "cannot run a command without a name"};
    const auto executor = co_await asio::this_coro::executor;
    platform::unique_fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    platform::unique_fd watched(event.valid() ? ::fcntl(event.get(), F_DUPFD_CLOEXEC, 0) : -1);
    if (!watched.valid()) co_return platform::os_error("could not create an event", errno);

    // In shared ownership with the timer's handler, which may come late.
    const auto descriptor = std::make_shared<asio::posix::stream_descriptor>(executor);
    boost::system::error_code failed;
    descriptor->assign(watched.get(), failed);
    if (failed) co_return platform::os_error("could not watch an event", failed.value());
    static_cast<void>(watched.release());

    const auto shared = std::make_shared<hand_over>(std::move(event));
    const abandon_at_exit guard(shared);
    if (auto started = start_thread(shared, std::move(what)); !started) {
        co_return std::move(started).error();
    }
    asio::steady_timer timer(executor, deadline);
    timer.async_wait([descriptor](boost::system::error_code cancelled) {
        boost::system::error_code ignored;
        if (!cancelled) descriptor->cancel(ignored);
    });
    co_await descriptor->async_wait(asio::posix::stream_descriptor::wait_read, as_result);
    auto answer = shared->take();
    if (answer) co_return std::move(*answer);
    if (std::chrono::steady_clock::now() < deadline) {
        co_return error{errc::internal, "start of \"" + program + "\" was given up"};
    }
    co_return error{errc::timed_out, "could not run \"" + program + "\" in time",
                    "The program could not be loaded; its disk may hang."};
}

}  // namespace repld::process
