#include "net/peer_mesh.hpp"

#include "net/mesh_core.hpp"

namespace repld::net {
namespace {

// Not a member: a call outlives the mesh that it was made on.
task<result<json>> call_over(std::shared_ptr<peer_link> link, node_id peer, json request,
                             duration limit, progress_sink on_progress) {
    if (!link) {
        co_return repld::error{.code = errc::unreachable,
                               .message = "node " + std::to_string(peer) + " is not connected"};
    }
    co_return co_await rpc_endpoint::call(link->rpc, std::move(request), limit,
                                          std::move(on_progress));
}

}  // namespace

peer_mesh::peer_mesh(const asio::any_io_executor& executor, mesh_settings settings,
                     mesh_callbacks callbacks)
    : core_(std::make_shared<mesh_core>(executor, settings, std::move(callbacks))) {}

peer_mesh::~peer_mesh() {
    core_->stop();
}

result<void> peer_mesh::listen(const std::string& host, std::uint16_t port) {
    return core_->listen(host, port);
}

std::uint16_t peer_mesh::port() const {
    return core_->port();
}

void peer_mesh::set_peers(const std::vector<peer_endpoint>& peers) {
    const auto core = core_;  // callbacks may destroy the mesh
    core->set_peers(peers);
}

void peer_mesh::set_idle_limit(duration limit) {
    core_->set_idle_limit(limit);
}

bool peer_mesh::send(node_id peer, const json& message) {
    return core_->send(peer, message);
}

task<result<json>> peer_mesh::call(node_id peer, json request, duration limit,
                                   progress_sink on_progress) {
    return call_over(core_->live_link(peer), peer, std::move(request), limit,
                     std::move(on_progress));
}

std::vector<link_status> peer_mesh::links() const {
    return core_->links();
}

void peer_mesh::stop() {
    core_->stop();
}

}  // namespace repld::net
