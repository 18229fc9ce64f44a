#include "process/runner.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "platform/os_error.hpp"
#include "process/child.hpp"
#include "process/line_splitter.hpp"
#include "process/spawner.hpp"

namespace repld::process {
namespace {

using descriptor = asio::posix::stream_descriptor;

// In which SIGKILL takes effect on a process that is not stuck in the kernel.
constexpr duration kill_patience = std::chrono::seconds(1);
// A survivor that writes without end must not hold up the caller when the child has ended.
constexpr std::size_t drain_bytes_max = 1024 * 1024;
constexpr duration limit_max = std::chrono::hours(24 * 365);

// One command under way. Handlers of the loop share it with the coroutine and do nothing once
// stop() was called.
class running : public std::enable_shared_from_this<running> {
public:
    running(const asio::any_io_executor& executor, child started, command& what)
        : child_(std::move(started)),
          output_(executor),
          exit_(executor),
          timer_(executor),
          lines_(std::move(what.on_line)),
          output_limit_(what.output_limit),
          kill_grace_(what.kill_grace) {}

    // Error: io, when the loop cannot watch the descriptors.
    result<void> start(duration limit) {
        boost::system::error_code failed;
        auto output = child_.take_output();
        auto pidfd = child_.take_pidfd();
        output_.assign(output.get(), failed);
        if (!failed) {
            static_cast<void>(output.release());
            exit_.assign(pidfd.get(), failed);
        }
        if (failed) return platform::os_error("could not watch a child process", failed.value());
        static_cast<void>(pidfd.release());
        wait_for_output();
        arm(limit, &running::limit_passed);
        return {};
    }

