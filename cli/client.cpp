#include "client.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "net/control_client.hpp"
#include "net/envelope.hpp"
#include "net/spawn.hpp"
#include "text.hpp"

namespace repld::cli {
namespace {

std::optional<exit_code> known_exit_code(const json& value) {
    if (!value.is_number_integer()) return std::nullopt;
    switch (value.get<int>()) {
        case 0: return exit_code::done;
        case 1: return exit_code::usage;
        case 2: return exit_code::refused;
        case 3: return exit_code::unreachable;
        case 4: return exit_code::timed_out;
        case 5: return exit_code::failed_undone;
        case 6: return exit_code::needs_person;
        case 25: return exit_code::problems;
    }
    // A newer daemon's code: nothing is known but that it is not "done".
    return exit_code::needs_person;
}

error no_answer(std::string detail) {
    return {errc::protocol, "could not understand the answer of the repld daemon",
            std::move(detail), "Check that replctl and repld have the same version."};
}

// No limit of its own: the silence limit ends the call.
constexpr duration unlimited = std::chrono::hours(24 * 365);

std::string too_late(const request& question, const patience& wait) {
    const duration waited = wait.silence.value_or(wait.overall);
    const std::string span = seconds_text(std::chrono::duration<double>(waited).count());
    std::string text = wait.silence ? "timed out: no sign of progress for " + span
                                    : "no answer from the repld daemon of this host within " + span;
    if (question.what == effect::changes) text += "; the operation goes on";
    return text;
}

// What went wrong on the way, in words for a person at a terminal.
error explained(const error& failure, const request& question, const patience& wait) {
    const bool changes = question.what == effect::changes;
    switch (failure.code) {
        case errc::unreachable:
            return {failure.code, "could not reach the repld daemon of this host",
                    failure.message + (failure.detail.empty() ? "" : ": " + failure.detail),
                    changes
                        ? "Start it with `systemctl start repld`, then see `replctl daemon status`."
                        : "Start it with `systemctl start repld`; `journalctl -u repld` says why "
                          "it does not run."};
        case errc::timed_out:
            return {failure.code,
                    too_late(question, wait),
                    {},
                    changes ? "Look how it went with `replctl daemon status`."
                            : "`journalctl -u repld` says what the daemon is busy with."};
        case errc::protocol: return no_answer(failure.message + ". " + failure.detail);
        case errc::usage:
        case errc::configuration:
        case errc::refused:
        case errc::failed_undone:
        case errc::needs_person:
        case errc::io:
        case errc::postgres:
        case errc::corrupt:
        case errc::internal: return failure;
    }
    return failure;
}

// A call that may take any time, but ends when nothing is heard for `silence`.
class patient_call {
public:
    patient_call(duration silence, progress_handler on_progress)
        : silence_(silence), on_progress_(std::move(on_progress)) {}

    result<json> run(const std::string& path, json body) {
        timer_.expires_after(silence_);
        net::spawn(context_.get_executor(), watch());
        net::spawn(context_.get_executor(), ask(path, std::move(body)));
        context_.run();
        if (outcome_) return std::move(*outcome_);
        return error{errc::timed_out, "no progress"};
    }

private:
    task<void> ask(std::string path, json body) {
        std::function<void(json)> heard = [this](json report) {
            timer_.expires_after(silence_);
            if (on_progress_) on_progress_(report);
        };
        outcome_ = co_await net::call_control_async(context_.get_executor(), std::move(path),
                                                    std::move(body), unlimited, std::move(heard));
        done_ = true;
        timer_.cancel();
    }

    task<void> watch() {
        // Moving the deadline wakes the wait early; it has passed only when time says so.
        while (!done_ && asio::steady_timer::clock_type::now() < timer_.expiry()) {
            co_await timer_.async_wait(as_result);
        }
        if (!done_) context_.stop();
    }

    asio::io_context context_{1};
    asio::steady_timer timer_{context_};
    duration silence_;
    progress_handler on_progress_;
    std::optional<result<json>> outcome_;
    bool done_ = false;
};

result<json> call_daemon(const std::string& path, json body, const patience& wait,
                         const progress_handler& on_progress) {
    if (!wait.silence) return net::call_control(path, std::move(body), wait.overall, on_progress);
    try {
        patient_call call(*wait.silence, on_progress);
        return call.run(path, std::move(body));
    } catch (const std::exception& failure) {
        return error{errc::internal, "could not talk to the repld daemon", failure.what()};
    }
}

}  // namespace

result<response> ask_local(const host_settings& host, const request& question, const patience& wait,
                           const progress_handler& on_progress) {
    json body{{"command", question.command}, {"args", question.args}};
    auto answer = call_daemon(host.control_socket, std::move(body), wait, on_progress);
    if (!answer) return explained(answer.error(), question, wait);
    return parse_response(*answer);
}

result<response> parse_response(const json& body) {
    if (!body.is_object()) return no_answer("It is not an object.");
    const auto code = known_exit_code(member(body, "exit_code"));
    if (!code) return no_answer("It has no exit code.");
    response answer;
    answer.code = *code;
    answer.result = member(body, "result");
    for (const auto& text : array_of(body, "notices")) answer.notices.push_back(text_of(text));
    const json& failure = member(body, "error");
    if (failure.is_object()) {
        answer.failure = net::decode_error(failure);
        // An error that says "done" would be taken for success by every script.
        if (answer.code == exit_code::done) answer.code = exit_code_of(answer.failure->code);
    }
    if (!answer.failure && !answer.result.is_object()) return no_answer("It has no result.");
    return answer;
}

}  // namespace repld::cli
