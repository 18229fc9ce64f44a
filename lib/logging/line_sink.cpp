#include "logging/line_sink.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <utility>

namespace repld::logging {

namespace {

bool writable(int descriptor, int timeout_ms) {
    pollfd wanted{descriptor, POLLOUT, 0};
    return ::poll(&wanted, 1, timeout_ms) == 1 && (wanted.revents & POLLOUT) != 0;
}

// Bytes written; 0 when it would have to wait; -1 when the descriptor is of no more use.
ssize_t write_some(int descriptor, std::string_view text) {
    // The journal is a socket, where a send can be told not to wait.
    ssize_t done = ::send(descriptor, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0 && errno == ENOTSOCK) {
        // A pipe that polls as writable takes PIPE_BUF bytes at once; more could wait.
        if (!writable(descriptor, 0)) return 0;
        done = ::write(descriptor, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    }
    if (done >= 0) return done;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

}  // namespace

line_sink::line_sink(int descriptor) noexcept : descriptor_(descriptor) {}

bool line_sink::has_room(std::size_t size) const noexcept {
    return pending_.size() + size <= pending_max;
}

void line_sink::write(std::string_view line) {
    flush();
    if (!has_room(line.size())) {
        ++dropped_;
        return;
    }
    pending_.append(line);
    flush();
}

std::uint64_t line_sink::take_dropped() noexcept {
    return std::exchange(dropped_, 0);
}

void line_sink::flush() {
    std::size_t done = 0;
    while (done < pending_.size()) {
        const auto step = write_some(descriptor_, std::string_view(pending_).substr(done));
        if (step < 0) {
            // A closed reader or a full disk: lines are lost, the daemon is not.
            dropped_ +=
                static_cast<std::uint64_t>(std::count(pending_.begin(), pending_.end(), '\n'));
            pending_.clear();
            return;
        }
        if (step == 0) break;
        done += static_cast<std::size_t>(step);
    }
    pending_.erase(0, done);
}

void line_sink::drain(duration at_most) {
    using clock = std::chrono::steady_clock;
    const auto end = clock::now() + at_most;
    flush();
    while (!pending_.empty()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
        if (left.count() <= 0) return;
        if (!writable(descriptor_, static_cast<int>(std::min<long long>(left.count(), 1000))))
            continue;
        flush();
    }
}

}  // namespace repld::logging
