// One request to a daemon over a fresh TLS connection, without being a peer of it: for a host that
// joins, and for replctl when its local daemon is down.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "net/hello.hpp"
#include "net/rpc.hpp"
#include "net/tls.hpp"

namespace repld::net {

// `own` goes out as a client's hello whatever it says (client true, node 0). The limit covers
// everything from name resolution to the answer; each address gets at most a second to accept, TLS
// and hello together two. errc::unreachable, refused (key or hello), timed_out or protocol, and
// what the other side's transport answers with. The other daemon proves that it has the key.
task<result<json>> call_peer(asio::any_io_executor executor, std::string host, std::uint16_t port,
                             psk key, hello own, json request, duration limit,
                             progress_sink on_progress);

}  // namespace repld::net
