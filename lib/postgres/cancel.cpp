#include "postgres/cancel.hpp"

#include <signal.h>

#include <array>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>

namespace repld::postgres {
namespace {

constexpr int threads_max = 4;

struct free_cancel {
    void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
};

// Touched by the detached threads, which may outlive main's statics: never destroyed.
std::atomic<int>& running() noexcept {
    static constinit std::atomic<int> count{0};
    return count;
}

// A thread inherits the mask of its maker; signals stay the event loop's.
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

}  // namespace

void cancel_in_background(PGconn* connection) noexcept {
    // A copy of address and key: the connection may be closed while the thread works.
    std::unique_ptr<PGcancel, free_cancel> request(PQgetCancel(connection));
    if (!request) return;
    if (running().fetch_add(1) >= threads_max) {
        running().fetch_sub(1);
        return;
    }
    try {
        const signals_blocked blocked;
        std::thread([r = std::move(request)] {
            std::array<char, 256> message{};
            static_cast<void>(PQcancel(r.get(), message.data(), static_cast<int>(message.size())));
            running().fetch_sub(1);
        }).detach();
    } catch (const std::exception&) {
        running().fetch_sub(1);  // no thread to be had: the statement goes on without us
    }
}

}  // namespace repld::postgres
