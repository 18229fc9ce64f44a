#include "session.hpp"

namespace repld::cli {

bool report(session& s, const response& answer) {
    for (const auto& text : answer.notices) s.out.notice(text);
    if (!answer.failure) return true;
    s.out.fail(*answer.failure);
    return false;
}

outcome ask(session& s, const request& question, const patience& wait, progress_display* display) {
    const auto host = load_host_settings(s.config_file);
    if (!host) {
        s.out.fail(host.error());
        return {exit_code::usage, std::nullopt};
    }
    s.out.explain("asking the daemon at " + host->control_socket);
    progress_handler on_progress;
    if (display != nullptr) on_progress = [display](const json& body) { display->show(body); };
    auto answer = ask_local(*host, question, wait, on_progress);
    if (display != nullptr) display->finish();
    if (!answer) {
        s.out.fail(answer.error());
        return {exit_code_of(answer.error().code), std::nullopt};
    }
    const exit_code code = answer->code;
    if (!report(s, *answer)) return {code, std::nullopt};
    return {code, std::move(*answer)};
}

}  // namespace repld::cli
