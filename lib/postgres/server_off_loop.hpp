// Work that may block on the disk, done by another thread, with a time limit for whoever waits.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::postgres {

// One thread, first in first out: what a fence writes and removes last must come after whatever the
// task that it ended had asked for (a `promote` file written after the fence would promote a
// released server). Work that nobody waits for any more is skipped when its turn comes. The
// destructor waits for work that has begun: only a disk that hangs can make that long.
class disk_worker {
public:
    disk_worker() : pool_(1) {}
    ~disk_worker() { pool_.join(); }
    disk_worker(const disk_worker&) = delete;
    disk_worker& operator=(const disk_worker&) = delete;

    // `work` must own all it uses and must not throw; it goes on when the limit passes.
    // Errors: the work's own; timed_out; io when too much work hangs already.
    template <class T>
    [[nodiscard]] task<result<T>> run(std::function<result<T>()> work, duration limit) {
        if (pending_->load() >= pending_max) {
            co_return error{errc::io, "could not reach the disk",
                            "Earlier work on it has not come back."};
        }
        auto executor = co_await asio::this_coro::executor;
        auto shared = std::make_shared<exchange<T>>(executor, limit);
        ++*pending_;
        const abandon_guard<T> waiter(shared);
        auto job = [shared, executor, count = pending_, held = std::move(work)]() mutable {
            if (shared->abandoned.load()) {
                --*count;
                asio::post(executor,
                           [shared = std::move(shared)] {});  // its timer belongs to the loop
                return;
            }
            auto answer = std::make_shared<result<T>>(held());
            --*count;
            asio::post(executor, [shared = std::move(shared), answer] {
                shared->answer.emplace(std::move(*answer));
                shared->done.cancel();
            });
        };
        asio::post(pool_, std::move(job));
        co_await shared->done.async_wait(as_result);
        if (shared->answer) co_return std::move(*shared->answer);
        co_return error{errc::timed_out, "could not finish work on the disk in time"};
    }

private:
    static constexpr int pending_max = 16;

    template <class T>
    struct exchange {
        exchange(const asio::any_io_executor& executor, duration limit) : done(executor, limit) {}
        asio::steady_timer done;  // of the event loop; touched there only
        std::optional<result<T>> answer{};
        std::atomic<bool> abandoned{false};  // the limit passed, or the waiting task was ended
    };

    template <class T>
    struct abandon_guard {
        explicit abandon_guard(std::shared_ptr<exchange<T>> s) : shared(std::move(s)) {}
        ~abandon_guard() { shared->abandoned = true; }
        abandon_guard(const abandon_guard&) = delete;
        abandon_guard& operator=(const abandon_guard&) = delete;
        std::shared_ptr<exchange<T>> shared;
    };

    std::shared_ptr<std::atomic<int>> pending_ = std::make_shared<std::atomic<int>>(0);
    asio::thread_pool pool_;
};

}  // namespace repld::postgres
