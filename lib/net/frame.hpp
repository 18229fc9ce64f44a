// Frames: a length (four bytes, big-endian) and that many bytes of payload. No socket, no clock:
// bytes go in as they arrive, whole payloads come out. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::net {

// Before the other side's hello is accepted, between peers after it, and for requests of a local
// control client.
inline constexpr std::size_t frame_bytes_max_hello = 64 * 1024;
inline constexpr std::size_t frame_bytes_max_peer = 16 * 1024 * 1024;
inline constexpr std::size_t frame_bytes_max_control = 1024 * 1024;

inline constexpr std::size_t frame_header_bytes = 4;

// Precondition: 0 < payload.size() <= frame_bytes_max_peer.
[[nodiscard]] std::string encode_frame(std::string_view payload);

class frame_decoder {
public:
    explicit frame_decoder(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

    // Holds for frames whose length has not been looked at yet.
    void set_limit(std::size_t payload_bytes_max) { payload_bytes_max_ = payload_bytes_max; }

    // Memory follows what has really arrived, never what a length prefix announces.
    void feed(std::string_view bytes);

    // The next whole payload; nothing when more bytes are needed; errc::protocol for an empty or
    // too long frame. After an error the stream cannot be understood any more: the error stays.
    [[nodiscard]] result<std::optional<std::string>> next();

    // Bytes fed and not yet returned.
    [[nodiscard]] std::size_t buffered() const noexcept { return buffer_.size() - consumed_; }

private:
    std::size_t payload_bytes_max_;
    std::string buffer_;
    std::size_t consumed_ = 0;
    std::optional<error> broken_;
};

}  // namespace repld::net
