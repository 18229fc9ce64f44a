#include "net/mesh_core.hpp"

#include <algorithm>
#include <set>

#include "net/spawn.hpp"

namespace repld::net {
namespace {

constexpr duration drain_limit = std::chrono::seconds(60);
constexpr duration drain_poll = std::chrono::milliseconds(50);
constexpr duration idle_limit_min = std::chrono::milliseconds(100);

std::string host_of(const std::string& address) {
    return address.substr(0, address.rfind(':'));
}

repld::error closed(std::string message) {
    return repld::error{.code = errc::unreachable, .message = std::move(message)};
}

repld::error refuse(std::string message, std::string hint) {
    return repld::error{.code = errc::refused,
                        .message = std::move(message),
                        .detail = {},
                        .hint = std::move(hint)};
}

}  // namespace

std::shared_ptr<peer_link> peer_state::live() const {
    for (auto link = links.rbegin(); link != links.rend(); ++link) {
        if (!(*link)->draining && (*link)->stream->open()) return *link;
    }
    return nullptr;
}

mesh_core::mesh_core(const asio::any_io_executor& executor, mesh_settings settings,
                     mesh_callbacks callbacks)
    : executor_(executor),
      settings_(settings),
      callbacks_(std::move(callbacks)),
      resolver_(std::make_shared<name_resolver>(executor)),
      acceptor_(executor),
      accept_pause_(executor),
      jitter_(std::random_device{}()) {
    settings_.idle_limit = std::max(settings_.idle_limit, idle_limit_min);
    if (callbacks_.on_request) {
        requests_ =
            std::make_shared<request_service>(executor, callbacks_.on_request, callbacks_.log);
    }
}

void mesh_core::set_peers(const std::vector<peer_endpoint>& peers) {
    if (stopped_) return;
    std::set<node_id> named;
    for (const auto& endpoint : peers) named.insert(endpoint.node);
    const auto before = peers_;
    for (const auto& [id, peer] : before) {
        if (peer->endpoint && !named.contains(id)) drop_peer(peer);
    }
    for (const auto& endpoint : peers) {
        if (stopped_) return;  // by a callback of drop_peer
        const auto peer = peer_of(endpoint.node);
        if (peer->endpoint == endpoint) continue;
        const bool dialed_already = peer->endpoint.has_value();
        peer->endpoint = endpoint;
        peer->redial = settings_.redial_min;
        if (dialed_already) {
            peer->wake.cancel();
        } else {
            start_dialer(peer);
        }
    }
}

void mesh_core::set_idle_limit(duration limit) {
    settings_.idle_limit = std::max(limit, idle_limit_min);
    for (const auto& [id, peer] : peers_) {
        for (const auto& link : peer->links) link->stream->set_idle_limit(settings_.idle_limit);
    }
}

bool mesh_core::send(node_id peer, const json& message) {
    const auto link = live_link(peer);
    if (!link) return false;
    const envelope e{.type = envelope_type::message, .id = 0, .body = message};
    auto posted = link->stream->post(e);
    if (!posted && posted.error().code == errc::refused) {
        log(log_level::error,
            "could not send to node " + std::to_string(peer) + ": " + one_line(posted.error()));
    }
    return posted.has_value();
}

std::shared_ptr<peer_link> mesh_core::live_link(node_id peer) const {
    const auto found = peers_.find(peer);
    return found == peers_.end() ? nullptr : found->second->live();
}

std::vector<link_status> mesh_core::links() const {
    std::vector<link_status> all;
    for (const auto& [id, peer] : peers_) {
        link_status status;
        status.peer = id;
        status.last_failure = peer->last_failure;
        if (const auto link = peer->live()) {
            status.up = true;
            status.address = link->stream->address();
            status.received_age = link->stream->received_age();
            status.who = link->who;
        } else if (peer->endpoint) {
            status.address = peer->endpoint->host + ":" + std::to_string(peer->endpoint->port);
        }
        all.push_back(std::move(status));
    }
    return all;
}

void mesh_core::stop() {
    if (stopped_) return;
    stopped_ = true;
    if (requests_) requests_->silence();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    resolver_->stop();
    for (const auto& [id, peer] : std::exchange(peers_, {})) drop_peer(peer);
    for (const auto& one : std::exchange(streams_, {})) {
        if (const auto stream = one.lock()) stream->close();
    }
}

mesh_core::peer_ptr mesh_core::peer_of(node_id id) {
    auto& peer = peers_[id];
    if (!peer) {
        peer = std::make_shared<peer_state>(id, executor_);
        peer->redial = settings_.redial_min;
    }
    return peer;
}

void mesh_core::drop_peer(const peer_ptr& peer) {
    peer->removed = true;
    peers_.erase(peer->id);
    peer->wake.cancel();
    if (peer->connecting) {
        boost::system::error_code ignored;
        peer->connecting->close(ignored);
    }
    if (const auto stream = peer->opening.lock()) stream->close();
    for (const auto& link : std::exchange(peer->links, {})) {
        link->stream->close(closed("node " + std::to_string(peer->id) + " is not a peer any more"));
    }
    check_down(peer);
}

mesh_core::link_ptr mesh_core::add_link(std::shared_ptr<connection> stream, hello who,
                                        link_origin origin) {
    const auto peer = peer_of(who.node);
    stream->set_idle_limit(settings_.idle_limit);
    request_origin asker{.from = request_origin::channel::peer,
                         .node = who.node,
                         .address = origin.address,
                         .psk_identity = origin.psk_identity};
    auto rpc = std::make_shared<rpc_endpoint>(executor_, stream, requests_, std::move(asker));
    auto link = std::make_shared<peer_link>(
        peer_link{.stream = std::move(stream), .rpc = std::move(rpc), .who = std::move(who)});
    log(log_level::info, "link to node " + std::to_string(peer->id) + " is up (" +
                             (origin.way == link_origin::direction::inbound ? "from " : "to ") +
                             origin.address + ")");
    peer->redial = settings_.redial_min;
    peer->last_failure.clear();
    replace_older(peer, link);
    if (peer->removed) {  // by a callback of replace_older
        link->stream->close(closed("node " + std::to_string(peer->id) + " is not a peer any more"));
        return link;
    }
    peer->links.push_back(link);
    peer->wake.cancel();
    set_up(peer, link->who);
    return link;
}

// Links of an earlier process of the peer are dead, whatever TCP still believes. Of several links
// to the same process one side only, the lower node id, ends the older ones: if both chose, each
// might end the one that the other keeps.
void mesh_core::replace_older(const peer_ptr& peer, const link_ptr& newest) {
    for (const auto& link : std::vector<link_ptr>(peer->links)) {
        if (link->who.boot != newest->who.boot) {
            std::erase(peer->links, link);
            link->stream->close(closed("node " + std::to_string(peer->id) + " was restarted"));
        } else if (callbacks_.own_hello().node < peer->id) {
            start_drain(link);
        }
    }
    if (peer->up && peer->last_hello.boot != newest->who.boot) check_down(peer);
    while (peer->links.size() >= links_per_peer_max) {
        const auto oldest = peer->links.front();
        peer->links.erase(peer->links.begin());
        oldest->stream->close(closed("too many links to node " + std::to_string(peer->id)));
    }
}

void mesh_core::set_up(const peer_ptr& peer, const hello& who) {
    if (peer->up || stopped_) return;
    peer->up = true;
    peer->last_hello = who;
    if (callbacks_.on_link) callbacks_.on_link(peer->id, true, peer->last_hello);
}

void mesh_core::check_down(const peer_ptr& peer) {
    if (!peer->up || peer->live()) return;
    peer->up = false;
    peer->wake.cancel();
    if (stopped_) return;
    log(log_level::info, "link to node " + std::to_string(peer->id) + " is down");
    if (callbacks_.on_link) callbacks_.on_link(peer->id, false, peer->last_hello);
}

void mesh_core::start_drain(const link_ptr& link) {
    if (link->draining) return;
    link->draining = true;
    const envelope goodbye{.type = envelope_type::goodbye};
    static_cast<void>(link->stream->post(goodbye));
    spawn(executor_, drain(shared_from_this(), link));
}

task<void> mesh_core::drain(self_ptr self, link_ptr link) {
    asio::steady_timer timer(self->executor_);
    const auto end = std::chrono::steady_clock::now() + drain_limit;
    while (!self->stopped_ && link->stream->open() && std::chrono::steady_clock::now() < end) {
        if (link->farewell_received && link->rpc->active() == 0) break;
        timer.expires_after(drain_poll);
        co_await timer.async_wait(as_result);
    }
    link->stream->finish();
}

task<void> mesh_core::run_link(self_ptr self, link_ptr link) {
    for (;;) {
        auto received = co_await link->stream->receive();
        if (!received) {
            self->remove_link(link, received.error());
            break;
        }
        if (self->stopped_) continue;  // the stream is closed and says so next
        auto delivered = self->deliver(link, std::move(*received));
        if (!delivered) link->stream->close(delivered.error());
    }
}

result<void> mesh_core::deliver(const link_ptr& link, envelope e) {
    switch (e.type) {
        case envelope_type::message:
            if (callbacks_.on_message) callbacks_.on_message(link->who.node, std::move(e.body));
            return {};
        case envelope_type::request:
        case envelope_type::progress:
        case envelope_type::response: link->rpc->handle(std::move(e)); return {};
        case envelope_type::goodbye:
            link->farewell_received = true;
            start_drain(link);
            check_down(peer_of(link->who.node));
            return {};
        case envelope_type::ping: return {};
        case envelope_type::hello:
        case envelope_type::accept:
        case envelope_type::refuse: break;
    }
    return repld::error{.code = errc::protocol,
                        .message = std::string("unexpected message of type ") + to_string(e.type)};
}

void mesh_core::remove_link(const link_ptr& link, const repld::error& why) {
    link->rpc->fail_all(why);
    const auto id = link->who.node;
    if (why.code == errc::protocol && !stopped_) {
        log_limited("protocol " + std::to_string(id) + why.message, log_level::warning,
                    "closed link to node " + std::to_string(id) + ": " + one_line(why));
    } else {
        log(log_level::debug, "end of a link to node " + std::to_string(id) + ": " + one_line(why));
    }
    const auto found = peers_.find(id);
    if (found == peers_.end()) return;
    const auto peer = found->second;
    std::erase(peer->links, link);
    check_down(peer);
    if (!peer->endpoint && peer->links.empty()) peers_.erase(id);
}

result<void> mesh_core::check_hello(const hello& other, const link_origin& origin,
                                    node_id expected) const {
    if (stopped_) return refuse("this daemon is shutting down", {});
    const auto own = callbacks_.own_hello();
    const bool inbound = origin.way == link_origin::direction::inbound;
    if (other.boot == own.boot && !other.client) {
        return refuse("the connection leads back to the daemon that made it",
                      "Check the addresses of the peers.");
    }
    if (!other.client) {
        if (other.node == 0) return refuse("the daemon at this address has no node id yet", {});
        if (other.node == own.node) {
            return refuse("node id " + std::to_string(own.node) + " is used by two daemons",
                          "Give each node its own node.id.");
        }
    }
    if (!inbound && (other.client || other.node != expected)) {
        return refuse("node " + std::to_string(other.node) + " answers where node " +
                          std::to_string(expected) + " was expected",
                      "Check the addresses of the peers.");
    }
    return callbacks_.admit(other, origin);
}

void mesh_core::log_refusal(const refusal& refused, const std::string& address, node_id expected) {
    const auto id = refused.node != 0 ? refused.node : expected;
    const auto who = id != 0 ? "node " + std::to_string(id) + " at " + address : address;
    const auto key = id != 0 ? std::to_string(id) : host_of(address);
    switch (refused.by) {
        case refusal::side::here:
            log_limited("here " + key + refused.why.message, log_level::warning,
                        "refused " + who + ": " + one_line(refused.why));
            return;
        case refusal::side::there:
            log_limited("there " + key + refused.why.message, log_level::warning,
                        who + " refused this node: " + one_line(refused.why));
            return;
        case refusal::side::nobody: {
            const bool strange =
                refused.why.code == errc::protocol || refused.why.code == errc::refused;
            log_limited("broken " + key + refused.why.message,
                        strange ? log_level::warning : log_level::debug,
                        "no link with " + who + ": " + one_line(refused.why));
            return;
        }
    }
}

void mesh_core::log(log_level level, std::string text) const {
    if (!stopped_) log_to(callbacks_.log, level, std::move(text));
}

void mesh_core::log_limited(const std::string& key, log_level level, std::string text) {
    if (refusals_.allow(key)) log(level, std::move(text));
}

void mesh_core::track(const std::shared_ptr<byte_stream>& stream) {
    std::erase_if(streams_, [](const auto& one) { return one.expired(); });
    streams_.push_back(stream);
}

connection_limits mesh_core::limits() const {
    return connection_limits{.receive_bytes_max = frame_bytes_max_hello,
                             .idle_limit = settings_.idle_limit};
}

}  // namespace repld::net
