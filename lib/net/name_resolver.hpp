// Host names to addresses, off the event loop and with a deadline. The system's resolver can
// neither be interrupted nor trusted to return soon, so each lookup has a detached thread of its
// own, which shares nothing with the event loop but a small record and an eventfd. (Asio's resolver
// has a single thread, so that one dead name delays all others, and joins it at exit.) The
// addresses of the last good lookup stay as fallback: a cluster must not fall apart because its
// name server has.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::net {

using tcp_endpoints = std::vector<asio::ip::tcp::endpoint>;

// Of threads alive at once, hence of names whose lookup hangs.
inline constexpr std::size_t lookups_max = 8;
inline constexpr std::size_t resolver_names_max = 256;
inline constexpr std::size_t addresses_per_name_max = 4;

class name_resolver {
public:
    explicit name_resolver(const asio::any_io_executor& executor) : executor_(executor) {}

    // Numeric addresses come back at once. A name is looked up for at most `limit`; then the last
    // good addresses are the answer, or errc::unreachable. At most addresses_per_name_max of them.
    static task<result<tcp_endpoints>> resolve(std::shared_ptr<name_resolver> self,
                                               std::string host, std::uint16_t port,
                                               duration limit);

    // Makes all waiting resolve() calls return soon.
    void stop();

private:
    struct lookup;
    struct entry {
        std::shared_ptr<lookup> running{};
        std::vector<asio::ip::address> last_good{};
    };

    static void run_lookup(std::shared_ptr<lookup> work);
    result<std::shared_ptr<lookup>> start_lookup(const std::string& host);
    void forget_one();
    task<void> wait_for(std::shared_ptr<lookup> work, duration limit);

    asio::any_io_executor executor_;
    std::map<std::string, entry> entries_;
    std::vector<std::weak_ptr<asio::posix::stream_descriptor>> waiting_;
    bool stopped_ = false;
};

}  // namespace repld::net
