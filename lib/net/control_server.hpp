// The Unix socket on which replctl talks to its local daemon: framed requests, no hello, no TLS.
// Who may speak is decided by the kernel's word on the other end: this daemon's user, and root.
#pragma once

#include <memory>
#include <string>

#include "core/result.hpp"
#include "net/asio.hpp"
#include "net/log.hpp"
#include "net/rpc.hpp"

namespace repld::net {

inline constexpr std::size_t control_connections_max = 64;
// Longest usable path of a Unix socket on Linux.
inline constexpr std::size_t control_path_bytes_max = 107;

class control_core;

// Event loop only. May be stopped and destroyed at any time; a running request runs on.
class control_server {
public:
    control_server(const asio::any_io_executor& executor, request_handler handler, log_sink log);
    control_server(const control_server&) = delete;
    control_server& operator=(const control_server&) = delete;
    ~control_server();

    // Makes the socket with mode 0600. A socket that nobody answers on is replaced.
    // errc::configuration: the path is too long; errc::refused: another daemon answers there, or
    // something that is no socket is in the way; errc::io otherwise. At most once.
    result<void> listen(const std::string& path);

    // Removes the socket file if it is still this server's, and closes all connections.
    void stop();

private:
    std::shared_ptr<control_core> core_;
};

}  // namespace repld::net
