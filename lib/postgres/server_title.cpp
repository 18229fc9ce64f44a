#include "postgres/server_title.hpp"

namespace repld::postgres {
namespace {

// What follows the last ": " (a cluster name may hold that too).
std::string_view words_of(std::string_view title) noexcept {
    if (!title.starts_with("postgres: ")) return {};
    const auto colon = title.rfind(": ");
    title.remove_prefix(colon + 2);
    while (title.ends_with(' ')) title.remove_suffix(1);
    return title;
}

bool is_role(std::string_view title, std::string_view role) noexcept {
    const auto words = words_of(title);
    if (!words.starts_with(role)) return false;
    const auto rest = words.substr(role.size());
    if (rest.empty()) return true;
    // A session is "user database host activity"; these words are the server's own.
    for (const std::string_view state : {" streaming ", " recovering ", " waiting for "}) {
        if (rest.starts_with(state)) return true;
    }
    return rest == " streaming" || rest == " waiting" || rest == " restarting" ||
           rest == " starting";
}

}  // namespace

bool is_walreceiver_title(std::string_view title) noexcept {
    return is_role(title, "walreceiver");
}

bool is_startup_title(std::string_view title) noexcept {
    return is_role(title, "startup");
}

}  // namespace repld::postgres
