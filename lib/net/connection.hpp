// One framed conversation over one byte stream: a bounded queue out, envelopes in, and the watch
// over both. Owned by shared_ptr: its two coroutines (writer and watch) and the reader keep it
// alive until close() has made them return. Event loop only.
//
// The watch closes the connection when nothing has come in for the idle limit, and says "ping" when
// nothing has gone out for two fifths of it, so that silence means that the other end or the way to
// it is gone, and never that nobody had anything to say. After the loop itself was held up (a
// stopped process that goes on) it first listens for a quarter of the limit: what came meanwhile is
// unread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "net/byte_stream.hpp"
#include "net/envelope.hpp"
#include "net/frame.hpp"

namespace repld::net {

struct connection_limits {
    std::size_t receive_bytes_max = frame_bytes_max_hello;
    duration idle_limit = std::chrono::seconds(3);
    // Messages and progress reports that wait to be sent; beyond these the oldest is dropped.
    std::size_t queue_frames_max = 256;
    // Of all that waits. When dropping the droppable is not enough the connection is closed.
    std::size_t queue_bytes_max = 4 * frame_bytes_max_peer;
};

class connection : public std::enable_shared_from_this<connection> {
public:
    connection(const asio::any_io_executor& executor, std::shared_ptr<byte_stream> stream,
               connection_limits limits);

    // Once, right after construction.
    void start();

    // The next envelope other than a ping. One caller at a time, holding a shared_ptr. After an
    // error (errc::unreachable, timed_out, protocol, or what close() was given) the connection is
    // closed.
    task<result<envelope>> receive();

    // Never waits. Messages and progress reports may be dropped later to make room; everything else
    // is sent or the connection ends. errc::refused: it would not fit into a frame;
    // errc::unreachable: the connection is closed or closing.
    result<void> post(const envelope& e);

    // Closes at once. The first reason given is the one that receive() returns.
    void close(repld::error why);
    // Closes when the queue has been written and the other side had a moment to read it; takes no
    // more posts. Bounded by the write limit.
    void finish();

    void set_receive_limit(std::size_t payload_bytes_max) { decoder_.set_limit(payload_bytes_max); }
    void set_idle_limit(duration limit);

    [[nodiscard]] bool open() const noexcept { return !why_closed_; }
    [[nodiscard]] duration received_age() const;
    [[nodiscard]] const std::string& address() const noexcept { return stream_->address(); }

private:
    using clock = std::chrono::steady_clock;
    struct queued_frame {
        std::string bytes;
        bool droppable = false;
    };

    static task<void> write_loop(std::shared_ptr<connection> self);
    static task<void> watch_loop(std::shared_ptr<connection> self);
    task<result<void>> write_batch();
    task<void> linger();
    void make_room(std::size_t bytes);
    void drop_oldest();
    [[nodiscard]] clock::time_point next_check() const;
    void forgive_stall(clock::time_point planned);
    void check(clock::time_point now);

    asio::any_io_executor executor_;
    std::shared_ptr<byte_stream> stream_;
    connection_limits limits_;
    frame_decoder decoder_;
    std::array<char, 16 * 1024> read_buffer_{};

    std::deque<queued_frame> queue_;
    std::size_t queue_bytes_ = 0;
    std::size_t droppable_ = 0;
    asio::steady_timer queue_wake_;
    asio::steady_timer watch_timer_;

    clock::time_point received_at_;
    clock::time_point posted_at_;
    std::optional<clock::time_point> write_progress_at_;  // set while a write is under way
    bool finishing_ = false;
    std::optional<repld::error> why_closed_;
};

}  // namespace repld::net
