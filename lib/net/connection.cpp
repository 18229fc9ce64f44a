#include "net/connection.hpp"

#include <algorithm>

#include "net/spawn.hpp"

namespace repld::net {
namespace {

// Small frames share one write, hence one TLS record and one packet.
constexpr std::size_t batch_bytes = 16 * 1024;
constexpr auto linger_limit = std::chrono::milliseconds(200);
// A reader that takes nothing for so long will not take the rest either.
constexpr duration write_limit_min = std::chrono::seconds(5);

bool may_be_dropped(envelope_type type) {
    return type == envelope_type::message || type == envelope_type::progress ||
           type == envelope_type::ping;
}

}  // namespace

connection::connection(const asio::any_io_executor& executor, std::shared_ptr<byte_stream> stream,
                       connection_limits limits)
    : executor_(executor),
      stream_(std::move(stream)),
      limits_(limits),
      decoder_(limits.receive_bytes_max),
      queue_wake_(executor),
      watch_timer_(executor),
      received_at_(clock::now()),
      posted_at_(received_at_) {}

void connection::start() {
    spawn(executor_, write_loop(shared_from_this()));
    spawn(executor_, watch_loop(shared_from_this()));
}

task<result<envelope>> connection::receive() {
    for (;;) {
        if (why_closed_) co_return *why_closed_;
        auto payload = decoder_.next();
        if (!payload) {
            close(payload.error());
            continue;
        }
        if (payload->has_value()) {
            auto decoded = decode_envelope(**payload);
            if (!decoded) {
                close(decoded.error());
                continue;
            }
            if (decoded->type == envelope_type::ping) continue;
            co_return decoded;
        }
        auto count = co_await stream_->read_some(read_buffer_.data(), read_buffer_.size());
        if (!count) {
            close(count.error());
            continue;
        }
        received_at_ = clock::now();
        decoder_.feed(std::string_view(read_buffer_.data(), *count));
    }
}

result<void> connection::post(const envelope& e) {
    if (why_closed_ || finishing_) {
        return repld::error{.code = errc::unreachable,
                            .message = "connection to " + address() + " is closed"};
    }
    const auto text = encode_envelope(e);
    if (text.size() > frame_bytes_max_peer) {
        return repld::error{.code = errc::refused,
                            .message = "message of " + std::to_string(text.size()) +
                                       " bytes is too large to be sent"};
    }
    posted_at_ = clock::now();
    queued_frame frame{encode_frame(text), may_be_dropped(e.type)};
    make_room(frame.bytes.size());
    if (queue_bytes_ + frame.bytes.size() > limits_.queue_bytes_max) {
        close(repld::error{.code = errc::unreachable,
                           .message = address() + " does not read what it is sent"});
        return *why_closed_;
    }
    queue_bytes_ += frame.bytes.size();
    if (frame.droppable) ++droppable_;
    queue_.push_back(std::move(frame));
    if (droppable_ > limits_.queue_frames_max) drop_oldest();
    queue_wake_.cancel();
    return {};
}

void connection::make_room(std::size_t bytes) {
    while (droppable_ > 0 && queue_bytes_ + bytes > limits_.queue_bytes_max) drop_oldest();
}

void connection::drop_oldest() {
    const auto oldest = std::find_if(queue_.begin(), queue_.end(),
                                     [](const queued_frame& frame) { return frame.droppable; });
    if (oldest == queue_.end()) return;
    queue_bytes_ -= oldest->bytes.size();
    --droppable_;
    queue_.erase(oldest);
}

void connection::close(repld::error why) {
    if (why_closed_) return;
    why_closed_ = std::move(why);
    stream_->close();
    queue_.clear();
    queue_bytes_ = 0;
    droppable_ = 0;
    queue_wake_.cancel();
    watch_timer_.cancel();
}

void connection::finish() {
    finishing_ = true;
    queue_wake_.cancel();
}

void connection::set_idle_limit(duration limit) {
    limits_.idle_limit = limit;
    watch_timer_.cancel();
}

duration connection::received_age() const {
    return clock::now() - received_at_;
}

task<void> connection::write_loop(std::shared_ptr<connection> self) {
    while (self->open()) {
        if (!self->queue_.empty()) {
            auto written = co_await self->write_batch();
            if (!written) self->close(written.error());
        } else if (self->finishing_) {
            co_await self->linger();
        } else {
            self->queue_wake_.expires_at(clock::time_point::max());
            co_await self->queue_wake_.async_wait(as_result);
        }
    }
}

task<result<void>> connection::write_batch() {
    std::string batch;
    while (!queue_.empty() &&
           (batch.empty() || batch.size() + queue_.front().bytes.size() <= batch_bytes)) {
        auto& frame = queue_.front();
        queue_bytes_ -= frame.bytes.size();
        if (frame.droppable) --droppable_;
        batch = batch.empty() ? std::move(frame.bytes) : batch + frame.bytes;
        queue_.pop_front();
    }
    std::size_t sent = 0;
    while (sent < batch.size()) {
        write_progress_at_ = clock::now();
        auto count = co_await stream_->write_some(batch.data() + sent, batch.size() - sent);
        write_progress_at_.reset();
        if (!count) co_return count.error();
        sent += *count;
    }
    co_return result<void>{};
}

// Closing right after the last write may overtake it: unread input turns the close into a reset.
task<void> connection::linger() {
    queue_wake_.expires_after(linger_limit);
    co_await queue_wake_.async_wait(as_result);
    close(repld::error{.code = errc::unreachable,
                       .message = "connection to " + address() + " was closed"});
}

connection::clock::time_point connection::next_check() const {
    auto next = received_at_ + limits_.idle_limit;
    if (!finishing_) next = std::min(next, posted_at_ + limits_.idle_limit * 2 / 5);
    if (write_progress_at_) {
        next = std::min(next, *write_progress_at_ + std::max(write_limit_min, limits_.idle_limit));
    }
    return next;
}

void connection::forgive_stall(clock::time_point planned) {
    const auto now = clock::now();
    const auto quarter = limits_.idle_limit / 4;
    if (now - planned > quarter) {
        received_at_ = std::max(received_at_, now - limits_.idle_limit + quarter);
        if (write_progress_at_) write_progress_at_ = now;
    }
}

void connection::check(clock::time_point now) {
    const auto text = [](duration d) {
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) +
               " ms";
    };
    if (now >= received_at_ + limits_.idle_limit) {
        close(repld::error{
            .code = errc::unreachable,
            .message = "nothing received from " + address() + " for " + text(limits_.idle_limit)});
        return;
    }
    const auto write_limit = std::max(write_limit_min, limits_.idle_limit);
    if (write_progress_at_ && now >= *write_progress_at_ + write_limit) {
        close(
            repld::error{.code = errc::unreachable,
                         .message = address() + " has not read anything for " + text(write_limit)});
        return;
    }
    if (now >= posted_at_ + limits_.idle_limit * 2 / 5 && !finishing_) {
        const envelope ping{};
        static_cast<void>(post(ping));
    }
}

task<void> connection::watch_loop(std::shared_ptr<connection> self) {
    while (self->open()) {
        const auto planned = self->next_check();
        self->watch_timer_.expires_at(planned);
        co_await self->watch_timer_.async_wait(as_result);
        if (!self->open()) break;
        self->forgive_stall(planned);
        self->check(clock::now());
    }
}

}  // namespace repld::net
