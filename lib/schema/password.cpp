#include "schema/password.hpp"

#include <libpq-fe.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <memory>

namespace repld::schema {

namespace {

struct connection_closer {
    void operator()(PGconn* c) const noexcept { PQfinish(c); }
};
struct libpq_memory {
    void operator()(char* text) const noexcept { PQfreemem(text); }
};

}  // namespace

result<std::string> random_password() {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::size_t length = 32;
    // Bytes from here up are thrown away: each letter stays equally likely.
    constexpr unsigned bound = 256 - 256 % alphabet.size();
    std::string password;
    std::array<unsigned char, 64> bytes{};
    for (int round = 0; round < 64 && password.size() < length; ++round) {
        const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error{errc::io, "could not get random bytes for a password"};
        for (std::size_t i = 0; i < static_cast<std::size_t>(got) && password.size() < length;
             ++i) {
            if (bytes[i] < bound) password += alphabet[bytes[i] % alphabet.size()];
        }
    }
    if (password.size() < length) {
        return error{errc::io, "could not get random bytes for a password"};
    }
    return password;
}

result<std::string> scram_verifier(const std::string& role, const std::string& password) {
    if (password.empty() || password.find('\0') != std::string::npos) {
        return error{errc::usage, "password of role \"" + role + "\" is empty or has a zero byte"};
    }
    // libpq wants a connection object for its error messages only, as long as the algorithm is
    // named. An option that does not exist makes one without any attempt to connect.
    const std::unique_ptr<PGconn, connection_closer> nowhere(PQconnectStart("no_such_option=1"));
    if (!nowhere) return error{errc::internal, "could not compute a password verifier"};
    const std::unique_ptr<char, libpq_memory> verifier(
        PQencryptPasswordConn(nowhere.get(), password.c_str(), role.c_str(), "scram-sha-256"));
    if (!verifier) {
        return error{errc::internal, "could not compute a password verifier",
                     PQerrorMessage(nowhere.get())};
    }
    return std::string(verifier.get());
}

}  // namespace repld::schema
