// The secrets of this host: the cluster key (peer.key_file) and the password of the remote role
// (<state>/pgpass, in libpq's passfile format, made by `cluster create` or handed over at joining).
// These functions touch the disk: small files, at start and at joining only.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "net/key_file.hpp"

namespace repld {

class host_secrets {
public:
    host_secrets(std::filesystem::path key_file, std::filesystem::path state_directory)
        : key_file_(std::move(key_file)), pgpass_(std::move(state_directory) / "pgpass") {}

    // A key file that is not there is no error: the node may be about to create or join a cluster.
    result<void> load();
    [[nodiscard]] const std::optional<net::cluster_key>& key() const { return key_; }
    // Keeps the key that is there, or makes one.
    result<void> ensure_key();
    // errc::refused when another key is there already.
    result<void> take_key(const std::string& hex);
    [[nodiscard]] std::string key_hex() const;

    [[nodiscard]] std::optional<std::string> password() const { return password_; }
    result<void> take_password(const std::string& role, const std::string& password);
    // For conninfo; empty when there is none.
    [[nodiscard]] std::string passfile() const;

private:
    std::filesystem::path key_file_;
    std::filesystem::path pgpass_;
    std::optional<net::cluster_key> key_;
    std::optional<std::string> password_;
};

}  // namespace repld
