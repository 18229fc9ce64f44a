#include "net/control_client.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "net/client_call.hpp"
#include "net/control_server.hpp"
#include "net/spawn.hpp"
#include "net/unix_stream.hpp"

namespace repld::net {
namespace {

using local = asio::local::stream_protocol;

constexpr duration idle_limit = std::chrono::seconds(10);

task<void> call_and_keep(asio::any_io_executor executor, std::string path, json request,
                         duration limit, progress_sink on_progress,
                         std::shared_ptr<std::optional<result<json>>> answer) {
    auto outcome = co_await call_control_async(executor, std::move(path), std::move(request), limit,
                                               std::move(on_progress));
    answer->emplace(std::move(outcome));
}

}  // namespace

task<result<json>> call_control_async(asio::any_io_executor executor, std::string path,
                                      json request, duration limit, progress_sink on_progress) {
    repld::error failed{.code = errc::unreachable,
                        .message = "could not connect to repld at \"" + path + "\"",
                        .detail = "The path is empty or too long for a Unix socket.",
                        .hint = "Check that repld runs, and paths.run in its configuration."};
    if (path.empty() || path.size() > control_path_bytes_max) co_return failed;
    local::socket socket(executor);
    // A Unix socket connects at once or not at all: a full queue is an error, not a wait.
    auto [code] = co_await socket.async_connect(local::endpoint(path), as_result);
    if (code) {
        failed.detail = code.message();
        if (code == boost::system::errc::permission_denied) {
            failed.code = errc::refused;
            failed.hint = "Run replctl as the user that runs repld.";
        }
        co_return failed;
    }
    const connection_limits limits{.receive_bytes_max = frame_bytes_max_peer,
                                   .idle_limit = idle_limit};
    auto stream = std::make_shared<connection>(
        executor, std::make_shared<unix_stream>(std::move(socket), "repld"), limits);
    stream->start();
    co_return co_await call_once(executor, std::move(stream), std::move(request), limit,
                                 std::move(on_progress));
}

result<json> call_control(const std::string& path, json request, duration limit,
                          progress_sink on_progress) {
    auto answer = std::make_shared<std::optional<result<json>>>();
    try {
        asio::io_context context(1);
        spawn(context.get_executor(),
              call_and_keep(context.get_executor(), path, std::move(request), limit,
                            std::move(on_progress), answer));
        context.run();
    } catch (const std::exception& failure) {
        return repld::error{
            .code = errc::internal, .message = "could not talk to repld", .detail = failure.what()};
    }
    if (!*answer) return repld::error{.code = errc::internal, .message = "could not talk to repld"};
    return std::move(**answer);
}

}  // namespace repld::net
