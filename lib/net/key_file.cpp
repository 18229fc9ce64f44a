#include "net/key_file.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

namespace repld::net {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

class file_handle {
public:
    explicit file_handle(int fd) : fd_(fd) {}
    file_handle(const file_handle&) = delete;
    file_handle& operator=(const file_handle&) = delete;
    ~file_handle() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

private:
    int fd_;
};

// Text that held key digits is wiped before its memory goes back.
class secret_text {
public:
    secret_text() = default;
    secret_text(const secret_text&) = delete;
    secret_text& operator=(const secret_text&) = delete;
    ~secret_text() { OPENSSL_cleanse(chars.data(), chars.size()); }
    std::array<char, 256> chars{};
    std::size_t size = 0;
};

repld::error system_error(errc code, std::string message, int number) {
    return repld::error{
        .code = code, .message = std::move(message), .detail = std::strerror(number)};
}

repld::error bad_file(const std::string& path, std::string detail, std::string hint) {
    return repld::error{.code = errc::configuration,
                        .message = "cannot use cluster key file \"" + path + "\"",
                        .detail = std::move(detail),
                        .hint = std::move(hint)};
}

std::string hex(const std::uint8_t* bytes, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text.push_back(hex_digits[bytes[i] >> 4U]);
        text.push_back(hex_digits[bytes[i] & 0x0fU]);
    }
    return text;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

result<void> check_ownership(const std::string& path, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) return bad_file(path, "It is not a regular file.", {});
    if ((status.st_mode & 077U) != 0) {
        return bad_file(
            path, "Group or others have access to it.",
            "Run \"chmod 0600 " + path + "\", and make a new key if it may have leaked.");
    }
    if (status.st_uid != ::geteuid() && status.st_uid != 0) {
        return bad_file(path, "It belongs neither to this user nor to root.",
                        "Change the owner of the file.");
    }
    return {};
}

result<cluster_key> parse_key(const std::string& path, const secret_text& text) {
    std::string_view digits(text.chars.data(), text.size);
    if (digits.ends_with('\n')) digits.remove_suffix(1);
    if (digits.ends_with('\r')) digits.remove_suffix(1);
    cluster_key::bytes_type bytes{};
    bool good = digits.size() == 2 * cluster_key_bytes;
    for (std::size_t i = 0; good && i < cluster_key_bytes; ++i) {
        const int high = hex_value(digits[2 * i]);
        const int low = hex_value(digits[2 * i + 1]);
        good = high >= 0 && low >= 0;
        if (good) bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    const cluster_key key(bytes);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    if (!good) {
        return bad_file(path, "A cluster key is one line of 64 hexadecimal digits.",
                        "Copy the file from another host of the cluster.");
    }
    return key;
}

bool write_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const auto written = ::write(fd, data, size);
        if (written < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        data += written;
        size -= static_cast<std::size_t>(written);
    }
    return true;
}

result<void> write_key(const std::string& path, const cluster_key& key) {
    const file_handle file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) {
        return system_error(errc::io, "could not create file \"" + path + "\"", errno);
    }
    secret_text text;
    for (const auto byte : key.bytes()) {
        text.chars[text.size++] = hex_digits[byte >> 4U];
        text.chars[text.size++] = hex_digits[byte & 0x0fU];
    }
    text.chars[text.size++] = '\n';
    if (!write_all(file.get(), text.chars.data(), text.size) || ::fsync(file.get()) != 0) {
        return system_error(errc::io, "could not write file \"" + path + "\"", errno);
    }
    return {};
}

// link() instead of rename(): it fails when the name exists, on every file system.
result<void> give_name(const std::string& temporary, const std::string& path) {
    if (::link(temporary.c_str(), path.c_str()) == 0) return {};
    if (errno == EEXIST) {
        return repld::error{.code = errc::refused,
                            .message = "cluster key file \"" + path + "\" exists already",
                            .detail = {},
                            .hint = "Move it away if this host is to get another key."};
    }
    return system_error(errc::io, "could not create file \"" + path + "\"", errno);
}

}  // namespace

cluster_key::~cluster_key() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

bool cluster_key::operator==(const cluster_key& other) const noexcept {
    return CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
}

result<cluster_key> generate_cluster_key() {
    cluster_key::bytes_type bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
        return repld::error{.code = errc::io, .message = "could not generate a random key"};
    }
    const cluster_key key(bytes);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return key;
}

result<cluster_key> load_cluster_key(const std::string& path) {
    // O_NONBLOCK: a FIFO in this place must not stop the start of the daemon.
    const file_handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) {
        const int number = errno;
        if (number == ENOENT) {
            return bad_file(path, "It does not exist.",
                            "Copy the file from another host, or use a join token.");
        }
        return system_error(errc::io, "could not open cluster key file \"" + path + "\"", number);
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) {
        return system_error(errc::io, "could not examine file \"" + path + "\"", errno);
    }
    if (auto checked = check_ownership(path, status); !checked) return checked.error();
    secret_text text;
    while (text.size < text.chars.size()) {
        const auto count =
            ::read(file.get(), text.chars.data() + text.size, text.chars.size() - text.size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error(errc::io, "could not read file \"" + path + "\"", errno);
        if (count == 0) break;
        text.size += static_cast<std::size_t>(count);
    }
    return parse_key(path, text);
}

result<void> save_cluster_key(const std::string& path, const cluster_key& key) {
    auto folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    const auto temporary = path + ".new." + std::to_string(::getpid());
    ::unlink(temporary.c_str());  // left by a process of the same number that died here
    auto saved = write_key(temporary, key);
    if (saved) saved = give_name(temporary, path);
    ::unlink(temporary.c_str());
    if (!saved) return saved;
    const file_handle directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::fsync(directory.get()) != 0) {
        return system_error(errc::io, "could not flush folder \"" + folder + "\"", errno);
    }
    return {};
}

std::string key_identity(const cluster_key& key) {
    constexpr std::string_view prefix = "repld-key-id";
    std::array<std::uint8_t, prefix.size() + cluster_key_bytes> input{};
    std::memcpy(input.data(), prefix.data(), prefix.size());
    std::memcpy(input.data() + prefix.size(), key.bytes().data(), cluster_key_bytes);
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(input.data(), input.size(), digest.data());
    OPENSSL_cleanse(input.data(), input.size());
    return hex(digest.data(), 8);
}

psk make_psk(const cluster_key& key) {
    return psk{.identity = key_identity(key),
               .key = secret_bytes(key.bytes().begin(), key.bytes().end())};
}

}  // namespace repld::net
