// The exit codes of replctl; scripts rely on the numbers, so they never change their meaning.
#pragma once

#include "core/error.hpp"

namespace repld::cli {

enum class exit_code : int {
    done = 0,
    usage = 1,          // the command line, the configuration, or replctl's own host is wrong
    refused = 2,        // a check said no; nothing was changed
    unreachable = 3,    // nobody answered
    timed_out = 4,      // the wait ended; the operation goes on
    failed_undone = 5,  // it failed and everything is as before
    needs_person = 6,   // it failed and left something that a person must finish
    problems = 25       // `cluster show` saw problems; repmgr's number
};

[[nodiscard]] exit_code exit_code_of(errc code) noexcept;

}  // namespace repld::cli
