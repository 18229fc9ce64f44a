#include "config/endpoint.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace repld::config {

namespace {

bool is_address(int family, const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    return ::inet_pton(family, text.c_str(), binary.data()) == 1;
}

bool is_zero_v6(const std::string& text) {
    in6_addr binary{};
    return ::inet_pton(AF_INET6, text.c_str(), &binary) == 1 && IN6_IS_ADDR_UNSPECIFIED(&binary);
}

bool is_host_name(std::string_view text) {
    constexpr std::size_t length_max = 253;
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    };
    return !text.empty() && text.size() <= length_max && text.front() != '.' &&
           text.front() != '-' && text.find("..") == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), allowed);
}

error expected(std::string what) {
    return {errc::usage, "expected " + std::move(what), "", ""};
}

}  // namespace

bool endpoint::wildcard() const {
    return host == "0.0.0.0" || is_zero_v6(host);
}

result<endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return expected("host:port, for example 10.0.0.11:7432");
    auto host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const std::string name(host);
    if (bracketed && !is_address(AF_INET6, name))
        return expected("an IPv6 address between the brackets");
    if (!bracketed && name.find(':') != std::string::npos)
        return expected("brackets around an IPv6 address, for example [2001:db8::11]:7432");
    const bool numeric = name.find_first_not_of("0123456789.") == std::string::npos;
    if (!bracketed && !(numeric ? is_address(AF_INET, name) : is_host_name(name)))
        return expected("an IPv4 address, a bracketed IPv6 address or a host name before the port");
    const auto digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [stop, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (ec != std::errc{} || stop != digits.data() + digits.size() || port == 0)
        return expected("a port from 1 to 65535 after the colon");
    return endpoint{name, port};
}

std::string to_string(const endpoint& e) {
    const bool brackets = e.host.find(':') != std::string::npos;
    return (brackets ? "[" + e.host + "]" : e.host) + ":" + std::to_string(e.port);
}

}  // namespace repld::config
