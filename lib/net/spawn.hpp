// Starts a coroutine that nobody waits for. Expected failures are results; an exception that
// reaches the end of such a coroutine is a defect of ours and leaves io_context::run(), which ends
// the daemon. That is safe (a dead daemon renews no lease); a daemon half of whose coroutines are
// gone is not.
#pragma once

#include <exception>

#include "net/asio.hpp"

namespace repld::net {

inline void spawn(const asio::any_io_executor& executor, task<void> work) {
    asio::co_spawn(executor, std::move(work), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    });
}

}  // namespace repld::net
