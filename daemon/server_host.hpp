// This host's PostgreSQL for the core: looks at it, carries out the tasks, one at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/event.hpp"
#include "logging/log.hpp"
#include "net/asio.hpp"
#include "postgres/clone.hpp"
#include "postgres/rewind.hpp"
#include "postgres/server.hpp"

namespace repld {

// What the tasks need to know of the cluster; all are asked at the moment of use.
struct server_host_context {
    std::function<void(event)> feed;
    // How this node streams from that one: conninfo with application_name and passfile; empty when
    // the node is not known.
    std::function<std::string(node_id)> upstream_conninfo;
    // The member whose server `primary_conninfo` names; 0 for none, UINT32_MAX for a stranger.
    std::function<node_id(const std::string& primary_conninfo)> whose_server;
    std::function<rejoin_policy()> policy;
    std::function<node_id()> leader;
    std::function<duration()> interval;
    std::function<timeline_id()> last_timeline;
    std::filesystem::path state_directory;
    node_id self = 0;
    logging::logger* log = nullptr;
};

class server_host {
public:
    server_host(asio::any_io_executor executor, postgres::server_settings settings,
                std::string own_conninfo, server_host_context context);

    void start();
    void stop();
    void observe_soon();
    // Ends the task before it, and feeds server_task_done when this one has an outcome.
    void run(std::uint64_t task, const server_task& what);

    [[nodiscard]] const postgres::observation& last() const { return last_; }
    [[nodiscard]] boot_time last_at() const { return last_at_; }
    [[nodiscard]] const std::string& doing() const { return doing_; }
    [[nodiscard]] postgres::local_server& server() { return server_; }
    // Looks now and returns what was seen; also feeds it.
    task<postgres::observation> look();

private:
    struct running_task;

    task<void> watch_loop();
    task<void> carry_out(std::uint64_t id, server_task what, std::shared_ptr<running_task> before,
                         std::shared_ptr<running_task> own);
    task<server_task_done> one(freeze_server t);
    task<server_task_done> one(fence_server t);
    task<server_task_done> one(start_standby t);
    task<server_task_done> one(restart_server t);
    task<server_task_done> one(promote_server t);
    task<server_task_done> one(follow_upstream t);
    task<server_task_done> one(rejoin_server t);
    // After a rewind or a clone: streams from the start.
    task<result<void>> start_from(node_id upstream);
    task<result<std::string>> rewind_or_clone(node_id upstream, lsn fork, timeline_id own);
    [[nodiscard]] std::filesystem::path rewound_marker() const;
    void postmaster_died();

    asio::any_io_executor executor_;
    postgres::local_server server_;
    std::string own_conninfo_;
    server_host_context context_;
    asio::steady_timer wake_;
    postgres::observation last_;
    boot_time last_at_{};
    boot_time quick_until_{};
    bool stopped_ = false;
    std::uint64_t changes_ = 0;  // tasks begun and ended, deaths of the postmaster
    std::string doing_;
    std::shared_ptr<running_task> current_;
};

}  // namespace repld
