// The links between this daemon and its peers: listens, dials, keeps one live link per peer,
// carries messages and requests. One per cluster; event loop only; nothing here blocks.
//
// Lifetime: the mesh may be stopped and destroyed at any time, also from its own callbacks. After
// stop() no callback is called any more (a request handler that runs already runs on), and all
// coroutines end within the next turns of the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/types.hpp"
#include "net/asio.hpp"
#include "net/hello.hpp"
#include "net/log.hpp"
#include "net/rpc.hpp"
#include "net/tls.hpp"

namespace repld::net {

struct peer_endpoint {
    node_id node = 0;
    std::string host{};  // name or numeric address
    std::uint16_t port = 0;
    bool operator==(const peer_endpoint&) const = default;
};

struct mesh_settings {
    // Silence after which a link is dead. The same on all nodes, or the shorter one closes links
    // that the longer one does not yet keep busy. At least 100 ms.
    duration idle_limit = std::chrono::seconds(3);
    duration resolve_limit = std::chrono::seconds(1);
    duration connect_limit = std::chrono::seconds(1);  // per address
    duration setup_limit = std::chrono::seconds(2);    // TLS and hello together
    // The higher node id lets the lower one dial first.
    duration first_dial_delay = std::chrono::milliseconds(200);
    duration redial_min = std::chrono::milliseconds(50);
    duration redial_max = std::chrono::seconds(1);
    duration redial_refused = std::chrono::seconds(5);
};

inline constexpr std::size_t inbound_connections_max = 256;
inline constexpr std::size_t inbound_unauthenticated_max = 32;
inline constexpr std::size_t links_per_peer_max = 4;

// All are called on the event loop and must not block. Required: own_hello, own_key, keys, admit.
// They may call the mesh back.
struct mesh_callbacks {
    // Asked for each new connection, so it may change (a node that joins gets its id).
    std::function<hello()> own_hello{};
    // The key to dial with; nothing: do not dial (yet).
    std::function<std::optional<psk>()> own_key{};
    // The keys that inbound connections may use: the cluster key, join tokens ("join:<id>").
    find_key keys{};
    // Judges cluster, system identifier, identity, and what a token's bearer may do. The mesh has
    // checked before: protocol version, not this very daemon, not this node's id, the id dialed
    // for. The error goes to the other side word for word; its message names the reason in stable
    // words (the log is limited to one line a minute per reason).
    std::function<result<void>(const hello&, const link_origin&)> admit{};
    std::function<void(node_id, json)> on_message{};
    // The first live link to a peer process came up, or the last one went down. A peer that was
    // restarted goes down before it comes up again.
    std::function<void(node_id, bool up, const hello&)> on_link{};
    request_handler on_request{};
    log_sink log{};
};

struct link_status {
    node_id peer = 0;
    bool up = false;
    std::string address{};       // of the live link, else as configured
    duration received_age{};     // since anything was received; 0 when down
    hello who{};                 // of the live link
    std::string last_failure{};  // of the last dial, "" after a success
};

class mesh_core;

class peer_mesh {
public:
    peer_mesh(const asio::any_io_executor& executor, mesh_settings settings,
              mesh_callbacks callbacks);
    peer_mesh(const peer_mesh&) = delete;
    peer_mesh& operator=(const peer_mesh&) = delete;
    ~peer_mesh();

    // `host` is a numeric address, "localhost" or "*"; port 0 takes a free one. errc::configuration
    // when it is not such an address, errc::io when it cannot be bound. At most once.
    result<void> listen(const std::string& host, std::uint16_t port);
    // The port that is listened on; 0 when none is.
    [[nodiscard]] std::uint16_t port() const;

    // The peers to dial, all of them, without this node. Links to peers that are no longer named
    // are closed; unchanged ones are left alone; a changed address is dialed when there is no live
    // link.
    void set_peers(const std::vector<peer_endpoint>& peers);
    void set_idle_limit(duration limit);

    // False when there is no link or the message cannot be sent; nothing is kept for later. True
    // means queued: it may still be lost with the link, or be pushed out by 256 newer ones.
    bool send(node_id peer, const json& message);

    // As rpc_endpoint::call, over the newest link; errc::unreachable at once when there is none.
    task<result<json>> call(node_id peer, json request, duration limit, progress_sink on_progress);

    // Every configured or linked peer, by id.
    [[nodiscard]] std::vector<link_status> links() const;

    void stop();

private:
    std::shared_ptr<mesh_core> core_;
};

}  // namespace repld::net
