// A time limit on what a coroutine does meanwhile: when it passes, `action` runs once (it closes
// the socket in use, so that the operation returns). Leaving the scope, or cancel(), calls it off.
#pragma once

#include <functional>
#include <memory>

#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::net {

class deadline {
public:
    deadline(const asio::any_io_executor& executor, duration limit, std::function<void()> action)
        : timer_(executor, limit), state_(std::make_shared<state>()) {
        state_->action = std::move(action);
        timer_.async_wait([held = state_](const boost::system::error_code&) {
            // The flag and not the error code decides: a timer that has expired already can no
            // longer be cancelled, and its handler then still comes.
            if (!held->armed) return;
            held->armed = false;
            held->fired = true;
            held->action();
        });
    }
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;
    ~deadline() { cancel(); }

    void cancel() {
        state_->armed = false;
        timer_.cancel();
    }
    [[nodiscard]] bool fired() const noexcept { return state_->fired; }

private:
    struct state {
        bool armed = true;
        bool fired = false;
        std::function<void()> action;
    };
    asio::steady_timer timer_;
    std::shared_ptr<state> state_;
};

}  // namespace repld::net
