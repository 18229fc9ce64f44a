// TLS 1.3 between daemons, authenticated by an external pre-shared key in both directions. There
// are no certificates, no session tickets, no early data, and one cipher (TLS_AES_128_GCM_SHA256,
// with an ephemeral key exchange), so there is nothing to negotiate down to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "net/byte_stream.hpp"

namespace repld::net {

using secret_bytes = std::vector<std::uint8_t>;

// 16 to 48 bytes with the full entropy of a random source: who records one handshake can try keys
// offline. The identity travels in clear text.
struct psk {
    std::string identity{};
    secret_bytes key{};
};

inline constexpr std::size_t psk_bytes_min = 16;
inline constexpr std::size_t psk_bytes_max = 48;
inline constexpr std::size_t psk_identity_bytes_max = 128;

// The key behind an identity that a stranger names, or nothing. Called during the handshake on the
// event loop: answers from memory. The identity is whatever bytes came over the network.
using find_key = std::function<std::optional<secret_bytes>(std::string_view identity)>;

class tls_stream : public byte_stream {
public:
    // Once, before anything is read or written. errc::refused when the two ends have no key in
    // common or the other end does not speak this TLS; errc::unreachable when it went away. Has no
    // time limit of its own: the caller closes the stream when its limit passes.
    virtual task<result<void>> handshake() = 0;
    // The identity of the key in use; before the end of a handshake the one that was asked for.
    [[nodiscard]] virtual std::string psk_identity() const = 0;
};

class tls_acceptor_context;

[[nodiscard]] result<std::shared_ptr<tls_acceptor_context>> make_tls_acceptor(find_key keys);

// Both take the socket over, also when they fail.
[[nodiscard]] result<std::shared_ptr<tls_stream>> accept_tls(
    asio::ip::tcp::socket socket, const std::shared_ptr<tls_acceptor_context>& context);
[[nodiscard]] result<std::shared_ptr<tls_stream>> connect_tls(asio::ip::tcp::socket socket,
                                                              psk key);

}  // namespace repld::net
