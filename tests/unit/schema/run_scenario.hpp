// Runs one coroutine on a fresh event loop until it returns. Connections belong to their loop: what
// uses one stays inside one coroutine.
#pragma once

#include <chrono>
#include <exception>

#include "catch.hpp"
#include "net/asio.hpp"

namespace repld::testing {

inline void run_scenario(task<void> work, std::chrono::seconds limit = std::chrono::seconds(60)) {
    asio::io_context loop;
    bool done = false;
    std::exception_ptr thrown;
    asio::co_spawn(loop, std::move(work), [&](std::exception_ptr e) {
        done = true;
        thrown = e;
    });
    loop.run_for(limit);
    if (thrown) std::rethrow_exception(thrown);
    REQUIRE(done);
}

}  // namespace repld::testing
