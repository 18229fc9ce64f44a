#include "postgres/resolve.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace repld::postgres {
namespace {

using asio::ip::tcp;

constexpr std::size_t addresses_per_name_max = 8;

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    for (;;) {
        const auto comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

bool is_local(std::string_view host) {
    return host.empty() || host.front() == '/' || host.front() == '@';
}

bool is_address(const std::string& host) {
    boost::system::error_code failed;
    asio::ip::make_address(host, failed);
    return !failed;
}

// Shared with the resolver's handler, which may come long after the caller has given up:
// getaddrinfo cannot be interrupted.
struct look_up_state {
    explicit look_up_state(const asio::any_io_executor& executor)
        : resolver(executor), done(executor) {}
    tcp::resolver resolver;
    asio::steady_timer done;  // expires at the deadline; cancelled by the answer
    bool answered = false;
    boost::system::error_code failed{};
    std::vector<std::string> addresses{};
};

task<result<std::vector<std::string>>> look_up(std::string name,
                                               std::chrono::steady_clock::time_point deadline) {
    const auto state = std::make_shared<look_up_state>(co_await asio::this_coro::executor);
    state->done.expires_at(deadline);
    state->resolver.async_resolve(
        name, "",
        [state](boost::system::error_code failed, const tcp::resolver::results_type& found) {
            state->answered = true;
            state->failed = failed;
            for (const auto& entry : found) {
                if (state->addresses.size() == addresses_per_name_max) break;
                state->addresses.push_back(entry.endpoint().address().to_string());
            }
            state->done.cancel();
        });
    co_await state->done.async_wait(as_result);
    if (!state->answered) {
        co_return error{errc::timed_out, "could not resolve host name \"" + name + "\" in time"};
    }
    if (state->failed || state->addresses.empty()) {
        co_return error{errc::unreachable, "could not resolve host name \"" + name + "\"",
                        state->failed ? state->failed.message() : "It has no address."};
    }
    co_return state->addresses;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : ",") + parts[i];
    return text;
}

}  // namespace

task<result<conninfo>> resolve_hosts(conninfo target,
                                     std::chrono::steady_clock::time_point deadline) {
    if (!target.get("hostaddr").value_or("").empty()) co_return target;
    auto host = target.get("host").value_or("");
    // libpq would fall back to the environment, and then resolve by itself.
    if (host.empty() && !target.has("service")) {
        const char* from_environment = std::getenv("PGHOST");
        const char* address = std::getenv("PGHOSTADDR");
        if (from_environment != nullptr && address == nullptr) host = from_environment;
    }
    const auto hosts = split(host);
    const auto ports = split(target.get("port").value_or(""));
    bool names = false;
    for (const auto& h : hosts) names = names || !(is_local(h) || is_address(h));
    if (!names) co_return target;
    if (ports.size() != 1 && ports.size() != hosts.size()) {
        co_return error{errc::configuration, "connection string names " +
                                                 std::to_string(hosts.size()) + " hosts and " +
                                                 std::to_string(ports.size()) + " ports"};
    }

    std::vector<std::string> all_hosts, all_addresses, all_ports;
    error last{errc::unreachable, "no host to connect to"};
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        std::vector<std::string> addresses{is_local(hosts[i]) ? std::string() : hosts[i]};
        if (!is_local(hosts[i]) && !is_address(hosts[i])) {
            auto found = co_await look_up(hosts[i], deadline);
            if (!found) {
                last = std::move(found).error();
                continue;
            }
            addresses = std::move(*found);
        }
        for (auto& address : addresses) {
            all_hosts.push_back(hosts[i]);
            all_addresses.push_back(std::move(address));
            all_ports.push_back(ports[ports.size() == 1 ? 0 : i]);
        }
    }
    if (all_hosts.empty()) co_return last;
    target.set("host", joined(all_hosts));
    target.set("hostaddr", joined(all_addresses));
    if (ports.size() > 1) target.set("port", joined(all_ports));
    co_return target;
}

}  // namespace repld::postgres
