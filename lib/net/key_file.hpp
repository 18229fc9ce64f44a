// The cluster key: 32 random bytes that every daemon of a cluster holds, kept as one line of 64
// hexadecimal digits in a file with mode 0600. These functions block on the disk: call them at
// start or from a worker thread, not on the event loop.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "net/tls.hpp"

namespace repld::net {

inline constexpr std::size_t cluster_key_bytes = 32;

// Wiped from memory when it goes out of scope.
class cluster_key {
public:
    using bytes_type = std::array<std::uint8_t, cluster_key_bytes>;

    cluster_key() = default;
    explicit cluster_key(const bytes_type& bytes) : bytes_(bytes) {}
    cluster_key(const cluster_key&) = default;
    cluster_key& operator=(const cluster_key&) = default;
    ~cluster_key();

    [[nodiscard]] const bytes_type& bytes() const noexcept { return bytes_; }
    bool operator==(const cluster_key& other) const noexcept;

private:
    bytes_type bytes_{};
};

// From the operating system's random source. errc::io when that fails.
[[nodiscard]] result<cluster_key> generate_cluster_key();

// errc::configuration when the file is missing or is not a regular file, is readable by group or
// others, belongs to neither this user nor root, or does not hold exactly one key; errc::io
// otherwise.
[[nodiscard]] result<cluster_key> load_cluster_key(const std::string& path);

// Writes a new file beside it, flushes it and gives it the name. Fails with errc::refused, changing
// nothing, when the name is taken: an overwritten key would lock a running cluster out.
[[nodiscard]] result<void> save_cluster_key(const std::string& path, const cluster_key& key);

// The name of the key on the wire: hexadecimal of the first 8 bytes of SHA-256("repld-key-id" +
// key). Tells nothing about the key, and lets the other side name a mismatch instead of guessing at
// it.
[[nodiscard]] std::string key_identity(const cluster_key& key);

[[nodiscard]] psk make_psk(const cluster_key& key);

}  // namespace repld::net
