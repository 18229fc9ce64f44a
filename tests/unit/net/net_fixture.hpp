// Real loopback sockets on one event loop, driven by the test: nothing runs but while the test
// waits for something, and every wait has a limit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/call_peer.hpp"
#include "net/key_file.hpp"
#include "net/peer_mesh.hpp"
#include "net/spawn.hpp"

namespace repld::net::test {

using namespace std::chrono_literals;

class event_loop {
public:
    [[nodiscard]] asio::any_io_executor executor() { return context_.get_executor(); }

    // Runs the loop until the condition holds; false when it does not within the limit.
    bool until(const std::function<bool()>& condition, duration limit = 5s);
    void run_for(duration time);
    // True when every coroutine has ended within the limit.
    bool drains(duration limit = 5s);

    // The result of a coroutine; fails the test when there is none within the limit.
    template <class T>
    T wait(task<T> work, duration limit = 10s) {
        auto slot = std::make_shared<std::optional<T>>();
        spawn(executor(), keep(std::move(work), slot));
        if (!until([&] { return slot->has_value(); }, limit)) {
            throw std::runtime_error("no result in time");
        }
        return std::move(**slot);
    }

private:
    template <class T>
    static task<void> keep(task<T> work, std::shared_ptr<std::optional<T>> slot) {
        auto outcome = co_await std::move(work);
        slot->emplace(std::move(outcome));
    }

    asio::io_context context_{1};
};

[[nodiscard]] psk test_key(char fill = 'k');

// A mesh with everything that its callbacks were told.
class test_node {
public:
    struct options {
        node_id id = 1;
        psk key = test_key();
        std::string cluster = "main";
        nonce boot = 0;  // 0: its own
        mesh_settings settings{};
        request_handler on_request{};
        std::vector<psk> more_keys{};  // join tokens
    };

    test_node(event_loop& loop, options chosen);

    void set_peers(const std::vector<const test_node*>& others);
    [[nodiscard]] bool linked_to(node_id peer) const;
    [[nodiscard]] std::size_t logged(const std::string& part, log_level level) const;
    [[nodiscard]] peer_endpoint endpoint() const;

    std::vector<std::pair<node_id, json>> messages{};
    std::vector<std::pair<node_id, bool>> changes{};
    std::vector<std::pair<log_level, std::string>> lines{};
    std::vector<link_origin> admitted{};
    options chosen;
    std::unique_ptr<peer_mesh> mesh;

private:
    [[nodiscard]] hello own_hello() const;
};

}  // namespace repld::net::test
