#include "net/tcp_connect.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/byte_stream.hpp"
#include "net/deadline.hpp"

namespace repld::net {
namespace {

constexpr unsigned int user_timeout_ms = 2000;

void set_option(int fd, int level, int name, int value) {
    [[maybe_unused]] const int ignored = ::setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

void tune_socket(asio::ip::tcp::socket& socket) {
    const int fd = socket.native_handle();
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(user_timeout_ms));
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

task<result<void>> connect_tcp(tcp_socket_ptr socket, asio::ip::tcp::endpoint endpoint,
                               duration limit) {
    const auto executor = socket->get_executor();
    const deadline guard(executor, limit, [socket] {
        boost::system::error_code ignored;
        socket->close(ignored);
    });
    auto [code] = co_await socket->async_connect(endpoint, as_result);
    if (!code && socket->is_open()) {
        tune_socket(*socket);
        co_return result<void>{};
    }
    co_return repld::error{.code = errc::unreachable,
                           .message = "could not connect to " + to_string(endpoint),
                           .detail = guard.fired() ? "No answer in time." : code.message()};
}

}  // namespace repld::net
