// The inside of a connection: handle, registered socket, time limit of the operation under way.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "net/asio.hpp"
#include "postgres/connection.hpp"
#include "postgres/pq.hpp"

namespace repld::postgres {

enum class readiness { readable, writable, either };
enum class wait_outcome { ready, limit_passed, given_up };

struct connection_state {
    explicit connection_state(const asio::any_io_executor& executor)
        : socket(executor), timer(executor) {}
    ~connection_state() { close(); }
    connection_state(const connection_state&) = delete;
    connection_state& operator=(const connection_state&) = delete;

    // Registers libpq's socket, which may be another one than before. Error: io.
    result<void> watch_socket();
    // The descriptor is libpq's to close; it must not be known to the loop when libpq does so.
    void forget_socket() noexcept;
    // Breaks the connection for good.
    void close() noexcept;
    task<wait_outcome> wait(readiness what);
    void add_notice(std::string text);

    pq::connection_handle pg{};
    asio::posix::stream_descriptor socket;
    asio::steady_timer timer;
    std::string where{};  // for people
    std::string sqlstate{};
    std::deque<std::string> notices{};
    int version = 0;  // kept, since they are asked for after the end as well
    int backend_pid = 0;
    bool busy = false;
    bool limit_passed = false;
    std::uint64_t operation = 0;  // a timer that belongs to an earlier one does nothing
};

// One operation: takes the connection, arms the limit, and gives it back when it goes out of scope.
// What is not marked as complete by then (an error, a destroyed coroutine) breaks the connection,
// because nobody knows what the server will answer next.
class operation_scope {
public:
    operation_scope(std::shared_ptr<connection_state> s,
                    std::chrono::steady_clock::time_point deadline);
    ~operation_scope();
    operation_scope(const operation_scope&) = delete;
    operation_scope& operator=(const operation_scope&) = delete;

    void complete() noexcept { complete_ = true; }

private:
    std::shared_ptr<connection_state> state_;
    bool complete_ = false;
};

// Far limits are cut to a year, so that adding them to a clock cannot overflow.
[[nodiscard]] std::chrono::steady_clock::time_point deadline_after(duration limit);

}  // namespace repld::postgres
