#include "net/rpc.hpp"

#include <utility>

#include "net/at_exit.hpp"
#include "net/spawn.hpp"

namespace repld::net {

task<result<json>> request_service::answer(std::shared_ptr<request_service> self, json request,
                                           request_origin origin, progress_sink progress) {
    if (!self->handler_ || self->running_ >= requests_running_max) {
        co_return repld::error{.code = errc::refused,
                               .message = self->handler_ ? "too many requests are running"
                                                         : "requests are not answered here"};
    }
    ++self->running_;
    const at_exit done([&] { --self->running_; });
    std::string failure;
    try {
        co_return co_await self->handler_(std::move(request), std::move(origin),
                                          std::move(progress));
    } catch (const std::exception& thrown) {
        failure = thrown.what();
    }
    if (!self->silent_) log_to(self->log_, log_level::error, "request failed: " + failure);
    co_return repld::error{
        .code = errc::internal, .message = "request failed", .detail = std::move(failure)};
}

rpc_endpoint::rpc_endpoint(const asio::any_io_executor& executor, std::shared_ptr<connection> link,
                           std::shared_ptr<request_service> service, request_origin origin)
    : executor_(executor),
      link_(std::move(link)),
      service_(std::move(service)),
      origin_(std::move(origin)) {}

task<result<json>> rpc_endpoint::call(std::shared_ptr<rpc_endpoint> self, json request,
                                      duration limit, progress_sink on_progress) {
    const auto id = ++self->last_id_;
    envelope asked{.type = envelope_type::request, .id = id, .body = std::move(request)};
    if (auto posted = self->link_->post(asked); !posted) co_return posted.error();
    asked.body = nullptr;

    auto waiting = std::make_shared<waiting_call>(self->executor_);
    waiting->on_progress = std::move(on_progress);
    waiting->timer.expires_after(limit);
    self->waiting_.emplace(id, waiting);
    const at_exit forget([&] { self->waiting_.erase(id); });
    co_await waiting->timer.async_wait(as_result);
    if (waiting->outcome) co_return std::move(*waiting->outcome);
    co_return repld::error{.code = errc::timed_out,
                           .message = "no answer from " + self->link_->address() + " within " +
                                      std::to_string(limit / std::chrono::milliseconds(1)) + " ms",
                           .detail = "The operation may go on there."};
}

void rpc_endpoint::handle(envelope e) {
    switch (e.type) {
        case envelope_type::request: handle_request(std::move(e)); return;
        case envelope_type::response: handle_response(std::move(e)); return;
        case envelope_type::progress: {
            const auto found = waiting_.find(e.id);
            if (found == waiting_.end() || !found->second->on_progress) return;
            // Held, because the report may end the call that it belongs to.
            const auto call = found->second;
            call->on_progress(std::move(e.body));
            return;
        }
        case envelope_type::hello:
        case envelope_type::accept:
        case envelope_type::refuse:
        case envelope_type::goodbye:
        case envelope_type::ping:
        case envelope_type::message: return;
    }
}

void rpc_endpoint::handle_request(envelope e) {
    if (!service_ || serving_ >= requests_per_connection_max) {
        respond(e.id, repld::error{.code = errc::refused,
                                   .message = service_ ? "too many requests on one connection"
                                                       : "requests are not answered here"});
        return;
    }
    ++serving_;
    spawn(executor_, serve(weak_from_this(), service_, e.id, std::move(e.body), origin_));
}

task<void> rpc_endpoint::serve(std::weak_ptr<rpc_endpoint> from,
                               std::shared_ptr<request_service> service, std::uint64_t id,
                               json request, request_origin origin) {
    progress_sink progress = [from, id](json report) {
        const auto self = from.lock();
        if (!self) return;
        const envelope e{.type = envelope_type::progress, .id = id, .body = std::move(report)};
        static_cast<void>(self->link_->post(e));
    };
    auto outcome = co_await request_service::answer(std::move(service), std::move(request),
                                                    std::move(origin), std::move(progress));
    const auto self = from.lock();
    if (!self) co_return;
    --self->serving_;
    self->respond(id, outcome);
}

void rpc_endpoint::respond(std::uint64_t id, const result<json>& outcome) {
    envelope e{.type = envelope_type::response, .id = id, .body = json::object()};
    if (outcome) {
        e.body["value"] = *outcome;
    } else {
        e.body["error"] = encode_error(outcome.error());
    }
    if (auto posted = link_->post(e); !posted && posted.error().code == errc::refused) {
        e.body = json::object();
        e.body["error"] = encode_error(posted.error());
        static_cast<void>(link_->post(e));
    }
}

void rpc_endpoint::handle_response(envelope e) {
    const auto found = waiting_.find(e.id);
    // Too late for its deadline: nobody waits any more.
    if (found == waiting_.end()) return;
    auto& call = *found->second;
    if (call.outcome) return;
    const bool whole = e.body.is_object();
    if (whole && e.body.contains("value")) {
        call.outcome = result<json>(std::move(e.body["value"]));
    } else {
        call.outcome = result<json>(decode_error(whole ? e.body.value("error", json{}) : json{}));
    }
    call.timer.cancel();
}

void rpc_endpoint::fail_all(const repld::error& why) {
    for (auto& [id, call] : waiting_) {
        if (!call->outcome) call->outcome = result<json>(why);
        call->timer.cancel();
    }
}

}  // namespace repld::net
