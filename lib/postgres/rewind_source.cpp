#include "postgres/rewind_source.hpp"

#include "postgres/connection.hpp"
#include "postgres/server_state.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

constexpr duration ask_again = 50ms;

}  // namespace

result<program_conninfo> for_program(const std::string& conninfo_text) {
    auto parsed = conninfo::parse(conninfo_text);
    if (!parsed) return std::move(parsed).error();
    program_conninfo out;
    out.password = parsed->get("password").value_or("");
    parsed->remove("password");
    parsed->set_default("dbname", "postgres");
    parsed->set_default("connect_timeout", "10");
    out.text = parsed->to_string();
    return out;
}

task<result<timeline_id>> wait_for_timeline(std::string conninfo_text, timeline_id timeline,
                                            boot_time deadline) {
    std::optional<error> last;
    timeline_id seen = 0;
    for (;;) {
        auto opened =
            co_await connection::open(conninfo_text, std::min<duration>(until(deadline), 5s));
        if (!opened) last = opened.error();
        while (opened && !passed(deadline)) {
            auto rows = co_await (*opened)->query_simple(
                "SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()", until(deadline));
            if (!rows) {
                last = rows.error();
                break;
            }
            seen = static_cast<timeline_id>(rows->number(0, "timeline_id").value_or(0));
            if (seen >= timeline) co_return seen;
            last.reset();
            co_await pause_for(ask_again);
        }
        if (passed(deadline)) break;
        co_await pause_for(ask_again);
    }
    if (last) co_return *last;
    co_return error{errc::refused,
                    "cannot rewind yet: the source has made no checkpoint on timeline " +
                        std::to_string(timeline),
                    "Its control file is on timeline " + std::to_string(seen) + ".",
                    "Run CHECKPOINT on the source."};
}

task<result<std::vector<timeline_switch>>> read_history(std::string conninfo_text,
                                                        timeline_id timeline, duration limit) {
    if (timeline <= 1) co_return std::vector<timeline_switch>{};
    const boot_time deadline = platform::boot_now() + limit;
    auto parsed = conninfo::parse(conninfo_text);
    if (!parsed) co_return std::move(parsed).error();
    // Unlike on our own host, the pg_hba lines of the source allow "replication" for sure.
    parsed->set("replication", "true");
    auto opened = co_await connection::open(parsed->to_string(), limit);
    if (!opened) co_return std::move(opened).error();
    auto rows = co_await (*opened)->query_simple("TIMELINE_HISTORY " + std::to_string(timeline),
                                                 until(deadline));
    if (!rows) co_return std::move(rows).error();
    co_return parse_history(rows->text(0, "content"), timeline);
}

}  // namespace repld::postgres
