#include "client.hpp"

#include "net/envelope.hpp"

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

}  // namespace

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
