#include "net/call_peer.hpp"

#include <algorithm>
#include <memory>

#include "net/at_exit.hpp"
#include "net/client_call.hpp"
#include "net/deadline.hpp"
#include "net/handshake.hpp"
#include "net/name_resolver.hpp"
#include "net/tcp_connect.hpp"

namespace repld::net {
namespace {

using clock = std::chrono::steady_clock;

constexpr duration step_limit = std::chrono::seconds(1);
constexpr duration setup_limit = std::chrono::seconds(2);
constexpr duration idle_limit = std::chrono::seconds(10);

duration left(clock::time_point end, duration most) {
    const duration remaining = end - clock::now();
    return std::clamp(remaining, duration::zero(), most);
}

task<result<tcp_socket_ptr>> connect_any(asio::any_io_executor executor, std::string host,
                                         std::uint16_t port, clock::time_point end) {
    auto resolver = std::make_shared<name_resolver>(executor);
    auto addresses =
        co_await name_resolver::resolve(resolver, std::move(host), port, left(end, 2 * step_limit));
    if (!addresses) co_return addresses.error();
    repld::error last{.code = errc::unreachable, .message = "no address"};
    for (const auto& address : *addresses) {
        auto socket = std::make_shared<asio::ip::tcp::socket>(executor);
        auto connected = co_await connect_tcp(socket, address, left(end, step_limit));
        if (connected) co_return socket;
        last = connected.error();
    }
    co_return last;
}

// The connection after TLS and hello.
task<result<std::shared_ptr<connection>>> open(asio::any_io_executor executor,
                                               tcp_socket_ptr socket, psk key, hello own,
                                               clock::time_point end) {
    auto made = connect_tls(std::move(*socket), std::move(key));
    if (!made) co_return made.error();
    const auto tls = *made;
    deadline guard(executor, left(end, setup_limit), [tls] { tls->close(); });
    const repld::error late{.code = errc::timed_out,
                            .message = tls->address() + " did not complete the handshake in time"};
    auto secured = co_await tls->handshake();
    if (!secured) {
        if (guard.fired()) co_return late;
        co_return secured.error();
    }
    const connection_limits limits{.receive_bytes_max = frame_bytes_max_hello,
                                   .idle_limit = idle_limit};
    auto stream = std::make_shared<connection>(executor, tls, limits);
    stream->start();
    hello_check anybody{};
    auto outcome = co_await exchange_hello(stream, std::move(own), std::move(anybody));
    if (!outcome) {
        if (guard.fired()) co_return late;
        co_return outcome.refused().why;
    }
    co_return stream;
}

}  // namespace

task<result<json>> call_peer(asio::any_io_executor executor, std::string host, std::uint16_t port,
                             psk key, hello own, json request, duration limit,
                             progress_sink on_progress) {
    const auto end = clock::now() + limit;
    own.client = true;
    own.node = 0;
    auto socket = co_await connect_any(executor, std::move(host), port, end);
    if (!socket) co_return socket.error();
    auto stream = co_await open(executor, std::move(*socket), std::move(key), std::move(own), end);
    if (!stream) co_return stream.error();
    co_return co_await call_once(executor, std::move(*stream), std::move(request), left(end, limit),
                                 std::move(on_progress));
}

}  // namespace repld::net
