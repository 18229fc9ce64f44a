// One question to a daemon, one answer; every wait has a limit. The transport is lib/net's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "exit_codes.hpp"
#include "host.hpp"
#include "json_view.hpp"

namespace repld::cli {

// Whether a question changes anything, so that a lost answer leaves something to look after.
enum class effect { reads, changes };

// "cluster show" with its arguments, as an object.
struct request {
    std::string command;
    effect what = effect::reads;
    json args = json::object();
};

// What the daemon made of it. Without `failure` the command went well (code may still be
// `problems`).
struct response {
    exit_code code = exit_code::done;
    json result = json::object();
    std::vector<std::string> notices;
    std::optional<error> failure;
    std::string answered_by;  // name of the node; empty: the local daemon
};

// How long to wait. `overall` bounds a call that nobody reports on; with `silence` set the call may
// take any time as long as a progress message arrives within each such span.
struct patience {
    duration overall = std::chrono::seconds(10);
    std::optional<duration> silence = std::nullopt;
};

using progress_handler = std::function<void(const json&)>;

// Asks the daemon of this host. Errors, ready to be shown: unreachable (nothing listens, it went
// away before it answered, or it hangs), timed_out (it is alive and did not finish in time; what it
// was asked to do goes on), refused (another user's daemon), protocol.
[[nodiscard]] result<response> ask_local(const host_settings& host, const request& question,
                                         const patience& wait, const progress_handler& on_progress);

// Asks all other members of the cluster at once; the first answer that is not an error wins.
// Errors: unreachable when there is none within `limit`; the detail says of each member why.
[[nodiscard]] result<response> ask_members(const host_settings& host, const request& question,
                                           duration limit);

// The body of a response message. Errors: protocol.
[[nodiscard]] result<response> parse_response(const json& body);

}  // namespace repld::cli
