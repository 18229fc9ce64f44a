#include "net/tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "catch.hpp"
#include "net/asio_ssl.hpp"
#include "net_fixture.hpp"

using namespace repld;
using namespace repld::net;
using namespace repld::net::test;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;

namespace {

struct socket_pair {
    tcp::socket client;
    tcp::socket server;
};

socket_pair make_pair(event_loop& loop) {
    tcp::acceptor acceptor(loop.executor(), {asio::ip::address_v4::loopback(), 0});
    tcp::socket client(loop.executor());
    client.connect(acceptor.local_endpoint());
    return {std::move(client), acceptor.accept()};
}

find_key only(const psk& known) {
    return [known](std::string_view identity) -> std::optional<secret_bytes> {
        if (identity != known.identity) return std::nullopt;
        return known.key;
    };
}

struct handshake_pair {
    std::shared_ptr<tls_stream> client;
    std::shared_ptr<tls_stream> server;
    std::optional<result<void>> client_done{};
    std::optional<result<void>> server_done{};
};

task<void> shake(std::shared_ptr<handshake_pair> both, bool server) {
    auto& stream = server ? both->server : both->client;
    auto done = co_await stream->handshake();
    // As the callers do: whoever fails hangs up.
    if (!done) stream->close();
    (server ? both->server_done : both->client_done).emplace(std::move(done));
}

std::shared_ptr<handshake_pair> shake_hands(event_loop& loop, const psk& own, find_key keys) {
    auto sockets = make_pair(loop);
    const auto context = make_tls_acceptor(std::move(keys));
    REQUIRE(context);
    auto both = std::make_shared<handshake_pair>();
    both->client = *connect_tls(std::move(sockets.client), own);
    both->server = *accept_tls(std::move(sockets.server), *context);
    spawn(loop.executor(), shake(both, false));
    spawn(loop.executor(), shake(both, true));
    REQUIRE(loop.until([&] { return both->client_done && both->server_done; }));
    if (!*both->client_done) UNSCOPED_INFO("client: " << to_string(both->client_done->error()));
    if (!*both->server_done) UNSCOPED_INFO("server: " << to_string(both->server_done->error()));
    return both;
}

// A self-signed certificate, as an impostor without the key could show.
void use_own_certificate(ssl::context& context) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context.native_handle(), certificate);
    SSL_CTX_use_PrivateKey(context.native_handle(), key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

task<void> foreign_handshake(std::shared_ptr<ssl::stream<tcp::socket>> stream,
                             ssl::stream_base::handshake_type role,
                             std::shared_ptr<std::optional<bool>> good) {
    auto [code] = co_await stream->async_handshake(role, as_result);
    *good = !code;
    if (code) {
        boost::system::error_code ignored;
        stream->lowest_layer().close(ignored);
    }
}

}  // namespace

TEST_CASE("two ends with the same key talk") {
    event_loop loop;
    const auto both = shake_hands(loop, test_key(), only(test_key()));
    REQUIRE(both->client_done->has_value());
    REQUIRE(both->server_done->has_value());
    CHECK(both->server->psk_identity() == test_key().identity);
    CHECK(both->client->psk_identity() == test_key().identity);

    const std::string text = "hello";
    const auto written = loop.wait(both->client->write_some(text.data(), text.size()));
    REQUIRE(written);
    char buffer[16];
    const auto read = loop.wait(both->server->read_some(buffer, sizeof buffer));
    REQUIRE(read);
    CHECK(std::string(buffer, *read) == text);
    both->client->close();
    const auto end = loop.wait(both->server->read_some(buffer, sizeof buffer));
    REQUIRE_FALSE(end);
    CHECK(end.error().code == errc::unreachable);
}

TEST_CASE("an unknown identity fails on both ends, and the server names it") {
    event_loop loop;
    const auto both = shake_hands(loop, test_key('a'), only(test_key('b')));
    REQUIRE_FALSE(both->client_done->has_value());
    REQUIRE_FALSE(both->server_done->has_value());
    CHECK(both->client_done->error().code == errc::refused);
    CHECK(both->server_done->error().code == errc::refused);
    CHECK(both->server_done->error().detail.find("\"key-a\"") != std::string::npos);
}

TEST_CASE("the right identity with the wrong key fails on both ends") {
    event_loop loop;
    auto wrong = test_key('a');
    wrong.identity = test_key('b').identity;
    const auto both = shake_hands(loop, wrong, only(test_key('b')));
    REQUIRE_FALSE(both->client_done->has_value());
    REQUIRE_FALSE(both->server_done->has_value());
    CHECK(both->server_done->error().code == errc::refused);
}

TEST_CASE("an identity of unprintable bytes is shown without them") {
    event_loop loop;
    auto odd = test_key();
    odd.identity = "a\nWARNING\x1b[2J";
    const auto both = shake_hands(loop, odd, only(test_key()));
    REQUIRE_FALSE(both->server_done->has_value());
    CHECK(both->server_done->error().detail.find('\n') == std::string::npos);
    CHECK(both->server_done->error().detail.find("a?WARNING?[2J") != std::string::npos);
}

TEST_CASE("unusable keys are refused before anything is sent") {
    event_loop loop;
    const std::size_t size = GENERATE(0U, 8U, 15U, 49U);
    auto sockets = make_pair(loop);
    CHECK_FALSE(connect_tls(std::move(sockets.client), psk{"id", secret_bytes(size, 1)}));
    auto more = make_pair(loop);
    CHECK_FALSE(connect_tls(std::move(more.client), psk{"", secret_bytes(32, 1)}));
}

TEST_CASE("a server that shows a certificate instead of knowing the key is not believed") {
    event_loop loop;
    auto sockets = make_pair(loop);
    ssl::context context(ssl::context::tls_server);
    use_own_certificate(context);
    auto impostor = std::make_shared<ssl::stream<tcp::socket>>(std::move(sockets.server), context);
    auto good = std::make_shared<std::optional<bool>>();
    spawn(loop.executor(), foreign_handshake(impostor, ssl::stream_base::server, good));
    const auto client = *connect_tls(std::move(sockets.client), test_key());
    const auto done = loop.wait(client->handshake());
    REQUIRE_FALSE(done);
    CHECK(done.error().code == errc::refused);
    client->close();
    CHECK(loop.drains());
}

TEST_CASE("a client without a key, or with TLS 1.2 only, does not get in") {
    event_loop loop;
    const bool old = GENERATE(false, true);
    auto sockets = make_pair(loop);
    ssl::context context(ssl::context::tls_client);
    if (old) SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_2_VERSION);
    auto stranger = std::make_shared<ssl::stream<tcp::socket>>(std::move(sockets.client), context);
    auto good = std::make_shared<std::optional<bool>>();
    spawn(loop.executor(), foreign_handshake(stranger, ssl::stream_base::client, good));
    const auto acceptor = make_tls_acceptor(only(test_key()));
    const auto server = *accept_tls(std::move(sockets.server), *acceptor);
    const auto done = loop.wait(server->handshake());
    REQUIRE_FALSE(done);
    CHECK(done.error().code == errc::refused);
    server->close();
    REQUIRE(loop.until([&] { return good->has_value(); }));
    CHECK_FALSE(**good);
}
