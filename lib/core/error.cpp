#include "core/error.hpp"

namespace repld {

const char* to_string(errc code) noexcept {
    switch (code) {
        case errc::usage: return "usage";
        case errc::configuration: return "configuration";
        case errc::refused: return "refused";
        case errc::unreachable: return "unreachable";
        case errc::timed_out: return "timed_out";
        case errc::failed_undone: return "failed_undone";
        case errc::needs_person: return "needs_person";
        case errc::io: return "io";
        case errc::protocol: return "protocol";
        case errc::postgres: return "postgres";
        case errc::corrupt: return "corrupt";
        case errc::internal: return "internal";
    }
    return "internal";
}

std::string to_string(const error& e) {
    std::string text = "ERROR: " + e.message;
    if (!e.detail.empty()) text += "\nDETAIL: " + e.detail;
    if (!e.hint.empty()) text += "\nHINT: " + e.hint;
    return text;
}

}  // namespace repld
