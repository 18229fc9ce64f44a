#include "net/frame.hpp"

namespace repld::net {

std::string encode_frame(std::string_view payload) {
    const auto length = static_cast<std::uint32_t>(payload.size());
    std::string frame;
    frame.reserve(frame_header_bytes + payload.size());
    for (int shift = 24; shift >= 0; shift -= 8) {
        frame.push_back(static_cast<char>((length >> shift) & 0xffU));
    }
    frame.append(payload);
    return frame;
}

void frame_decoder::feed(std::string_view bytes) {
    if (broken_) return;
    // Moving the rest to the front only when it is the smaller half keeps the cost linear.
    if (consumed_ > 0 && consumed_ >= buffer_.size() - consumed_) {
        buffer_.erase(0, consumed_);
        consumed_ = 0;
    }
    buffer_.append(bytes);
}

result<std::optional<std::string>> frame_decoder::next() {
    if (broken_) return *broken_;
    if (buffered() < frame_header_bytes) return std::optional<std::string>{};
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < frame_header_bytes; ++i) {
        length = (length << 8U) | static_cast<unsigned char>(buffer_[consumed_ + i]);
    }
    if (length == 0 || length > payload_bytes_max_) {
        broken_ = repld::error{
            .code = errc::protocol,
            .message = "invalid frame length " + std::to_string(length),
            .detail = "A frame has 1 to " + std::to_string(payload_bytes_max_) + " bytes here."};
        buffer_.clear();
        consumed_ = 0;
        return *broken_;
    }
    if (buffered() < frame_header_bytes + length) return std::optional<std::string>{};
    std::optional<std::string> payload{buffer_.substr(consumed_ + frame_header_bytes, length)};
    consumed_ += frame_header_bytes + length;
    if (consumed_ == buffer_.size()) {
        // A large frame must not leave its memory behind in a daemon that is to stay small.
        if (buffer_.capacity() > frame_bytes_max_hello) {
            buffer_ = std::string{};
        } else {
            buffer_.clear();
        }
        consumed_ = 0;
    }
    return payload;
}

}  // namespace repld::net
