#include "core_host.hpp"

#include "platform/boottime.hpp"
#include "protocol/state_codec.hpp"

namespace repld {

core_host::core_host(asio::any_io_executor executor, node_config config, durable_state durable,
                     std::unique_ptr<storage::async_store> store, core_effects effects)
    : executor_(executor),
      node_(std::move(config), std::move(durable), platform::boot_now()),
      store_(std::move(store)),
      effects_(std::move(effects)),
      timer_(executor) {}

result<void> core_host::start() {
    if (auto opened = timer_.open(); !opened) return opened;
    stepping_ = true;
    carry_out(node_.start(platform::boot_now()));
    stepping_ = false;
    feed(tick{platform::realtime_since_epoch()});
    return {};
}

void core_host::stop() {
    stopped_ = true;
    timer_.cancel();
    store_->stop();
}

void core_host::step(const event& e) {
    carry_out(node_.step(platform::boot_now(), e));
}

void core_host::feed(event e) noexcept {
    if (stopped_) return;
    queue_.push_back(std::move(e));
    if (stepping_) return;
    stepping_ = true;
    while (!queue_.empty()) {
        const event next = std::move(queue_.front());
        queue_.pop_front();
        // The clocks are compared before anything is decided from this event (R12).
        if (!std::holds_alternative<tick>(next)) step(tick{platform::realtime_since_epoch()});
        step(next);
    }
    stepping_ = false;
    effects_.changed();
    arm_timer();
}

void core_host::carry_out(std::vector<action> actions) {
    for (action& a : actions) std::visit([this](auto& what) { carry_out(what); }, a);
}

void core_host::carry_out(persist& a) {
    store_->save(a.sequence, protocol::encode_durable(a.state),
                 [this](std::uint64_t sequence, const result<void>& outcome) {
                     feed(disk_done{sequence, outcome.has_value(),
                                    outcome ? std::string() : outcome.error().message});
                 });
}

void core_host::carry_out(reply& a) {
    const auto it = pending_.find(a.request);
    if (it == pending_.end()) return;
    it->second->outcome = std::move(a.outcome);
    it->second->timer.cancel();
}

task<result<void>> core_host::request(decltype(operator_request::what) what, duration limit) {
    const std::uint64_t id = ++last_request_;
    auto waiting = std::make_shared<pending_request>(executor_);
    waiting->timer.expires_after(limit);
    pending_[id] = waiting;
    feed(operator_request{id, std::move(what)});
    if (!waiting->outcome) co_await waiting->timer.async_wait(as_result);
    pending_.erase(id);
    if (waiting->outcome) co_return *waiting->outcome;
    co_return error{errc::timed_out, "no answer from the register in time",
                    "The change may still be committed.", "See \"replctl cluster show\"."};
}

void core_host::arm_timer() {
    if (stopped_) return;
    const boot_time soon = platform::boot_now() + std::chrono::milliseconds(1);
    timer_.arm(std::max(node_.next_deadline(), soon), [this] {
        if (!stopped_) feed(tick{platform::realtime_since_epoch()});
    });
}

}  // namespace repld
