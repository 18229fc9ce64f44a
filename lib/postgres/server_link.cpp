// The kept connection to the local server: opened when it is needed, replaced when it broke, not
// tried again at once when it cannot be had.
#include "postgres/server_sql.hpp"
#include "postgres/server_state.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

constexpr duration pause_min = 5ms;
constexpr duration pause_max = 500ms;

}  // namespace

result<conninfo> local_server::state::link_conninfo() const {
    result<conninfo> made = conninfo();
    if (settings.local_conninfo && !settings.local_conninfo->empty()) {
        made = conninfo::parse(*settings.local_conninfo);
        if (!made) return made;
    } else {
        auto alive = find_postmaster(settings.data_directory);
        if (!alive) return std::move(alive).error();
        if (!alive->has_value()) {
            return error{errc::unreachable, "PostgreSQL does not run on data directory \"" +
                                                settings.data_directory.string() + "\""};
        }
        if ((*alive)->file.port == 0) {
            return error{errc::unreachable, "PostgreSQL has not opened its socket yet"};
        }
        made = local_conninfo((*alive)->file);
    }
    made->set_default("dbname", "postgres");
    made->set("application_name", "repld");
    return made;
}

task<result<row_set>> local_server::state::statement(std::string sql, duration limit) {
    co_return co_await statement_until(std::move(sql), platform::boot_now() + limit);
}

task<result<row_set>> local_server::state::statement_until(std::string sql, boot_time deadline) {
    auto turn = co_await link_turns.take(until(deadline));
    if (!turn) co_return time_is_up("reach PostgreSQL", "An earlier statement has not come back.");

    // Twice: the first failure may only show that the connection was ended (a backend crash, a
    // restart) since it was last used.
    for (int attempt = 0; attempt < 2; ++attempt) {
        const bool fresh = !link || !link->usable();
        if (fresh) {
            link.reset();
            postmaster_life now{};
            if (auto alive = find_postmaster(settings.data_directory); alive && alive->has_value())
                now = {(*alive)->file.pid, (*alive)->start_ticks};
            if (now != link_life) {
                link_life = now;
                retry_pause = {};
                retry_at = {};
            }
            if (last_failure && retry_at > deadline) co_return *last_failure;
            if (until(retry_at) > duration::zero()) co_await pause_for(until(retry_at));
            auto where = link_conninfo();
            if (!where) co_return std::move(where).error();
            auto opened = co_await connection::open(where->to_string(), until(deadline));
            if (opened) {
                auto prepared = co_await (*opened)->query_simple(session_sql(), until(deadline));
                if (!prepared) opened = std::move(prepared).error();
            }
            if (!opened) {
                retry_pause = std::clamp<duration>(retry_pause * 2, pause_min, pause_max);
                retry_at = platform::boot_now() + retry_pause;
                last_failure = opened.error();
                co_return std::move(opened).error();
            }
            retry_pause = {};
            last_failure.reset();
            link = std::move(*opened);
        }
        auto rows = co_await link->query_simple(sql, until(deadline));
        if (rows || fresh || link->usable() || passed(deadline)) co_return rows;
    }
    co_return error{errc::unreachable, "could not keep a connection to PostgreSQL"};
}

}  // namespace repld::postgres
