// Outgoing TCP connections with the options that all links have.
#pragma once

#include <memory>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::net {

using tcp_socket_ptr = std::shared_ptr<asio::ip::tcp::socket>;

// No delay for small messages, and a dead host noticed by the kernel within two seconds while data
// is under way (the connection's own watch covers the rest). A failure to set one is of no
// consequence.
void tune_socket(asio::ip::tcp::socket& socket);

// errc::unreachable on failure. The caller may close the socket to end the attempt early.
task<result<void>> connect_tcp(tcp_socket_ptr socket, asio::ip::tcp::endpoint endpoint,
                               duration limit);

}  // namespace repld::net
