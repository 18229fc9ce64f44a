// Host names of a connection string to addresses, off the event loop: libpq would ask the resolver
// itself, and block.
#pragma once

#include <chrono>

#include "core/result.hpp"
#include "net/asio.hpp"
#include "postgres/conninfo.hpp"

namespace repld::postgres {

// The same connection string with `hostaddr` beside `host`, one entry per address (at most 8 of one
// name); `host` stays for certificates and password files. Unchanged when nothing is to be
// resolved. Errors: unreachable when no name has an address, timed_out, configuration (number of
// ports).
[[nodiscard]] task<result<conninfo>> resolve_hosts(conninfo target,
                                                   std::chrono::steady_clock::time_point deadline);

}  // namespace repld::postgres
