// The death of the postmaster as an event.
#include "postgres/server_state.hpp"

namespace repld::postgres {
namespace {

using asio::experimental::awaitable_operators::operator||;

using stop_timer = std::shared_ptr<asio::steady_timer>;

// Ends with the process, or when the timer, which never expires by itself, is cancelled.
task<void> wait_for_death(process::process_watch watch, stop_timer stop,
                          std::function<void()> died) {
    auto death = watch.wait_dead();
    auto stopped = stop->async_wait(as_result);
    auto either = std::move(death) || std::move(stopped);
    co_await std::move(either);
    if (watch.dead()) died();
}

}  // namespace

void local_server::state::arm_watch(const postmaster_life& life) {
    if (life == watched || life.pid == 0) return;
    auto opened = process::process_watch::open(executor, life.pid, life.start_ticks);
    if (!opened) return;  // it died meanwhile, or the next look tries again
    stop_watching();
    watched = life;
    watch_stop =
        std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    // The state is held weakly: an object that is gone is not kept by a server that lives. A number
    // per watch: the event of an earlier postmaster must not pass for this one's.
    auto died = [self = weak_from_this(), number = watch_number] {
        const auto held = self.lock();
        if (!held || held->watch_number != number) return;
        held->watched = {};
        if (held->on_death) held->on_death();
    };
    asio::co_spawn(executor, wait_for_death(std::move(*opened), watch_stop, std::move(died)),
                   asio::detached);
}

void local_server::state::stop_watching() {
    ++watch_number;
    watched = {};
    if (watch_stop) watch_stop->cancel();
    watch_stop.reset();
}

void local_server::watch(std::function<void()> on_death) {
    state_->on_death = std::move(on_death);
    auto alive = find_postmaster(state_->settings.data_directory);
    if (alive && alive->has_value()) {
        state_->arm_watch({(*alive)->file.pid, (*alive)->start_ticks});
    }
}

}  // namespace repld::postgres
