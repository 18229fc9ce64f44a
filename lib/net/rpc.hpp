// Requests and their answers over one connection, both ways at once. A request may be followed by
// progress reports and ends in exactly one response, or in the death of the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/types.hpp"
#include "net/asio.hpp"
#include "net/connection.hpp"
#include "net/envelope.hpp"
#include "net/log.hpp"

namespace repld::net {

// Who asks.
struct request_origin {
    enum class channel { peer, client, local };
    channel from = channel::peer;
    node_id node = 0;             // of a peer; 0 otherwise
    std::string address{};        // numeric "host:port", or "local"
    std::string psk_identity{};   // of a peer or a client
    std::uint32_t user_id = 0;    // of a local one
    std::int32_t process_id = 0;  // of a local one
};

// Reports the progress of a running request. May be called at any time, also when nobody listens
// any more; a report may be dropped when the other side reads too slowly.
using progress_sink = std::function<void(json)>;

// Answers one request. It runs on when the connection dies, and its answer is then dropped: an
// operation half done is worse than an answer that nobody hears. Failures that the caller should
// understand are part of the answer; an exception becomes errc::internal at the caller.
using request_handler =
    std::function<task<json>(json request, request_origin origin, progress_sink progress)>;

inline constexpr std::size_t requests_per_connection_max = 32;
inline constexpr std::size_t requests_running_max = 256;

// The answering half, shared by all connections of one server. The handler is copied, so that a
// running request never outlives it.
class request_service {
public:
    request_service(const asio::any_io_executor& executor, request_handler handler, log_sink log)
        : executor_(executor), handler_(std::move(handler)), log_(std::move(log)) {}

    // Waits for the handler. errc::refused when too many requests run already.
    static task<result<json>> answer(std::shared_ptr<request_service> self, json request,
                                     request_origin origin, progress_sink progress);

    // From now on nothing is logged; requests that run already run on.
    void silence() noexcept { silent_ = true; }

private:
    asio::any_io_executor executor_;
    request_handler handler_;
    log_sink log_;
    std::size_t running_ = 0;
    bool silent_ = false;
};

class rpc_endpoint : public std::enable_shared_from_this<rpc_endpoint> {
public:
    // `service` may be null: then every request is refused. The endpoint does not read: whoever
    // reads the connection hands over what is for it.
    rpc_endpoint(const asio::any_io_executor& executor, std::shared_ptr<connection> link,
                 std::shared_ptr<request_service> service, request_origin origin);

    // errc::timed_out after `limit` (the other side goes on with it), errc::unreachable when the
    // connection dies, and any code that the other side's transport answers with.
    static task<result<json>> call(std::shared_ptr<rpc_endpoint> self, json request, duration limit,
                                   progress_sink on_progress);

    // Precondition: a request, progress or response.
    void handle(envelope e);
    // Ends every waiting call. The caller does this once the connection is dead.
    void fail_all(const repld::error& why);

    // Calls that wait for an answer and requests that are being answered.
    [[nodiscard]] std::size_t active() const noexcept { return waiting_.size() + serving_; }

private:
    struct waiting_call {
        explicit waiting_call(const asio::any_io_executor& executor) : timer(executor) {}
        asio::steady_timer timer;
        std::optional<result<json>> outcome;
        progress_sink on_progress;
    };

    static task<void> serve(std::weak_ptr<rpc_endpoint> from,
                            std::shared_ptr<request_service> service, std::uint64_t id,
                            json request, request_origin origin);
    void handle_request(envelope e);
    void handle_response(envelope e);
    void respond(std::uint64_t id, const result<json>& outcome);

    asio::any_io_executor executor_;
    std::shared_ptr<connection> link_;
    std::shared_ptr<request_service> service_;
    request_origin origin_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, std::shared_ptr<waiting_call>> waiting_;
    std::size_t serving_ = 0;
};

}  // namespace repld::net
