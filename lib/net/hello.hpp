// Who is at the other end of a connection: the first thing each side says after TLS.
#pragma once

#include <string>

#include "core/result.hpp"
#include "core/types.hpp"
#include "net/envelope.hpp"

namespace repld::net {

// The version of everything above the envelope. Peers with another one are refused.
inline constexpr int peer_protocol_version = 1;

struct hello {
    std::string cluster{};            // empty: not in a cluster yet
    std::string system_identifier{};  // decimal; empty on a witness
    node_id node = 0;                 // 0: a client, or a daemon that has no id yet
    std::string node_name{};
    nonce identity = 0;  // of the installation
    nonce boot = 0;      // of this daemon's process; never 0 for a daemon
    std::string machine_id{};
    std::string advertise{};  // host:port where others reach this daemon
    std::string program_version{};
    int protocol = peer_protocol_version;
    // Comes for requests only (a joining host, replctl) and is never registered as a peer.
    bool client = false;
};

// What the transport knows about a connection, beside the hello that came through it.
struct link_origin {
    enum class direction { inbound, outbound };
    direction way = direction::inbound;
    std::string address{};       // numeric "host:port" of the other end
    std::string psk_identity{};  // the key that TLS was made with: a key file's, or "join:<id>"
};

// The 64 bit nonces travel as decimal strings: many JSON readers keep only 53 bits of a number.
[[nodiscard]] json encode_hello(const hello& h);
// errc::protocol when a field is missing or of the wrong kind, or a client has a node id.
[[nodiscard]] result<hello> decode_hello(const json& body);

}  // namespace repld::net
