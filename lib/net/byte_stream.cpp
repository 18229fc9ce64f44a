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
    auto address = endpoint.address();
    // An IPv4 client of a socket that listens on all addresses; nobody knows it by the mapped form.
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    const auto text = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return text + ":" + std::to_string(endpoint.port());
}

std::string remote_address(const asio::ip::tcp::socket& socket) {
    boost::system::error_code code;
    const auto endpoint = socket.remote_endpoint(code);
    return code ? std::string{} : to_string(endpoint);
}

}  // namespace repld::net
