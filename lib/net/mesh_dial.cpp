// Outgoing connections of the mesh: one coroutine per configured peer, which dials whenever there
// is no live link, and otherwise waits.
#include <algorithm>

#include "net/deadline.hpp"
#include "net/mesh_core.hpp"
#include "net/spawn.hpp"

namespace repld::net {

void mesh_core::start_dialer(const peer_ptr& peer) {
    spawn(executor_, dial_loop(shared_from_this(), peer));
}

task<void> mesh_core::wait(peer_ptr peer, std::optional<duration> limit) {
    if (limit) {
        peer->wake.expires_after(*limit);
    } else {
        peer->wake.expires_at(asio::steady_timer::time_point::max());
    }
    co_await peer->wake.async_wait(as_result);
}

task<void> mesh_core::dial_loop(self_ptr self, peer_ptr peer) {
    bool first = true;
    while (!self->stopped_ && !peer->removed) {
        if (peer->live()) {
            first = true;
            co_await wait(peer, std::nullopt);
            continue;
        }
        const bool hold_back = first && self->callbacks_.own_hello().node > peer->id;
        first = false;
        if (hold_back) {
            co_await wait(peer, self->settings_.first_dial_delay);
            continue;
        }
        auto dialed = co_await dial(self, peer);
        if (self->stopped_ || peer->removed) break;
        // Somebody else's link may have come up meanwhile, and a fresh one may be gone already.
        if (peer->live()) continue;
        auto pause = self->settings_.redial_min;
        if (!dialed) {
            self->note_dial_failure(*peer, dialed.error());
            pause = self->next_redial(*peer, dialed.error());
        }
        co_await wait(peer, pause);
    }
}

duration mesh_core::next_redial(peer_state& peer, const repld::error& why) {
    auto pause = peer.redial;
    if (why.code == errc::refused || why.code == errc::protocol) {
        // The other side answers and will not change its mind within milliseconds.
        pause = settings_.redial_refused;
    } else {
        peer.redial = std::min(peer.redial * 2, settings_.redial_max);
    }
    // Between three and five quarters, so that the daemons of a cluster do not knock in step.
    std::uniform_int_distribution<std::int64_t> part(750, 1250);
    return pause / 1000 * part(jitter_);
}

void mesh_core::note_dial_failure(peer_state& peer, const repld::error& why) {
    peer.last_failure = one_line(why);
    log_limited("dial " + std::to_string(peer.id) + why.message, log_level::info,
                "could not reach node " + std::to_string(peer.id) + ": " + peer.last_failure);
}

task<result<void>> mesh_core::dial(self_ptr self, peer_ptr peer) {
    const auto target = *peer->endpoint;
    auto addresses = co_await name_resolver::resolve(self->resolver_, target.host, target.port,
                                                     self->settings_.resolve_limit);
    if (!addresses) co_return addresses.error();
    repld::error last{.code = errc::unreachable, .message = "no address for " + target.host};
    for (const auto& address : *addresses) {
        if (self->stopped_ || peer->removed || peer->live()) co_return result<void>{};
        auto socket = std::make_shared<asio::ip::tcp::socket>(self->executor_);
        peer->connecting = socket;
        auto connected = co_await connect_tcp(socket, address, self->settings_.connect_limit);
        peer->connecting.reset();
        if (!connected) {
            last = connected.error();
            continue;
        }
        co_return co_await open_link(self, peer, socket);
    }
    co_return last;
}

task<result<void>> mesh_core::open_link(self_ptr self, peer_ptr peer, tcp_socket_ptr socket) {
    if (self->stopped_ || peer->removed || peer->live()) co_return result<void>{};
    auto key = self->callbacks_.own_key();
    if (!key) {
        co_return repld::error{.code = errc::configuration,
                               .message = "there is no cluster key yet"};
    }
    auto made = connect_tls(std::move(*socket), std::move(*key));
    if (!made) co_return made.error();
    const auto tls = *made;
    peer->opening = tls;
    self->track(tls);
    deadline guard(self->executor_, self->settings_.setup_limit, [tls] { tls->close(); });
    const repld::error late{.code = errc::timed_out,
                            .message = tls->address() + " did not complete the handshake in time"};

    auto secured = co_await tls->handshake();
    if (!secured) {
        if (guard.fired()) co_return late;
        const refusal failed{refusal::side::nobody, secured.error(), peer->id};
        self->log_refusal(failed, tls->address(), peer->id);
        co_return secured.error();
    }
    if (self->stopped_ || peer->removed || peer->live()) {
        tls->close();
        co_return result<void>{};
    }
    auto stream = std::make_shared<connection>(self->executor_, tls, self->limits());
    stream->start();
    link_origin origin{.way = link_origin::direction::outbound,
                       .address = tls->address(),
                       .psk_identity = tls->psk_identity()};
    hello_check check = [self, origin, peer](const hello& other) {
        return self->check_hello(other, origin, peer->id);
    };
    auto outcome = co_await exchange_hello(stream, self->callbacks_.own_hello(), std::move(check));
    guard.cancel();
    if (!outcome) {
        if (guard.fired()) co_return late;
        auto why = outcome.refused().why;
        self->log_refusal(outcome.refused(), origin.address, peer->id);
        if (outcome.refused().by != refusal::side::nobody) why.code = errc::refused;
        co_return why;
    }
    if (self->stopped_ || peer->removed) {
        stream->close(repld::error{.code = errc::unreachable, .message = "not a peer any more"});
        co_return result<void>{};
    }
    auto link = self->add_link(std::move(stream), outcome.accepted(), std::move(origin));
    spawn(self->executor_, run_link(self, std::move(link)));
    co_return result<void>{};
}

}  // namespace repld::net
