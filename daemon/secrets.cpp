#include "secrets.hpp"

#include <system_error>

#include "platform/files.hpp"

namespace repld {

namespace {

constexpr std::size_t pgpass_size_max = 4096;

std::optional<net::cluster_key> key_of_hex(const std::string& hex) {
    net::cluster_key::bytes_type bytes{};
    if (hex.size() != 2 * bytes.size()) return std::nullopt;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        unsigned value = 0;
        for (const char c : {hex[2 * i], hex[2 * i + 1]}) {
            if (c >= '0' && c <= '9')
                value = value * 16 + static_cast<unsigned>(c - '0');
            else if (c >= 'a' && c <= 'f')
                value = value * 16 + static_cast<unsigned>(c - 'a' + 10);
            else
                return std::nullopt;
        }
        bytes[i] = static_cast<std::uint8_t>(value);
    }
    return net::cluster_key(bytes);
}

}  // namespace

result<void> host_secrets::load() {
    std::error_code ec;
    if (std::filesystem::exists(key_file_, ec)) {
        auto key = net::load_cluster_key(key_file_.string());
        if (!key) return key.error();
        key_ = *key;
    }
    if (std::filesystem::exists(pgpass_, ec)) {
        const auto text = platform::read_file(pgpass_, pgpass_size_max);
        if (!text) return text.error();
        // "*:*:*:role:password": the last field; generated passwords hold no colon.
        std::string line = text->substr(0, text->find('\n'));
        const auto colon = line.rfind(':');
        if (colon == std::string::npos)
            return error{errc::corrupt, "\"" + pgpass_.string() + "\" is no password file"};
        password_ = line.substr(colon + 1);
    }
    return {};
}

result<void> host_secrets::ensure_key() {
    if (key_) return {};
    auto made = net::generate_cluster_key();
    if (!made) return made.error();
    if (auto saved = net::save_cluster_key(key_file_.string(), *made); !saved) return saved.error();
    key_ = *made;
    return {};
}

result<void> host_secrets::take_key(const std::string& hex) {
    const auto key = key_of_hex(hex);
    if (!key) return error{errc::protocol, "the cluster key that was handed over is no key"};
    if (key_) {
        if (*key_ == *key) return {};
        return error{errc::refused, "this host holds the key of another cluster",
                     "\"" + key_file_.string() + "\" differs from the key of the cluster to join.",
                     "Move that file away if this host belongs to no other cluster."};
    }
    if (auto saved = net::save_cluster_key(key_file_.string(), *key); !saved) return saved.error();
    key_ = *key;
    return {};
}

std::string host_secrets::key_hex() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    if (key_)
        for (const std::uint8_t b : key_->bytes()) {
            hex += digits[b >> 4U];
            hex += digits[b & 15U];
        }
    return hex;
}

result<void> host_secrets::take_password(const std::string& role, const std::string& password) {
    if (password.empty() || password.find_first_of(":\\\n") != std::string::npos)
        return error{errc::protocol, "the password that was handed over cannot be stored"};
    if (auto written =
            platform::write_file_durably(pgpass_, "*:*:*:" + role + ":" + password + "\n", 0600);
        !written)
        return written.error();
    password_ = password;
    return {};
}

std::string host_secrets::passfile() const {
    return password_ ? pgpass_.string() : std::string();
}

}  // namespace repld
