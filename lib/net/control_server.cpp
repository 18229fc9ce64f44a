#include "net/control_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
#include <utility>

#include "net/at_exit.hpp"
#include "net/log_limiter.hpp"
#include "net/spawn.hpp"
#include "net/unix_stream.hpp"

namespace repld::net {
namespace {

using local = asio::local::stream_protocol;

constexpr duration idle_limit = std::chrono::seconds(10);
constexpr duration accept_retry = std::chrono::milliseconds(100);

repld::error path_error(errc code, const std::string& path, std::string detail,
                        std::string hint = {}) {
    return repld::error{.code = code,
                        .message = "could not listen on socket \"" + path + "\"",
                        .detail = std::move(detail),
                        .hint = std::move(hint)};
}

// Connecting to a Unix socket never waits: it succeeds, is refused, or the queue is full.
bool somebody_answers(const asio::any_io_executor& executor, const std::string& path) {
    local::socket probe(executor);
    boost::system::error_code code;
    probe.open(local(), code);
    if (!code) probe.non_blocking(true, code);
    if (!code) probe.connect(local::endpoint(path), code);
    return code != asio::error::connection_refused && code != asio::error::not_found &&
           code != boost::system::errc::no_such_file_or_directory;
}

result<void> clear_path(const asio::any_io_executor& executor, const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return path_error(errc::io, path, std::strerror(errno));
    }
    if (!S_ISSOCK(status.st_mode)) {
        return path_error(errc::refused, path, "A file that is not a socket is in the way.");
    }
    if (somebody_answers(executor, path)) {
        return path_error(errc::refused, path, "Another daemon answers there.",
                          "Stop the other repld, or give this one its own paths.run.");
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return path_error(errc::io, path, std::strerror(errno));
    }
    return {};
}

std::optional<ucred> credentials_of(local::socket& socket) {
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
        return std::nullopt;
    }
    return who;
}

}  // namespace

class control_core : public std::enable_shared_from_this<control_core> {
public:
    control_core(const asio::any_io_executor& executor, request_handler handler, log_sink log)
        : executor_(executor),
          acceptor_(executor),
          accept_pause_(executor),
          requests_(std::make_shared<request_service>(executor, std::move(handler), log)),
          log_(std::move(log)) {}

    result<void> listen(const std::string& path);
    void stop();

private:
    static task<void> accept_loop(std::shared_ptr<control_core> self);
    static task<void> serve(std::shared_ptr<control_core> self, local::socket socket);
    boost::system::error_code bind(const std::string& path);
    void complain(const std::string& text) {
        if (!stopped_ && complaints_.allow(text)) log_to(log_, log_level::warning, text);
    }

    asio::any_io_executor executor_;
    local::acceptor acceptor_;
    asio::steady_timer accept_pause_;
    std::shared_ptr<request_service> requests_;
    log_sink log_;
    log_limiter complaints_;
    std::list<std::shared_ptr<connection>> connections_;
    std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    bool stopped_ = false;
};

// Nobody can connect between bind() and listen(), so the mode is right before it matters; a umask
// would be in force for other threads too.
boost::system::error_code control_core::bind(const std::string& path) {
    boost::system::error_code code;
    acceptor_.open(local(), code);
    if (!code) acceptor_.bind(local::endpoint(path), code);
    if (!code && ::chmod(path.c_str(), 0600) != 0)
        code.assign(errno, boost::system::system_category());
    struct stat status {};
    if (!code && ::lstat(path.c_str(), &status) != 0) {
        code.assign(errno, boost::system::system_category());
    }
    if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
    if (code) {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        return code;
    }
    path_ = path;
    device_ = status.st_dev;
    inode_ = status.st_ino;
    return code;
}

result<void> control_core::listen(const std::string& path) {
    if (acceptor_.is_open() || stopped_) {
        return path_error(errc::internal, path, "The server has been started already.");
    }
    if (path.empty() || path.size() > control_path_bytes_max) {
        return path_error(
            errc::configuration, path,
            "The path has more than " + std::to_string(control_path_bytes_max) + " bytes.",
            "Choose a shorter paths.run.");
    }
    if (auto cleared = clear_path(executor_, path); !cleared) return cleared;
    if (const auto code = bind(path); code) return path_error(errc::io, path, code.message());
    spawn(executor_, accept_loop(shared_from_this()));
    return {};
}

void control_core::stop() {
    if (stopped_) return;
    stopped_ = true;
    requests_->silence();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    struct stat status {};
    if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
        status.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
    for (const auto& one : std::exchange(connections_, {})) {
        one->close(repld::error{.code = errc::unreachable, .message = "repld is shutting down"});
    }
}

task<void> control_core::accept_loop(std::shared_ptr<control_core> self) {
    while (!self->stopped_) {
        auto [code, socket] = co_await self->acceptor_.async_accept(as_result);
        if (self->stopped_) break;
        if (code) {
            self->complain("could not accept a control connection: " + code.message());
            self->accept_pause_.expires_after(accept_retry);
            co_await self->accept_pause_.async_wait(as_result);
            continue;
        }
        if (self->connections_.size() >= control_connections_max) {
            self->complain("too many control connections");
            continue;
        }
        spawn(self->executor_, serve(self, std::move(socket)));
    }
}

task<void> control_core::serve(std::shared_ptr<control_core> self, local::socket socket) {
    const auto who = credentials_of(socket);
    const connection_limits limits{.receive_bytes_max = frame_bytes_max_control,
                                   .idle_limit = idle_limit};
    const auto stream = std::make_shared<connection>(
        self->executor_, std::make_shared<unix_stream>(std::move(socket), "local client"), limits);
    // Asked before: accepting and serving are different turns of the loop.
    if (self->stopped_ || self->connections_.size() >= control_connections_max) co_return;
    stream->start();
    self->connections_.push_back(stream);
    const at_exit leave([&] { self->connections_.remove(stream); });
    if (!who || (who->uid != ::geteuid() && who->uid != 0)) {
        self->complain("refused a control connection of user " +
                       (who ? std::to_string(who->uid) : std::string("unknown")));
        const repld::error no{.code = errc::refused,
                              .message = "permission denied",
                              .detail = "Only the user that runs repld, and root, may talk to it."};
        const envelope refuse{.type = envelope_type::refuse, .id = 0, .body = encode_error(no)};
        static_cast<void>(stream->post(refuse));
        stream->finish();
        co_return;
    }
    request_origin origin{.from = request_origin::channel::local,
                          .node = 0,
                          .address = "local",
                          .psk_identity = {},
                          .user_id = who->uid,
                          .process_id = who->pid};
    const auto rpc =
        std::make_shared<rpc_endpoint>(self->executor_, stream, self->requests_, std::move(origin));
    for (;;) {
        auto received = co_await stream->receive();
        if (!received) break;
        if (received->type != envelope_type::request) {
            stream->close(repld::error{.code = errc::protocol, .message = "not a request"});
            continue;
        }
        rpc->handle(std::move(*received));
    }
}

control_server::control_server(const asio::any_io_executor& executor, request_handler handler,
                               log_sink log)
    : core_(std::make_shared<control_core>(executor, std::move(handler), std::move(log))) {}

control_server::~control_server() {
    core_->stop();
}

result<void> control_server::listen(const std::string& path) {
    return core_->listen(path);
}

void control_server::stop() {
    core_->stop();
}

}  // namespace repld::net
