#include "postgres/server.hpp"

#include "postgres/server_state.hpp"

namespace repld::postgres {

std::string slot_name(node_id id) {
    return "repld_" + std::to_string(id);
}

local_server::local_server(asio::any_io_executor executor, server_settings settings)
    : state_(std::make_shared<state>(std::move(executor), std::move(settings))) {}

local_server::~local_server() {
    state_->stop_watching();
}

const server_settings& local_server::settings() const noexcept {
    return state_->settings;
}

task<result<std::string>> local_server::query_value(std::string sql, duration limit) {
    const auto held = state_;
    auto rows = co_await held->statement(std::move(sql), limit);
    if (!rows) co_return std::move(rows).error();
    co_return rows->at(0, std::size_t{0}).value_or("");
}

task<result<void>> local_server::on_disk(std::function<result<void>()> work, duration limit) {
    const auto held = state_;
    co_return co_await held->copying.run(std::move(work), limit);
}

task<result<void>> local_server::checkpoint(duration limit) {
    const auto held = state_;
    const boot_time deadline = platform::boot_now() + limit;
    auto where = held->link_conninfo();
    if (!where) co_return std::move(where).error();
    auto opened = co_await connection::open(where->to_string(), limit);
    if (!opened) co_return std::move(opened).error();
    auto done = co_await (*opened)->query_simple("CHECKPOINT", until(deadline));
    if (!done) co_return std::move(done).error();
    co_return result<void>{};
}

}  // namespace repld::postgres
