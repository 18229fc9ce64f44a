// Insides of peer_mesh. The coroutines hold this object, so that the mesh itself may go at any
// time. mesh_core.cpp keeps the table of peers and links, mesh_dial.cpp makes outgoing connections,
// mesh_accept.cpp incoming ones.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "net/handshake.hpp"
#include "net/log_limiter.hpp"
#include "net/name_resolver.hpp"
#include "net/peer_mesh.hpp"
#include "net/tcp_connect.hpp"

namespace repld::net {

// One accepted connection to a peer.
struct peer_link {
    std::shared_ptr<connection> stream;
    std::shared_ptr<rpc_endpoint> rpc;
    hello who;
    // Carries on with what is under way but takes nothing new: a newer link does.
    bool draining = false;
    // The other side has said that nothing new will come.
    bool farewell_received = false;
};

struct peer_state {
    peer_state(node_id node, const asio::any_io_executor& executor) : id(node), wake(executor) {}

    node_id id;
    std::optional<peer_endpoint> endpoint{};          // nothing: known by its incoming link only
    std::vector<std::shared_ptr<peer_link>> links{};  // oldest first
    bool up = false;                                  // as told to on_link
    hello last_hello{};                               // of the link that made it up
    bool removed = false;                             // its dialer ends when it sees this
    asio::steady_timer wake;                          // what the dialer waits on
    duration redial{};
    std::string last_failure{};
    tcp_socket_ptr connecting{};  // of the dial under way
    std::weak_ptr<byte_stream> opening{};

    [[nodiscard]] std::shared_ptr<peer_link> live() const;
};

class mesh_core : public std::enable_shared_from_this<mesh_core> {
public:
    mesh_core(const asio::any_io_executor& executor, mesh_settings settings,
              mesh_callbacks callbacks);

    result<void> listen(const std::string& host, std::uint16_t port);
    [[nodiscard]] std::uint16_t port() const;
    void set_peers(const std::vector<peer_endpoint>& peers);
    void set_idle_limit(duration limit);
    bool send(node_id peer, const json& message);
    [[nodiscard]] std::shared_ptr<peer_link> live_link(node_id peer) const;
    [[nodiscard]] std::vector<link_status> links() const;
    void stop();

private:
    using self_ptr = std::shared_ptr<mesh_core>;
    using peer_ptr = std::shared_ptr<peer_state>;
    using link_ptr = std::shared_ptr<peer_link>;

    // mesh_core.cpp
    peer_ptr peer_of(node_id id);
    void drop_peer(const peer_ptr& peer);
    link_ptr add_link(std::shared_ptr<connection> stream, hello who, link_origin origin);
    void remove_link(const link_ptr& link, const repld::error& why);
    void replace_older(const peer_ptr& peer, const link_ptr& newest);
    void start_drain(const link_ptr& link);
    void set_up(const peer_ptr& peer, const hello& who);
    void check_down(const peer_ptr& peer);
    static task<void> run_link(self_ptr self, link_ptr link);
    static task<void> drain(self_ptr self, link_ptr link);
    result<void> deliver(const link_ptr& link, envelope e);
    result<void> check_hello(const hello& other, const link_origin& origin, node_id expected) const;
    void log_refusal(const refusal& refused, const std::string& address, node_id expected);
    void log(log_level level, std::string text) const;
    void log_limited(const std::string& key, log_level level, std::string text);
    void track(const std::shared_ptr<byte_stream>& stream);
    [[nodiscard]] connection_limits limits() const;

    // mesh_dial.cpp
    void start_dialer(const peer_ptr& peer);
    static task<void> dial_loop(self_ptr self, peer_ptr peer);
    static task<result<void>> dial(self_ptr self, peer_ptr peer);
    static task<result<void>> open_link(self_ptr self, peer_ptr peer, tcp_socket_ptr socket);
    static task<void> wait(peer_ptr peer, std::optional<duration> limit);
    duration next_redial(peer_state& peer, const repld::error& why);
    void note_dial_failure(peer_state& peer, const repld::error& why);

    // mesh_accept.cpp
    static task<void> accept_loop(self_ptr self);
    static task<void> serve_inbound(self_ptr self, asio::ip::tcp::socket socket);
    static task<void> serve_client(self_ptr self, std::shared_ptr<connection> stream,
                                   link_origin origin);
    void add_unauthenticated(const std::shared_ptr<tls_stream>& stream);
    void remove_unauthenticated(const std::shared_ptr<tls_stream>& stream);

    asio::any_io_executor executor_;
    mesh_settings settings_;
    mesh_callbacks callbacks_;
    std::shared_ptr<request_service> requests_;
    std::shared_ptr<name_resolver> resolver_;
    std::map<node_id, peer_ptr> peers_;
    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer accept_pause_;
    std::shared_ptr<tls_acceptor_context> tls_;
    std::size_t inbound_ = 0;
    std::list<std::shared_ptr<tls_stream>> unauthenticated_;  // oldest first
    std::vector<std::weak_ptr<byte_stream>> streams_;         // all that stop() must close
    log_limiter refusals_;
    std::minstd_rand jitter_;
    bool stopped_ = false;
};

}  // namespace repld::net
