// The ways to a daemon, against the real servers of lib/net in a thread of their own.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "client.hpp"
#include "net/control_server.hpp"
#include "net/key_file.hpp"
#include "net/peer_mesh.hpp"

using namespace repld;
using namespace repld::cli;
using namespace std::chrono_literals;

namespace {

class scratch_directory {
public:
    scratch_directory() {
        std::string name = (std::filesystem::temp_directory_path() / "replctlXXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~scratch_directory() { std::filesystem::remove_all(path_); }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

json good_answer(const char* by) {
    return {{"exit_code", 0}, {"result", {{"source", by}}}};
}

task<void> pause(duration time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(as_result);
}

// Reports `reports` times, 200 ms apart, then stays silent for `last`, then answers.
net::request_handler slow_handler(int reports, duration last) {
    return [reports, last](json, net::request_origin, net::progress_sink progress) -> task<json> {
        for (int i = 0; i < reports; ++i) {
            co_await pause(200ms);
            progress({{"step", "work"}});
        }
        co_await pause(last);
        co_return good_answer("n1");
    };
}

host_settings host_in(const scratch_directory& directory) {
    host_settings host;
    host.control_socket = directory.file("repld.sock");
    host.members_file = directory.file("peers.json");
    host.key_file = directory.file("key");
    return host;
}

}  // namespace

TEST_CASE("a long operation may take any time while it reports", "[cli]") {
    const scratch_directory directory;
    const auto host = host_in(directory);
    asio::io_context context(1);
    net::control_server server(context.get_executor(), slow_handler(8, 200ms), nullptr);
    REQUIRE(server.listen(host.control_socket));
    std::thread runner([&] { context.run(); });
    int heard = 0;
    const auto answer =
        ask_local(host, {"node join", effect::changes}, {1ms, 1s}, [&](const json&) { ++heard; });
    context.stop();
    runner.join();
    REQUIRE(answer);
    CHECK(heard == 8);
    CHECK(text_of(answer->result, "source") == "n1");
}

TEST_CASE("silence ends the wait, not the operation", "[cli]") {
    const scratch_directory directory;
    const auto host = host_in(directory);
    asio::io_context context(1);
    net::control_server server(context.get_executor(), slow_handler(2, 30s), nullptr);
    REQUIRE(server.listen(host.control_socket));
    std::thread runner([&] { context.run(); });
    const auto start = std::chrono::steady_clock::now();
    const auto silent = ask_local(host, {"node join", effect::changes}, {10s, 1s}, {});
    const auto late = ask_local(host, {"cluster token", effect::changes}, {300ms}, {});
    const auto took = std::chrono::steady_clock::now() - start;
    context.stop();
    runner.join();
    REQUIRE_FALSE(silent);
    CHECK(silent.error().code == errc::timed_out);
    CHECK(silent.error().message ==
          "timed out: no sign of progress for 1.0 s; the operation goes on");
    REQUIRE_FALSE(late);
    CHECK(late.error().code == errc::timed_out);
    CHECK(took < 10s);
}

TEST_CASE("the first member that answers wins, whatever the others do", "[cli]") {
    const scratch_directory directory;
    const auto host = host_in(directory);
    const auto key = net::generate_cluster_key();
    REQUIRE(key);
    REQUIRE(net::save_cluster_key(host.key_file, *key));
    const net::psk secret = net::make_psk(*key);

    enum class manner { knows, refuses, dawdles };
    const auto make_mesh = [&](asio::io_context& context, node_id id, manner how) {
        net::mesh_callbacks callbacks;
        callbacks.own_hello = [id] {
            net::hello own;
            own.cluster = "main";
            own.node = id;
            own.boot = id;
            return own;
        };
        callbacks.own_key = [&] { return secret; };
        callbacks.keys = [&](std::string_view identity) -> std::optional<net::secret_bytes> {
            if (identity != secret.identity) return std::nullopt;
            return secret.key;
        };
        callbacks.admit = [](const net::hello& who, const net::link_origin&) -> result<void> {
            if (who.client && who.cluster == "main") return {};
            return error{errc::refused, "unknown cluster"};
        };
        callbacks.on_request = [how](json request, net::request_origin,
                                     net::progress_sink) -> task<json> {
            if (how == manner::dawdles) co_await pause(30s);
            if (how == manner::refuses) {
                co_return json{{"exit_code", 2},
                               {"error", {{"code", "refused"}, {"message", "not admitted"}}}};
            }
            json answer = good_answer("n3");
            answer["result"]["asked"] = request;
            co_return answer;
        };
        auto mesh = std::make_unique<net::peer_mesh>(context.get_executor(), net::mesh_settings{},
                                                     std::move(callbacks));
        REQUIRE(mesh->listen("127.0.0.1", 0));
        return mesh;
    };
    asio::io_context context(1);
    const auto refusing = make_mesh(context, 2, manner::refuses);
    const auto knowing = make_mesh(context, 3, manner::knows);
    const auto dawdling = make_mesh(context, 4, manner::dawdles);
    // Accepts and never says a word.
    asio::ip::tcp::acceptor mute(context, {asio::ip::address_v4::loopback(), 0});
    const auto write_members = [&](bool with_knowing) {
        json peers = json::array();
        const auto add = [&](const char* name, std::uint16_t port) {
            peers.push_back(
                {{"id", 9}, {"name", name}, {"address", "127.0.0.1:" + std::to_string(port)}});
        };
        add("gone", 1);
        add("mute", mute.local_endpoint().port());
        add("n2", refusing->port());
        add("n4", dawdling->port());
        if (with_knowing) add("n3", knowing->port());
        std::ofstream(host.members_file) << json{{"cluster", "main"}, {"peers", peers}};
    };
    std::thread runner([&] { context.run(); });

    write_members(true);
    const auto start = std::chrono::steady_clock::now();
    const auto answer = ask_members(host, {"cluster show"}, 10s);
    const auto took = std::chrono::steady_clock::now() - start;
    write_members(false);
    const auto none = ask_members(host, {"cluster show"}, 1s);

    context.stop();
    runner.join();
    if (!answer) FAIL(to_string(answer.error()));
    CHECK(answer->answered_by == "n3");
    CHECK(member(member(answer->result, "asked"), "command") == "cluster show");
    CHECK(took < 9s);  // far below what the dawdling one would have taken
    REQUIRE_FALSE(none);
    CHECK(none.error().code == errc::unreachable);
    CHECK(none.error().detail.find("gone: ") != std::string::npos);
    CHECK(none.error().detail.find("mute: ") != std::string::npos);
    CHECK(none.error().detail.find("n2: not admitted") != std::string::npos);
}
