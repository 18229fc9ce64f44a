// Which of PostgreSQL's processes is which, by the title it shows in /proc. Pure.
#pragma once

#include <string_view>

namespace repld::postgres {

// True for the walreceiver: "postgres: walreceiver streaming 0/3000148", with "<cluster_name>: "
// before the word where that is set. Never for a session of a user of that name.
[[nodiscard]] bool is_walreceiver_title(std::string_view title) noexcept;
// Of the startup process; its title changes with every segment it replays.
[[nodiscard]] bool is_startup_title(std::string_view title) noexcept;

}  // namespace repld::postgres
