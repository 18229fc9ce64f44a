#include "postgres/connection_state.hpp"

#include <algorithm>

#include "platform/os_error.hpp"

namespace repld::postgres {
namespace {

constexpr std::size_t notices_max = 32;

task<boost::system::error_code> wait_either(asio::posix::stream_descriptor& socket) {
    using namespace asio::experimental::awaitable_operators;
    using descriptor = asio::posix::stream_descriptor;
    auto first = co_await (socket.async_wait(descriptor::wait_read, as_result) ||
                           socket.async_wait(descriptor::wait_write, as_result));
    co_return first.index() == 0 ? std::get<0>(std::get<0>(first))
                                 : std::get<0>(std::get<1>(first));
}

}  // namespace

std::chrono::steady_clock::time_point deadline_after(duration limit) {
    constexpr duration longest = std::chrono::hours(24 * 365);
    return std::chrono::steady_clock::now() + std::clamp(limit, duration::zero(), longest);
}

result<void> connection_state::watch_socket() {
    forget_socket();
    boost::system::error_code failed;
    socket.assign(PQsocket(pg.get()), failed);
    if (failed) return platform::os_error("could not watch a socket", failed.value());
    return {};
}

void connection_state::forget_socket() noexcept {
    if (socket.is_open()) static_cast<void>(socket.release());
}

void connection_state::close() noexcept {
    forget_socket();
    pg.reset();
}

task<wait_outcome> connection_state::wait(readiness what) {
    using descriptor = asio::posix::stream_descriptor;
    if (limit_passed) co_return wait_outcome::limit_passed;
    boost::system::error_code failed;
    if (what == readiness::either) {
        failed = co_await wait_either(socket);
    } else {
        const auto direction =
            what == readiness::readable ? descriptor::wait_read : descriptor::wait_write;
        std::tie(failed) = co_await socket.async_wait(direction, as_result);
    }
    if (!failed) co_return wait_outcome::ready;
    co_return limit_passed ? wait_outcome::limit_passed : wait_outcome::given_up;
}

void connection_state::add_notice(std::string text) {
    if (notices.size() == notices_max) notices.pop_front();
    notices.push_back(std::move(text));
}

operation_scope::operation_scope(std::shared_ptr<connection_state> s,
                                 std::chrono::steady_clock::time_point deadline)
    : state_(std::move(s)) {
    state_->busy = true;
    state_->limit_passed = false;
    state_->timer.expires_at(deadline);
    state_->timer.async_wait([s = state_, mine = ++state_->operation](boost::system::error_code e) {
        if (e || s->operation != mine) return;
        s->limit_passed = true;
        boost::system::error_code ignored;
        s->socket.cancel(ignored);
    });
}

operation_scope::~operation_scope() {
    state_->busy = false;
    ++state_->operation;
    state_->timer.cancel();
    if (!complete_) state_->close();
}

}  // namespace repld::postgres
