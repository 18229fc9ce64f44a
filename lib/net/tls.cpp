#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "net/asio_ssl.hpp"

namespace repld::net {
namespace {

namespace ssl = asio::ssl;

constexpr const char* cipher_name = "TLS_AES_128_GCM_SHA256";
constexpr unsigned char cipher_id[] = {0x13, 0x01};

// What the callbacks need, owned by the SSL_CTX itself: an SSL object keeps its context alive
// beyond every owner on our side, and its callbacks with it.
struct context_state {
    psk own{};        // client
    find_key keys{};  // server
    ~context_state() { OPENSSL_cleanse(own.key.data(), own.key.size()); }
};

// What one handshake tried, for the error message.
struct handshake_notes {
    std::string identity{};
    bool asked = false;
    bool found = false;
};

void free_context_state(void*, void* value, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<context_state*>(value);
}

int context_index() {
    static const int index =
        SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_context_state);
    return index;
}

int notes_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

context_state* state_of(SSL* connection) {
    auto* value = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), context_index());
    return static_cast<context_state*>(value);
}

// The caller owns the session; null when OpenSSL refuses.
SSL_SESSION* make_session(SSL* connection, const secret_bytes& key) {
    const auto* cipher = SSL_CIPHER_find(connection, cipher_id);
    auto* session = SSL_SESSION_new();
    if (session == nullptr) return nullptr;
    if (cipher == nullptr || SSL_SESSION_set1_master_key(session, key.data(), key.size()) != 1 ||
        SSL_SESSION_set_cipher(session, cipher) != 1 ||
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
        SSL_SESSION_free(session);
        return nullptr;
    }
    return session;
}

bool usable(const secret_bytes& key) {
    return key.size() >= psk_bytes_min && key.size() <= psk_bytes_max;
}

extern "C" int repld_psk_use(SSL* connection, const EVP_MD* digest, const unsigned char** id,
                             std::size_t* id_size, SSL_SESSION** session) {
    const auto* state = state_of(connection);
    // A second ClientHello names the digest that the server wants; ours is fixed by the cipher.
    if (digest != nullptr && !EVP_MD_is_a(digest, "SHA256")) return 0;
    *session = make_session(connection, state->own.key);
    if (*session == nullptr) return 0;
    *id = reinterpret_cast<const unsigned char*>(state->own.identity.data());
    *id_size = state->own.identity.size();
    return 1;
}

// Exceptions may not travel through OpenSSL's C frames.
std::optional<secret_bytes> look_up(const find_key& keys, std::string_view identity) noexcept {
    try {
        return keys ? keys(identity) : std::nullopt;
    } catch (...) {
        return std::nullopt;
    }
}

extern "C" int repld_psk_find(SSL* connection, const unsigned char* id, std::size_t id_size,
                              SSL_SESSION** session) {
    *session = nullptr;
    const std::string_view identity(reinterpret_cast<const char*>(id), id_size);
    auto* notes = static_cast<handshake_notes*>(SSL_get_ex_data(connection, notes_index()));
    if (notes == nullptr || id_size > psk_identity_bytes_max) return 1;
    auto key = look_up(state_of(connection)->keys, identity);
    const bool found = key && usable(*key);
    // A client may offer several keys; what counts is the one that is found.
    if (!notes->found) *notes = handshake_notes{std::string(identity), true, found};
    if (found) *session = make_session(connection, *key);
    if (key) OPENSSL_cleanse(key->data(), key->size());
    return 1;
}

std::string printable(std::string_view text) {
    std::string shown(text.substr(0, 64));
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return shown;
}

class stream_impl final : public tls_stream {
public:
    stream_impl(asio::ip::tcp::socket socket, ssl::context& context, bool server,
                std::string identity)
        : address_(remote_address(socket)),
          server_(server),
          own_identity_(std::move(identity)),
          stream_(std::move(socket), context) {
        SSL_set_ex_data(stream_.native_handle(), notes_index(), &notes_);
    }

    task<result<void>> handshake() override {
        const auto role = server_ ? ssl::stream_base::server : ssl::stream_base::client;
        auto [code] = co_await stream_.async_handshake(role, as_result);
        if (code) co_return handshake_error(code);
        // An external key counts as resumption. Without it the other end has proved nothing.
        if (SSL_session_reused(stream_.native_handle()) != 1) {
            co_return repld::error{.code = errc::refused,
                                   .message = "TLS handshake with " + address_ + " failed",
                                   .detail = "The other side did not use the cluster key."};
        }
        co_return result<void>{};
    }

    [[nodiscard]] std::string psk_identity() const override {
        return server_ ? notes_.identity : own_identity_;
    }

    task<result<std::size_t>> read_some(char* data, std::size_t size) override {
        auto [code, count] = co_await stream_.async_read_some(asio::buffer(data, size), as_result);
        if (code) co_return failure(code);
        co_return count;
    }

