// Incoming connections of the mesh. Whoever has not proved to hold a key costs little: at most
// inbound_unauthenticated_max such connections exist, each for at most the setup limit, and a
// newcomer pushes the oldest of them out, so that strangers who connect and say nothing keep nobody
// out.
#include <algorithm>

#include "net/at_exit.hpp"
#include "net/deadline.hpp"
#include "net/mesh_core.hpp"
#include "net/spawn.hpp"

namespace repld::net {
namespace {

constexpr duration accept_retry = std::chrono::milliseconds(100);

result<asio::ip::address> listen_address(const std::string& host) {
    if (host == "*") return asio::ip::address(asio::ip::address_v6::any());
    if (host == "localhost") return asio::ip::address(asio::ip::address_v4::loopback());
    boost::system::error_code code;
    auto address = asio::ip::make_address(host, code);
    if (!code) return address;
    return repld::error{
        .code = errc::configuration,
        .message = "invalid listen address \"" + host + "\"",
        .detail = {},
        .hint = "Give a numeric address, \"localhost\", or \"*\" for all addresses."};
}

boost::system::error_code open_acceptor(asio::ip::tcp::acceptor& acceptor,
                                        const asio::ip::tcp::endpoint& endpoint) {
    boost::system::error_code code;
    acceptor.open(endpoint.protocol(), code);
    if (!code) acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true), code);
    if (!code && endpoint.address().is_v6()) {
        acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), code);
    }
    if (!code) acceptor.bind(endpoint, code);
    if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
    if (code) {
        boost::system::error_code ignored;
        acceptor.close(ignored);
    }
    return code;
}

std::string without_port(const std::string& address) {
    return address.substr(0, address.rfind(':'));
}

}  // namespace

result<void> mesh_core::listen(const std::string& host, std::uint16_t port) {
    if (acceptor_.is_open() || stopped_) {
        return repld::error{.code = errc::internal, .message = "the mesh cannot listen (again)"};
    }
    auto address = listen_address(host);
    if (!address) return address.error();
    find_key keys =
        [weak = weak_from_this()](std::string_view identity) -> std::optional<secret_bytes> {
        const auto self = weak.lock();
        if (!self || self->stopped_ || !self->callbacks_.keys) return std::nullopt;
        return self->callbacks_.keys(identity);
    };
    auto tls = make_tls_acceptor(std::move(keys));
    if (!tls) return tls.error();
    auto code = open_acceptor(acceptor_, {*address, port});
    if (code == asio::error::address_family_not_supported && host == "*") {
        code = open_acceptor(acceptor_, {asio::ip::address_v4::any(), port});
    }
    if (code) {
        return repld::error{
            .code = errc::io,
            .message = "could not listen on \"" + host + ":" + std::to_string(port) + "\"",
            .detail = code.message(),
            .hint = code == asio::error::address_in_use
                        ? "Another repld or another program uses this port."
                        : ""};
    }
    tls_ = std::move(*tls);
    spawn(executor_, accept_loop(shared_from_this()));
    return {};
}

std::uint16_t mesh_core::port() const {
    boost::system::error_code code;
    const auto endpoint = acceptor_.local_endpoint(code);
    return code ? std::uint16_t{0} : endpoint.port();
}

task<void> mesh_core::accept_loop(self_ptr self) {
    while (!self->stopped_) {
        auto [code, socket] = co_await self->acceptor_.async_accept(as_result);
        if (self->stopped_) break;
        if (code) {
            // Out of descriptors or memory, or a client that went away; neither is a reason to end.
            self->log_limited("accept " + code.message(), log_level::warning,
                              "could not accept a connection: " + code.message());
            self->accept_pause_.expires_after(accept_retry);
            co_await self->accept_pause_.async_wait(as_result);
            continue;
        }
        if (self->inbound_ >= inbound_connections_max) {
            self->log_limited("too many", log_level::warning,
                              "refused a connection: " + std::to_string(inbound_connections_max) +
                                  " are open already");
            continue;
        }
        ++self->inbound_;
        spawn(self->executor_, serve_inbound(self, std::move(socket)));
    }
}

void mesh_core::add_unauthenticated(const std::shared_ptr<tls_stream>& stream) {
    unauthenticated_.push_back(stream);
    if (unauthenticated_.size() <= inbound_unauthenticated_max) return;
    log_limited("unauthenticated", log_level::warning,
                "too many connections wait for their handshake; the oldest is closed");
    unauthenticated_.front()->close();
    unauthenticated_.pop_front();
}

void mesh_core::remove_unauthenticated(const std::shared_ptr<tls_stream>& stream) {
    unauthenticated_.remove(stream);
}

task<void> mesh_core::serve_inbound(self_ptr self, asio::ip::tcp::socket socket) {
    const at_exit leave([&] { --self->inbound_; });
    tune_socket(socket);
    auto made = accept_tls(std::move(socket), self->tls_);
    if (!made || self->stopped_) co_return;
    const auto tls = *made;
    self->track(tls);
    self->add_unauthenticated(tls);
    const at_exit forget([&] { self->remove_unauthenticated(tls); });
    deadline guard(self->executor_, self->settings_.setup_limit, [tls] { tls->close(); });

    auto secured = co_await tls->handshake();
    link_origin origin{.way = link_origin::direction::inbound,
                       .address = tls->address(),
                       .psk_identity = tls->psk_identity()};
    if (!secured) {
        const auto& why = secured.error();
        self->log_limited("tls " + without_port(origin.address) + why.detail,
                          why.code == errc::refused ? log_level::warning : log_level::debug,
                          one_line(why));
        co_return;
    }
    if (self->stopped_) co_return;
    auto stream = std::make_shared<connection>(self->executor_, tls, self->limits());
    stream->start();
    hello_check check = [self, origin](const hello& other) {
        return self->check_hello(other, origin, 0);
    };
    auto outcome = co_await exchange_hello(stream, self->callbacks_.own_hello(), std::move(check));
    guard.cancel();
    self->remove_unauthenticated(tls);
    if (!outcome) {
        self->log_refusal(outcome.refused(), origin.address, 0);
        co_return;
    }
    if (self->stopped_) {
        stream->close(repld::error{.code = errc::unreachable, .message = "stopped"});
    } else if (outcome.accepted().client) {
        co_await serve_client(self, std::move(stream), std::move(origin));
    } else {
        auto link = self->add_link(std::move(stream), outcome.accepted(), std::move(origin));
        co_await run_link(self, std::move(link));
    }
}

task<void> mesh_core::serve_client(self_ptr self, std::shared_ptr<connection> stream,
                                   link_origin origin) {
    request_origin asker{.from = request_origin::channel::client,
                         .node = 0,
                         .address = std::move(origin.address),
                         .psk_identity = std::move(origin.psk_identity)};
    const auto rpc =
        std::make_shared<rpc_endpoint>(self->executor_, stream, self->requests_, std::move(asker));
    for (;;) {
        auto received = co_await stream->receive();
        if (!received) break;
        if (self->stopped_) continue;  // the stream is closed and says so next
        if (received->type != envelope_type::request) {
            stream->close(repld::error{
                .code = errc::protocol,
                .message = std::string("unexpected message of type ") + to_string(received->type)});
            continue;
        }
        rpc->handle(std::move(*received));
    }
    rpc->fail_all(repld::error{.code = errc::unreachable, .message = "connection was closed"});
}

}  // namespace repld::net