    descriptor& exit() noexcept { return exit_; }
    [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
    [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

    // Precondition: the child has ended, or was given up.
    command_outcome finish() {
        if (!stopped_) read_available(drain_bytes_max);
        lines_.flush();
        command_outcome outcome;
        outcome.timed_out = timed_out_;
        // Before the reaping, which sets the group's number free.
        if (timed_out_) child_.kill_group(SIGKILL);
        if (const auto status = child_.reap()) {
            if (WIFEXITED(*status)) outcome.exit_code = WEXITSTATUS(*status);
            if (WIFSIGNALED(*status)) outcome.signal = WTERMSIG(*status);
        } else {
            outcome.signal = SIGKILL;
            child_.abandon();
        }
        trim(output_limit_);
        outcome.output = std::move(tail_);
        stop();
        return outcome;
    }

    // No handler acts after this. The child's owner, this object, kills what still runs.
    void stop() {
        stopped_ = true;
        boost::system::error_code ignored;
        output_.close(ignored);
        exit_.close(ignored);
        timer_.cancel();
        child_.kill_group(SIGKILL);
    }

private:
    void arm(duration after, void (running::*then)()) {
        timer_.expires_after(after);
        timer_.async_wait([self = shared_from_this(), then](boost::system::error_code failed) {
            if (!failed && !self->stopped_) ((*self).*then)();
        });
    }

    void limit_passed() {
        timed_out_ = true;
        if (kill_grace_ <= duration::zero()) return grace_passed();
        child_.kill_group(SIGTERM);
        arm(kill_grace_, &running::grace_passed);
    }

    void grace_passed() {
        child_.kill_group(SIGKILL);
        arm(kill_patience, &running::kill_had_no_effect);
    }

    void kill_had_no_effect() {
        gave_up_ = true;
        exit_.cancel();
    }

    // Waits for readiness instead of reading through the loop: then no bytes are ever held by an
    // operation that is still queued when the child's end is handled.
    void wait_for_output() {
        output_.async_wait(descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code failed) {
                               if (failed || self->stopped_) return;
                               if (self->read_available(chunk_bytes)) self->wait_for_output();
                           });
    }

    // False at the end of the output.
    bool read_available(std::size_t bytes_max) {
        std::array<char, chunk_bytes> chunk{};
        for (std::size_t total = 0; total < bytes_max;) {
            const ssize_t n = ::read(output_.native_handle(), chunk.data(), chunk.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
            if (n == 0) return false;
            const std::string_view bytes(chunk.data(), static_cast<std::size_t>(n));
            total += bytes.size();
            tail_.append(bytes);
            // Twice the limit, so that not every chunk moves the whole tail.
            if (tail_.size() > 2 * output_limit_) trim(output_limit_);
            lines_.add(bytes);
        }
        return true;
    }

    void trim(std::size_t bytes_max) {
        if (tail_.size() > bytes_max) tail_.erase(0, tail_.size() - bytes_max);
    }

    static constexpr std::size_t chunk_bytes = 16384;

    child child_;
    descriptor output_;
    descriptor exit_;  // the pidfd: readable when the child has ended
    asio::steady_timer timer_;
    line_splitter lines_;
    std::string tail_{};
    std::size_t output_limit_ = 0;
    duration kill_grace_{};
    bool timed_out_ = false;
    bool gave_up_ = false;
    bool stopped_ = false;
};

// A coroutine that is destroyed while it waits takes its child with it.
struct stop_at_exit {
    explicit stop_at_exit(std::shared_ptr<running> r) : state(std::move(r)) {}
    stop_at_exit(const stop_at_exit&) = delete;
    stop_at_exit& operator=(const stop_at_exit&) = delete;
    ~stop_at_exit() { state->stop(); }
    std::shared_ptr<running> state;
};

// The last lines, as a detail for people.
std::string last_lines(const std::string& output) {
    constexpr std::size_t bytes_max = 1000;
    std::string text =
        output.size() > bytes_max ? output.substr(output.size() - bytes_max) : output;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

}  // namespace

task<result<command_outcome>> run_command(command what, duration limit) {
    const auto executor = co_await asio::this_coro::executor;
    child::parts parts;
    parts.argv = what.argv;
    parts.environment = environment_with(what.extra_env);
    parts.working_dir = what.working_dir;
    // One limit for loading and running.
    const auto begin = std::chrono::steady_clock::now();
    limit = std::clamp(limit, duration::zero(), limit_max);
    auto started = co_await spawn_off_loop(std::move(parts), begin + limit);
    if (!started) co_return std::move(started).error();

    const auto state = std::make_shared<running>(executor, std::move(*started), what);
    const stop_at_exit guard(state);
    const duration left = limit - (std::chrono::steady_clock::now() - begin);
    if (auto watching = state->start(left); !watching) co_return std::move(watching).error();

    auto [failed] = co_await state->exit().async_wait(descriptor::wait_read, as_result);
    if (failed && !state->gave_up()) {
        // Cancelled from outside: no further co_await, the guard kills the group.
        co_return error{errc::internal,
                        "run of \"" + what.argv.front() + "\" was given up: " + failed.message()};
    }
    co_return state->finish();
}

task<result<command_outcome>> run_shell(std::string command_line, duration limit) {
    command what({"/bin/sh", "-c", std::move(command_line)});
    co_return co_await run_command(std::move(what), limit);
}

std::string describe(const command_outcome& outcome) {
    if (outcome.timed_out) return "did not end in time";
    if (outcome.signal != 0) return "was killed by signal " + std::to_string(outcome.signal);
    return "exited with status " + std::to_string(outcome.exit_code);
}

result<command_outcome> require_success(result<command_outcome> outcome, std::string_view purpose,
                                        errc code) {
    if (!outcome) {
        auto e = std::move(outcome).error();
        e.detail = e.message + (e.detail.empty() ? "" : ": " + e.detail);
        e.message = "could not " + std::string(purpose);
        return e;
    }
    if (outcome->succeeded()) return outcome;
    error e;
    e.code = outcome->timed_out ? errc::timed_out : code;
    e.message = "could not " + std::string(purpose);
    e.detail = "The command " + describe(*outcome) + ".";
    if (const auto text = last_lines(outcome->output); !text.empty())
        e.detail += " It said: " + text;
    return e;
}

}  // namespace repld::process
