#include "process/pidfd.hpp"

#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "process/child.hpp"
#include "process/proc_table.hpp"
#include "run_task.hpp"

using namespace repld;
using namespace repld::process;
using namespace std::chrono_literals;

namespace {

child sleeper() {
    child::parts parts;
    parts.argv = {"sleep", "60"};
    auto started = child::spawn(parts);
    REQUIRE(started);
    return std::move(*started);
}

task<result<void>> kill_and_wait(pid_t pid) {
    auto watch = process_watch::open(co_await asio::this_coro::executor, pid, start_ticks(pid));
    if (!watch) co_return std::move(watch).error();
    if (watch->dead()) co_return error{errc::internal, "dead too early"};
    if (auto sent = watch->send(SIGKILL); !sent) co_return std::move(sent).error();
    if (auto died = co_await watch->wait_dead(); !died) co_return std::move(died).error();
    if (!watch->dead()) co_return error{errc::internal, "not dead"};
    // Waiting for what is dead already returns at once.
    co_return co_await watch->wait_dead();
}

task<result<void>> cancelled_wait(pid_t pid) {
    using namespace asio::experimental::awaitable_operators;
    auto watch = process_watch::open(co_await asio::this_coro::executor, pid);
    if (!watch) co_return std::move(watch).error();
    asio::steady_timer timer(co_await asio::this_coro::executor, 20ms);
    auto both = co_await (watch->wait_dead() || timer.async_wait(asio::use_awaitable));
    if (both.index() != 1) co_return error{errc::internal, "the wait ended although nobody died"};
    co_return result<void>{};
}

}  // namespace

TEST_CASE("the death of a process is an event, and a zombie is dead") {
    auto c = sleeper();
    const auto died = testing::run_task(kill_and_wait(c.pid()));
    if (!died) FAIL(to_string(died.error()));
    CHECK(c.reap());
}

TEST_CASE("a wait can be cancelled") {
    const auto c = sleeper();
    const auto ended = testing::run_task(cancelled_wait(c.pid()));
    if (!ended) FAIL(to_string(ended.error()));
}

TEST_CASE("another process under the same number, a dead one and nonsense are refused") {
    asio::io_context loop;
    auto c = sleeper();
    const pid_t pid = c.pid();
    const auto other = process_watch::open(loop.get_executor(), pid, *start_ticks(pid) + 1);
    REQUIRE_FALSE(other);
    CHECK(other.error().code == errc::unreachable);
    CHECK(process_watch::open(loop.get_executor(), 0).error().code == errc::internal);
    auto watch = process_watch::open(loop.get_executor(), pid);
    REQUIRE(watch);
    c.kill_group(SIGKILL);
    while (!c.reap()) ::usleep(1000);
    CHECK(watch->dead());
    CHECK(watch->send(SIGTERM).error().code == errc::unreachable);
    CHECK(process_watch::open(loop.get_executor(), pid).error().code == errc::unreachable);
}
