// Turns on one thing that serves one coroutine at a time, first come first served, with a time
// limit. One thread.
#pragma once

#include <algorithm>
#include <deque>
#include <utility>

#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::postgres {

class turns {
public:
    // Given back by its destructor. Must not outlive the turns object.
    class holder {
    public:
        holder() = default;
        explicit holder(turns* of) : of_(of) {}
        holder(holder&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        holder& operator=(holder&&) = delete;
        ~holder() {
            if (of_ != nullptr) of_->give_back();
        }
        explicit operator bool() const noexcept { return of_ != nullptr; }

    private:
        turns* of_ = nullptr;
    };

    // An empty holder when the limit passed first.
    [[nodiscard]] task<holder> take(duration limit) {
        if (!taken_) {
            taken_ = true;
            co_return holder(this);
        }
        waiter w(co_await asio::this_coro::executor, limit, *this);
        co_await w.timer.async_wait(as_result);
        if (!w.granted) co_return holder();
        w.granted = false;  // handed to the holder
        co_return holder(this);
    }

private:
    // Leaves the queue when its coroutine ends, for whatever reason; passes on a turn it was
    // granted and never used (a coroutine destroyed between the grant and its resumption).
    struct waiter {
        waiter(const asio::any_io_executor& executor, duration limit, turns& all)
            : timer(executor, limit), of(all) {
            of.waiting_.push_back(this);
        }
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter() {
            std::erase(of.waiting_, this);
            if (granted) of.give_back();
        }
        asio::steady_timer timer;
        turns& of;
        bool granted = false;
    };

    void give_back() {
        if (waiting_.empty()) {
            taken_ = false;
            return;
        }
        waiter* next = waiting_.front();
        waiting_.pop_front();
        next->granted = true;
        next->timer.cancel();
    }

    bool taken_ = false;
    std::deque<waiter*> waiting_{};
};

}  // namespace repld::postgres
