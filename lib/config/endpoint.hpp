// A place on the network as people write it: "10.0.0.11:7432", "db1.example.com:7432",
// "[::1]:7432". Only the spelling is judged here; names are resolved where connections are made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::config {

struct endpoint {
    std::string host{};  // without brackets
    std::uint16_t port = 0;
    bool operator==(const endpoint&) const = default;
    // "All addresses of this host": somewhere to listen, nowhere to connect to.
    [[nodiscard]] bool wildcard() const;
};

// errc::usage with what was expected in the message when `text` is not host:port.
[[nodiscard]] result<endpoint> parse_endpoint(std::string_view text);
// With brackets around an IPv6 address.
[[nodiscard]] std::string to_string(const endpoint& e);

}  // namespace repld::config
