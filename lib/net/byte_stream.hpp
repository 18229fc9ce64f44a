// Bytes in order over TLS or a Unix socket: all that a connection needs to know about its socket.
// At most one read and one write at a time, which may overlap. Whoever awaits an operation holds a
// shared_ptr to the stream until it has returned; close() makes both return soon.
#pragma once

#include <cstddef>
#include <string>

#include "core/result.hpp"
#include "net/asio.hpp"

namespace repld::net {

class byte_stream {
public:
    byte_stream() = default;
    byte_stream(const byte_stream&) = delete;
    byte_stream& operator=(const byte_stream&) = delete;
    virtual ~byte_stream() = default;

    // At least one byte, or an error; the end of the stream is errc::unreachable.
    virtual task<result<std::size_t>> read_some(char* data, std::size_t size) = 0;
    // Takes part of the data; the caller comes again with the rest.
    virtual task<result<std::size_t>> write_some(const char* data, std::size_t size) = 0;
    // At once and without farewell. Allowed at any time and any number of times.
    virtual void close() noexcept = 0;
    // Of the other end, for people: "10.0.0.12:7432".
    [[nodiscard]] virtual const std::string& address() const noexcept = 0;
};

// What a failed socket operation means for the layers above.
[[nodiscard]] repld::error stream_error(const boost::system::error_code& code,
                                        const std::string& address);

[[nodiscard]] std::string to_string(const asio::ip::tcp::endpoint& endpoint);
// "" when the socket is not connected any more.
[[nodiscard]] std::string remote_address(const asio::ip::tcp::socket& socket);

}  // namespace repld::net
