// Runs the core: one event at a time, and its actions in their order. Owns the node, the register's
// store and the timer. Event loop only; nothing here waits for the disk or the network.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "boot_timer.hpp"
#include "core/node.hpp"
#include "net/asio.hpp"
#include "storage/async_store.hpp"

namespace repld {

// What the core wants done outside of it. All are called on the event loop and must not block; they
// may feed events back.
struct core_effects {
    std::function<void(const send&)> send_message;
    std::function<void(std::uint64_t task, const server_task&)> run_server_task;
    std::function<void()> observe_now;
    std::function<void(const note&)> tell;
    // After every step: the state or the role may have changed.
    std::function<void()> changed;
};

class core_host {
public:
    core_host(asio::any_io_executor executor, node_config config, durable_state durable,
              std::unique_ptr<storage::async_store> store, core_effects effects);

    // errc::io: no timer is to be had.
    result<void> start();
    // Ends the timer and the store; waits for the write in progress.
    void stop();

    // Queued when called from within a step. Nothing may be thrown through a step: a daemon that
    // goes on with half of one is worse than a dead one.
    void feed(event e) noexcept;
    // Feeds an operator's request and waits for its reply; errc::timed_out after `limit` (it may
    // still be committed).
    task<result<void>> request(decltype(operator_request::what) what, duration limit);

    [[nodiscard]] const node& core() const { return node_; }

private:
    struct pending_request {
        explicit pending_request(const asio::any_io_executor& executor) : timer(executor) {}
        asio::steady_timer timer;
        std::optional<result<void>> outcome;
    };

    void step(const event& e);
    void carry_out(std::vector<action> actions);
    void carry_out(persist& a);
    void carry_out(repld::send& a) { effects_.send_message(a); }
    void carry_out(run_server_task& a) { effects_.run_server_task(a.task, a.what); }
    void carry_out(observe_now&) { effects_.observe_now(); }
    void carry_out(note& a) { effects_.tell(a); }
    void carry_out(reply& a);
    void arm_timer();

    asio::any_io_executor executor_;
    node node_;
    std::unique_ptr<storage::async_store> store_;
    core_effects effects_;
    boot_timer timer_;
    std::deque<event> queue_;
    bool stepping_ = false;
    bool stopped_ = false;
    std::uint64_t last_request_ = 0;
    std::map<std::uint64_t, std::shared_ptr<pending_request>> pending_;
};

}  // namespace repld
