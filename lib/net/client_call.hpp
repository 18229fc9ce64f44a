// One request over a connection that serves nothing else, which is closed afterwards.
#pragma once

#include <memory>

#include "net/rpc.hpp"

namespace repld::net {

// Precondition: the connection was started and accepted. As rpc_endpoint::call.
task<result<json>> call_once(asio::any_io_executor executor, std::shared_ptr<connection> stream,
                             json request, duration limit, progress_sink on_progress);

}  // namespace repld::net
