// Runs one coroutine on a fresh event loop until it returns, at most `limit`.
#pragma once

#include <chrono>
#include <exception>
#include <optional>

#include "catch.hpp"
#include "net/asio.hpp"

namespace repld::testing {

// co_spawn wants a default value of what its coroutine returns, which a result<T> does not have.
template <class T>
task<void> store(task<T> work, std::optional<T>& answer) {
    answer.emplace(co_await std::move(work));
}

// So that run_task takes a coroutine that returns nothing.
inline task<bool> as_value(task<void> work) {
    co_await std::move(work);
    co_return true;
}

template <class T>
T run_task(task<T> work, std::chrono::seconds limit = std::chrono::seconds(60)) {
    asio::io_context loop;
    std::optional<T> answer;
    std::exception_ptr thrown;
    asio::co_spawn(loop, store(std::move(work), answer), [&](std::exception_ptr e) { thrown = e; });
    loop.run_for(limit);
    if (thrown) std::rethrow_exception(thrown);
    REQUIRE(answer);
    return std::move(*answer);
}

}  // namespace repld::testing
