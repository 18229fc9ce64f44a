#include "schema/session.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "platform/boottime.hpp"
#include "postgres/conninfo.hpp"

namespace repld::schema {

namespace {

// search_path: a function or table that somebody put into "public" must never be run with our
// rights. synchronous_commit: a commit that waits for standbys would hang exactly when it is
// needed.
constexpr const char* session_settings =
    "-c search_path=pg_catalog -c synchronous_commit=local -c default_transaction_read_only=off "
    "-c client_min_messages=warning -c bytea_output=hex -c standard_conforming_strings=on";

}  // namespace

time_budget::time_budget(duration limit) : end_(platform::boot_now() + limit) {}

duration time_budget::left() const {
    const duration least = std::chrono::milliseconds(1);
    return std::max(least, duration(end_ - platform::boot_now()));
}

bool time_budget::used_up() const {
    return platform::boot_now() >= end_;
}

task<result<std::unique_ptr<postgres::connection>>> open_session(std::string local_conninfo,
                                                                 std::string database,
                                                                 time_budget budget) {
    auto parsed = postgres::conninfo::parse(local_conninfo);
    if (!parsed) co_return parsed.error();
    const std::string given = parsed->get("options").value_or("");
    parsed->set("options", given.empty() ? session_settings : given + " " + session_settings);
    if (!database.empty()) parsed->set("dbname", database);
    std::string text = parsed->to_string();
    co_return co_await postgres::connection::open(std::move(text), budget.left());
}

task<result<void>> begin(postgres::connection& on, time_budget budget) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(budget.left()).count();
    const std::string ms = std::to_string(std::max<long long>(1, left));
    std::string sql =
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = local; SET LOCAL "
        "statement_timeout = " +
        ms + "; SET LOCAL lock_timeout = " + ms +
        "; SET LOCAL idle_in_transaction_session_timeout = " + ms;
    const auto answer = co_await on.query_simple(std::move(sql), budget.left());
    co_return outcome_of(answer);
}

result<void> outcome_of(const result<postgres::row_set>& answer) {
    if (answer) return {};
    return answer.error();
}

}  // namespace repld::schema
