#include "net_fixture.hpp"

#include <algorithm>

namespace repld::net::test {

using clock = std::chrono::steady_clock;

bool event_loop::until(const std::function<bool()>& condition, duration limit) {
    const auto end = clock::now() + limit;
    while (!condition()) {
        if (clock::now() >= end) return false;
        context_.restart();
        context_.run_one_for(20ms);
    }
    return true;
}

void event_loop::run_for(duration time) {
    context_.restart();
    context_.run_for(time);
}

bool event_loop::drains(duration limit) {
    context_.restart();
    context_.run_for(limit);
    return context_.stopped();
}

psk test_key(char fill) {
    return psk{.identity = std::string("key-") + fill,
               .key = secret_bytes(32, static_cast<std::uint8_t>(fill))};
}

test_node::test_node(event_loop& loop, options wanted) : chosen(std::move(wanted)) {
    static nonce last_boot = 1000;
    if (chosen.boot == 0) chosen.boot = ++last_boot;
    mesh_callbacks callbacks;
    callbacks.own_hello = [this] { return own_hello(); };
    callbacks.own_key = [this] { return std::optional<psk>(chosen.key); };
    callbacks.keys = [this](std::string_view identity) -> std::optional<secret_bytes> {
        if (identity == chosen.key.identity) return chosen.key.key;
        for (const auto& one : chosen.more_keys) {
            if (identity == one.identity) return one.key;
        }
        return std::nullopt;
    };
    callbacks.admit = [this](const hello& other, const link_origin& origin) -> result<void> {
        if (!other.client && other.cluster != chosen.cluster) {
            return error{.code = errc::refused, .message = "this is another cluster"};
        }
        admitted.push_back(origin);
        return {};
    };
    callbacks.on_message = [this](node_id from, json body) {
        messages.emplace_back(from, std::move(body));
    };
    callbacks.on_link = [this](node_id peer, bool up, const hello&) {
        changes.emplace_back(peer, up);
    };
    callbacks.on_request = chosen.on_request;
    callbacks.log = [this](log_level level, std::string text) {
        lines.emplace_back(level, std::move(text));
    };
    mesh = std::make_unique<peer_mesh>(loop.executor(), chosen.settings, std::move(callbacks));
    if (auto listening = mesh->listen("127.0.0.1", 0); !listening) {
        throw std::runtime_error(listening.error().message);
    }
}

hello test_node::own_hello() const {
    hello own;
    own.cluster = chosen.cluster;
    own.system_identifier = "7300000000000000001";
    own.node = chosen.id;
    own.node_name = "n" + std::to_string(chosen.id);
    own.identity = chosen.id * 100;
    own.boot = chosen.boot;
    return own;
}

void test_node::set_peers(const std::vector<const test_node*>& others) {
    std::vector<peer_endpoint> peers;
    for (const auto* other : others) peers.push_back(other->endpoint());
    mesh->set_peers(peers);
}

bool test_node::linked_to(node_id peer) const {
    const auto all = mesh->links();
    return std::any_of(all.begin(), all.end(),
                       [&](const link_status& one) { return one.peer == peer && one.up; });
}

std::size_t test_node::logged(const std::string& part, log_level level) const {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
            return line.first == level && line.second.find(part) != std::string::npos;
        }));
}

peer_endpoint test_node::endpoint() const {
    return peer_endpoint{.node = chosen.id, .host = "127.0.0.1", .port = mesh->port()};
}

}  // namespace repld::net::test