    task<result<std::size_t>> write_some(const char* data, std::size_t size) override {
        auto [code, count] = co_await stream_.async_write_some(asio::buffer(data, size), as_result);
        if (code) co_return failure(code);
        co_return count;
    }

    void close() noexcept override {
        boost::system::error_code ignored;
        stream_.lowest_layer().close(ignored);
    }

    [[nodiscard]] const std::string& address() const noexcept override { return address_; }

private:
    [[nodiscard]] repld::error failure(boost::system::error_code code) const {
        // Nobody says close_notify here: frames have lengths, so a cut cannot pass for an end.
        if (code == ssl::error::stream_truncated) code = asio::error::eof;
        if (code.category() == asio::error::get_ssl_category()) {
            return repld::error{.code = errc::protocol,
                                .message = "TLS connection to " + address_ + " failed",
                                .detail = code.message()};
        }
        return stream_error(code, address_);
    }

    [[nodiscard]] repld::error handshake_error(const boost::system::error_code& code) const {
        if (code.category() != asio::error::get_ssl_category()) return failure(code);
        repld::error e{.code = errc::refused,
                       .message = "TLS handshake with " + address_ + " failed",
                       .detail = code.message(),
                       .hint = "Compare the cluster key files of both hosts."};
        if (server_ && notes_.asked && !notes_.found) {
            e.detail = "The other side uses unknown key \"" + printable(notes_.identity) + "\".";
        }
        return e;
    }

    std::string address_;
    bool server_;
    std::string own_identity_;
    handshake_notes notes_;
    ssl::stream<asio::ip::tcp::socket> stream_;
};

repld::error openssl_error() {
    const auto code = ERR_get_error();
    const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return repld::error{.code = errc::internal,
                        .message = "could not set up TLS",
                        .detail = reason == nullptr ? std::string{} : std::string(reason)};
}

result<void> configure(ssl::context& context, std::unique_ptr<context_state> state) {
    auto* handle = context.native_handle();
    if (SSL_CTX_set_ex_data(handle, context_index(), state.get()) != 1) return openssl_error();
    state.release();  // freed with the SSL_CTX
    if (SSL_CTX_set_min_proto_version(handle, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(handle, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(handle, cipher_name) != 1 ||
        SSL_CTX_set1_groups_list(handle, "X25519:P-256") != 1 ||
        SSL_CTX_set_num_tickets(handle, 0) != 1 || SSL_CTX_set_max_early_data(handle, 0) != 1) {
        return openssl_error();
    }
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(handle, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
    // There is no trust anchor, so a certificate can only fail: nobody gets in by showing one.
    SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return {};
}

result<std::shared_ptr<tls_stream>> make_stream(asio::ip::tcp::socket socket, ssl::context& context,
                                                bool server, std::string identity) {
    try {
        std::shared_ptr<tls_stream> made =
            std::make_shared<stream_impl>(std::move(socket), context, server, std::move(identity));
        return made;
    } catch (const boost::system::system_error& failure) {
        return repld::error{.code = errc::internal,
                            .message = "could not set up TLS",
                            .detail = failure.code().message()};
    }
}

}  // namespace

class tls_acceptor_context {
public:
    ssl::context context{ssl::context::tls_server};
};

result<std::shared_ptr<tls_acceptor_context>> make_tls_acceptor(find_key keys) {
    try {
        auto made = std::make_shared<tls_acceptor_context>();
        auto state = std::make_unique<context_state>();
        state->keys = std::move(keys);
        if (auto done = configure(made->context, std::move(state)); !done) return done.error();
        auto* handle = made->context.native_handle();
        // OpenSSL demands a name of sessions from a server that verifies, and of a server only.
        static constexpr unsigned char name[] = "repld";
        if (SSL_CTX_set_session_id_context(handle, name, sizeof name - 1) != 1) {
            return openssl_error();
        }
        SSL_CTX_set_psk_find_session_callback(handle, repld_psk_find);
        return made;
    } catch (const boost::system::system_error&) {
        return openssl_error();
    }
}

result<std::shared_ptr<tls_stream>> accept_tls(
    asio::ip::tcp::socket socket, const std::shared_ptr<tls_acceptor_context>& context) {
    return make_stream(std::move(socket), context->context, true, {});
}

result<std::shared_ptr<tls_stream>> connect_tls(asio::ip::tcp::socket socket, psk key) {
    if (key.identity.empty() || key.identity.size() > psk_identity_bytes_max || !usable(key.key)) {
        return repld::error{.code = errc::usage, .message = "invalid pre-shared key"};
    }
    try {
        ssl::context context(ssl::context::tls_client);
        auto state = std::make_unique<context_state>();
        auto identity = key.identity;
        state->own = std::move(key);
        if (auto done = configure(context, std::move(state)); !done) return done.error();
        SSL_CTX_set_psk_use_session_callback(context.native_handle(), repld_psk_use);
        return make_stream(std::move(socket), context, false, std::move(identity));
    } catch (const boost::system::system_error&) {
        return openssl_error();
    }
}

}  // namespace repld::net
