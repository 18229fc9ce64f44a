// One node: wires the core to its adapters. Event loop only.
//
// Rooms: daemon.cpp (life, messages, identity), daemon_loops.cpp (periodic work), daemon_status.cpp
// (what is told to others and shown), daemon_api.cpp (requests), daemon_join.cpp (both halves of
// joining), daemon_create.cpp.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "config/host_config.hpp"
#include "core_host.hpp"
#include "join_tokens.hpp"
#include "logging/log.hpp"
#include "net/asio.hpp"
#include "net/control_server.hpp"
#include "net/peer_mesh.hpp"
#include "postgres/connection.hpp"
#include "schema/metadata_writer.hpp"
#include "secrets.hpp"
#include "server_host.hpp"
#include "status_board.hpp"

namespace repld {

using json = nlohmann::json;

// What main() found out before the loop runs.
struct daemon_start {
    config::host_config config;
    durable_state durable;
    std::unique_ptr<storage::async_store> store;
    host_secrets secrets;
    std::string machine_id;
    std::string program_version;
};

// Tells each step of a join: to replctl, to the log, and as the state of this node.
struct join_steps {
    std::string& current;
    net::progress_sink progress;
    logging::logger& log;
    std::vector<std::string> told{};
    void operator()(std::string word, std::string text);
};

class node_daemon {
public:
    node_daemon(asio::io_context& loop, daemon_start start, logging::logger& log);

    // errc::configuration, io or refused when an address or the socket cannot be taken.
    result<void> start();
    // Gives up the lease, if any, before it ends everything; PostgreSQL is left running.
    task<void> leave(std::string why);
    void stop();
    void reload(const result<config::host_config>& fresh);

private:
    // daemon.cpp
    void core_changed();
    void update_peers(const cluster_state& state);
    void on_peer_message(node_id from, const json& body);
    void tell(const note& n);
    void queue_event(schema::event_row row);
    void send_register(const repld::send& message);
    result<void> admit(const net::hello& who, const net::link_origin& origin) const;
    net::hello own_hello() const;
    [[nodiscard]] const cluster_state* state() const { return core_.core().state(); }
    [[nodiscard]] duration interval() const;
    [[nodiscard]] bool leads() const;
    [[nodiscard]] node_id leader() const;
    [[nodiscard]] std::string upstream_conninfo(node_id id) const;
    // A server's own conninfo as this node uses it to stream from it.
    [[nodiscard]] std::string streaming_conninfo(const std::string& theirs) const;
    [[nodiscard]] node_id whose_server(const std::string& primary_conninfo) const;
    [[nodiscard]] std::string local_conninfo() const;
    [[nodiscard]] std::string metadata_conninfo() const;

    // daemon_loops.cpp
    void make_metadata_writer();
    task<void> periodic();
    task<void> metadata_loop();
    task<void> upstream_loop();
    task<void> slots_loop();
    task<void> give_up_slots(std::uint64_t bytes);
    [[nodiscard]] std::vector<std::string> wanted_slots() const;

    // daemon_status.cpp
    [[nodiscard]] std::string quoted_name(node_id id) const;
    [[nodiscard]] node_status own_status() const;
    void publish_status();
    [[nodiscard]] json daemon_status() const;
    [[nodiscard]] json show_response() const;

    // daemon_api.cpp
    task<json> handle(json request, net::request_origin origin, net::progress_sink progress);
    task<json> dispatch(std::string command, json args, net::request_origin origin,
                        net::progress_sink progress);
    [[nodiscard]] error not_in_a_cluster() const;
    task<json> on_leader(std::string command, json args);
    task<json> api_settings(json args);
    task<json> api_token(json args);
    task<json> api_events(json args);

    // daemon_create.cpp
    task<json> api_create(json args);
    task<std::vector<std::string>> check_own_address(std::uint64_t system_identifier);
    [[nodiscard]] member own_member() const;

    // daemon_join.cpp
    task<json> api_join(json args, node_role role, net::progress_sink progress);
    task<result<json>> ask_cluster(json request, const std::string& address,
                                   std::optional<std::string> token, duration limit);
    task<result<void>> prepare_server(const json& begin, bool replace, bool dry_run,
                                      join_steps& step);
    task<result<void>> clone_from(std::string source, std::string leader, bool running,
                                  join_steps& step);
    task<json> join_begin(json args);
    task<json> join_finish(json args);

    asio::io_context& loop_;
    asio::thread_pool disk_{1};  // small writes that no decision waits for
    config::host_config config_;
    logging::logger& log_;
    host_secrets secrets_;
    std::string machine_id_;
    std::string program_version_;
    nonce process_nonce_;
    boot_time started_;
    core_host core_;
    std::optional<server_host> server_;
    net::peer_mesh mesh_;
    net::control_server control_;
    status_board board_;
    join_tokens tokens_;
    std::unique_ptr<schema::metadata_writer> metadata_;
    std::string metadata_through_;          // the conninfo it was made with
    std::deque<schema::event_row> events_;  // until a leader takes them
    std::deque<std::pair<boot_time, std::string>> decisions_;
    asio::steady_timer status_timer_;
    asio::steady_timer metadata_timer_;
    asio::steady_timer slots_timer_;
    asio::steady_timer upstream_timer_;
    version_number peers_version_ = 0;
    ballot peers_under_{};
    std::string peers_written_;
    std::string last_published_;
    std::string metadata_error_;
    std::string slots_error_;
    std::string upstream_error_;
    bool upstream_answers_ = false;
    std::map<node_id, boot_time> joiners_;  // whose slots are kept until they are members
    std::pair<node_id, std::string>
        joined_from_;  // whom a joining node streams from, and its conninfo
    bool joining_ = false;
    std::string join_step_;
    bool leaving_ = false;
    bool stopped_ = false;
};

// How requests are answered (the contract with replctl): {"exit_code", "result"?, "error"?}.
[[nodiscard]] json answer(json result, int exit_code = 0);
[[nodiscard]] json refuse(const error& e);
[[nodiscard]] int exit_code_of(errc code);

}  // namespace repld
