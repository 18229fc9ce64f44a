#include "net/name_resolver.hpp"

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

#include "net/deadline.hpp"

namespace repld::net {

// Shared by the event loop and one thread; the descriptor becomes readable when `done` is set, and
// stays so, because nobody reads from it.
struct name_resolver::lookup {
    explicit lookup(std::string name) : host(std::move(name)) {}
    lookup(const lookup&) = delete;
    lookup& operator=(const lookup&) = delete;
    ~lookup() {
        if (event_fd >= 0) ::close(event_fd);
    }

    [[nodiscard]] bool finished() {
        const std::lock_guard lock(mutex);
        return done;
    }

    const std::string host;
    int event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex mutex;
    bool done = false;
    std::vector<asio::ip::address> addresses;
    std::string failure;
};

namespace {

// Waiting longer would delay every redial by the whole limit while the name server is down.
constexpr duration patience_with_fallback = std::chrono::milliseconds(200);

std::vector<asio::ip::address> addresses_of(const addrinfo* list) {
    std::vector<asio::ip::address> addresses;
    for (const auto* one = list; one != nullptr; one = one->ai_next) {
        if (addresses.size() >= addresses_per_name_max) break;
        asio::ip::tcp::endpoint endpoint;
        if (one->ai_addrlen > endpoint.capacity()) continue;
        std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
        addresses.push_back(endpoint.address());
    }
    return addresses;
}

tcp_endpoints with_port(const std::vector<asio::ip::address>& addresses, std::uint16_t port) {
    tcp_endpoints endpoints;
    for (const auto& address : addresses) endpoints.emplace_back(address, port);
    return endpoints;
}

}  // namespace

void name_resolver::run_lookup(std::shared_ptr<lookup> work) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(work->host.c_str(), nullptr, &hints, &found);
    {
        const std::lock_guard lock(work->mutex);
        if (code == 0) {
            work->addresses = addresses_of(found);
        } else {
            work->failure = ::gai_strerror(code);
        }
        work->done = true;
    }
    if (found != nullptr) ::freeaddrinfo(found);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(work->event_fd, &one, sizeof one);
}

// Names come from the configuration, so the table stays small; this bounds it in any case.
void name_resolver::forget_one() {
    if (entries_.size() < resolver_names_max) return;
    const auto idle = std::find_if(entries_.begin(), entries_.end(),
                                   [](const auto& e) { return !e.second.running; });
    if (idle != entries_.end()) entries_.erase(idle);
}

result<std::shared_ptr<name_resolver::lookup>> name_resolver::start_lookup(
    const std::string& host) {
    if (const auto known = entries_.find(host); known != entries_.end() && known->second.running) {
        return known->second.running;
    }
    const auto running = std::count_if(entries_.begin(), entries_.end(), [](const auto& e) {
        return e.second.running && !e.second.running->finished();
    });
    repld::error refused{.code = errc::unreachable,
                         .message = "could not look up host name \"" + host + "\""};
    if (static_cast<std::size_t>(running) >= lookups_max) {
        refused.detail = "Too many lookups are waiting for the name server.";
        return refused;
    }
    auto work = std::make_shared<lookup>(host);
    if (work->event_fd < 0) {
        refused.detail = std::strerror(errno);
        return refused;
    }
    try {
        std::thread(run_lookup, work).detach();
    } catch (const std::system_error& failure) {
        refused.detail = failure.code().message();
        return refused;
    }
    forget_one();
    entries_[host].running = work;
    return work;
}

task<void> name_resolver::wait_for(std::shared_ptr<lookup> work, duration limit) {
    const int own = ::dup(work->event_fd);
    if (own < 0) co_return;
    auto descriptor = std::make_shared<asio::posix::stream_descriptor>(executor_, own);
    std::erase_if(waiting_, [](const auto& one) { return one.expired(); });
    waiting_.push_back(descriptor);
    const deadline guard(executor_, limit, [descriptor] {
        boost::system::error_code ignored;
        descriptor->close(ignored);
    });
    co_await descriptor->async_wait(asio::posix::stream_descriptor::wait_read, as_result);
}

task<result<tcp_endpoints>> name_resolver::resolve(std::shared_ptr<name_resolver> self,
                                                   std::string host, std::uint16_t port,
                                                   duration limit) {
    boost::system::error_code not_numeric;
    const auto address = asio::ip::make_address(host, not_numeric);
    if (!not_numeric) co_return tcp_endpoints{{address, port}};

    auto work = self->stopped_ ? result<std::shared_ptr<lookup>>(
                                     repld::error{.code = errc::unreachable, .message = "stopped"})
                               : self->start_lookup(host);
    std::string failure = work ? "The name server did not answer in time." : work.error().detail;
    if (work) {
        const auto patience = self->entries_[host].last_good.empty()
                                  ? limit
                                  : std::min(limit, patience_with_fallback);
        co_await self->wait_for(*work, patience);
        const std::lock_guard lock((*work)->mutex);
        if ((*work)->done) {
            auto& known = self->entries_[host];
            if (known.running == *work) known.running.reset();
            if (!(*work)->addresses.empty()) known.last_good = (*work)->addresses;
            failure = (*work)->failure;
        }
    }
    const auto known = self->entries_.find(host);
    if (known != self->entries_.end() && !known->second.last_good.empty()) {
        co_return with_port(known->second.last_good, port);
    }
    co_return repld::error{.code = errc::unreachable,
                           .message = "could not look up host name \"" + host + "\"",
                           .detail = std::move(failure)};
}

void name_resolver::stop() {
    stopped_ = true;
    for (const auto& one : waiting_) {
        if (const auto descriptor = one.lock()) {
            boost::system::error_code ignored;
            descriptor->close(ignored);
        }
    }
}

}  // namespace repld::net
