// The other end of control_server: what replctl says to its local daemon.
#pragma once

#include <functional>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "net/rpc.hpp"

namespace repld::net {

// errc::unreachable: no daemon answers at `path`, or it went away, or it has been silent for ten
// seconds; timed_out: it is alive but the request is not done within `limit`, and goes on; refused.
task<result<json>> call_control_async(asio::any_io_executor executor, std::string path,
                                      json request, duration limit, progress_sink on_progress);

// The same for a program without an event loop: runs one of its own and returns when all is done.
// on_progress is called from within.
[[nodiscard]] result<json> call_control(const std::string& path, json request, duration limit,
                                        progress_sink on_progress);

}  // namespace repld::net
