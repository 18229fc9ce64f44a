#include "join_tokens.hpp"

#include <array>
#include <cstddef>
#include <span>

#include "platform/host.hpp"

namespace repld {

namespace {

constexpr std::size_t id_bytes = 4;
constexpr std::size_t secret_size = 16;
constexpr std::string_view prefix = "join:";

std::string to_hex(std::span<const std::byte> bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += digits[std::to_integer<unsigned>(b) >> 4U];
        text += digits[std::to_integer<unsigned>(b) & 15U];
    }
    return text;
}

std::optional<unsigned> digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    return std::nullopt;
}

}  // namespace

result<net::psk> psk_of_token(std::string_view token) {
    const error bad{
        errc::usage, "invalid join token",
        "A token looks like \"1a2b3c4d-0123...\", as \"replctl cluster token\" prints it."};
    if (token.size() != 2 * id_bytes + 1 + 2 * secret_size || token[2 * id_bytes] != '-')
        return bad;
    net::psk key;
    key.identity = std::string(prefix) + std::string(token.substr(0, 2 * id_bytes));
    const std::string_view hex = token.substr(2 * id_bytes + 1);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const auto high = digit(hex[i]);
        const auto low = digit(hex[i + 1]);
        if (!high || !low) return bad;
        key.key.push_back(static_cast<std::uint8_t>(*high << 4U | *low));
    }
    return key;
}

result<std::string> join_tokens::make(duration lifetime, boot_time now) {
    std::erase_if(entries_, [now](const auto& e) { return e.second.expires <= now; });
    if (entries_.size() >= join_tokens_max)
        return error{
            errc::refused, "too many join tokens are open",
            "At most " + std::to_string(join_tokens_max) + " can be; they expire by themselves."};
    std::array<std::byte, id_bytes + secret_size> bytes{};
    platform::random_bytes(bytes);
    const std::span<const std::byte> all(bytes);
    const std::string id = to_hex(all.first(id_bytes));
    entry e;
    for (const std::byte b : all.subspan(id_bytes))
        e.secret.push_back(std::to_integer<std::uint8_t>(b));
    e.expires = now + lifetime;
    entries_[std::string(prefix) + id] = std::move(e);
    return id + "-" + to_hex(all.subspan(id_bytes));
}

std::optional<net::secret_bytes> join_tokens::find(std::string_view psk_identity, boot_time now) {
    const auto it = entries_.find(psk_identity);
    if (it == entries_.end() || it->second.expires <= now) return std::nullopt;
    return it->second.secret;
}

bool join_tokens::use(std::string_view psk_identity, nonce identity) {
    const auto it = entries_.find(psk_identity);
    if (it == entries_.end()) return false;
    if (it->second.used_by != 0 && it->second.used_by != identity) return false;
    it->second.used_by = identity;
    return true;
}

}  // namespace repld
