#include "net/client_call.hpp"

#include "net/at_exit.hpp"
#include "net/spawn.hpp"

namespace repld::net {
namespace {

task<void> read_answers(std::shared_ptr<connection> stream, std::shared_ptr<rpc_endpoint> rpc) {
    for (;;) {
        auto received = co_await stream->receive();
        if (!received) {
            rpc->fail_all(received.error());
            co_return;
        }
        if (received->type == envelope_type::refuse) {
            stream->close(decode_error(received->body));
            continue;
        }
        rpc->handle(std::move(*received));
    }
}

}  // namespace

task<result<json>> call_once(asio::any_io_executor executor, std::shared_ptr<connection> stream,
                             json request, duration limit, progress_sink on_progress) {
    const auto rpc = std::make_shared<rpc_endpoint>(executor, stream, nullptr, request_origin{});
    const at_exit close([&] {
        stream->close(repld::error{.code = errc::unreachable, .message = "the call has ended"});
    });
    spawn(executor, read_answers(stream, rpc));
    co_return co_await rpc_endpoint::call(rpc, std::move(request), limit, std::move(on_progress));
}

}  // namespace repld::net
