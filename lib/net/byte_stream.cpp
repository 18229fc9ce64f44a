#include "net/byte_stream.hpp"

namespace repld::net {

repld::error stream_error(const boost::system::error_code& code, const std::string& address) {
    repld::error e{.code = errc::unreachable,
                   .message = "connection to " + address + " was lost",
                   .detail = code.message()};
    if (code == asio::error::eof) {
        e.message = "connection was closed by " + address;
        e.detail.clear();
    }
    return e;
}

std::string to_string(const asio::ip::tcp::endpoint& endpoint) {
    const auto address = endpoint.address();
    const auto text = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return text + ":" + std::to_string(endpoint.port());
}

std::string remote_address(const asio::ip::tcp::socket& socket) {
    boost::system::error_code code;
    const auto endpoint = socket.remote_endpoint(code);
    return code ? std::string{} : to_string(endpoint);
}

}  // namespace repld::net
