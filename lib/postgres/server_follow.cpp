// follow() and ensure_slots(): where WAL comes from, and what is kept for others.
#include <algorithm>

#include "postgres/server_kept_wal.hpp"
#include "postgres/server_state.hpp"
#include "postgres/settings_file.hpp"

namespace repld::postgres {
namespace {

using namespace std::chrono_literals;

constexpr duration follow_limit = 10s;
constexpr duration slots_limit = 10s;
constexpr std::string_view own_prefix = "repld_";

std::string alter(std::string_view name, const std::optional<std::string>& value) {
    if (!value) return "ALTER SYSTEM RESET " + std::string(name);
    return "ALTER SYSTEM SET " + std::string(name) + " = " + quote_literal(*value);
}

struct wanted_slots {
    std::vector<std::string> create{};
    std::vector<std::string> drop{};
    std::vector<std::pair<std::string, lsn>> advance{};
};

wanted_slots compare(const observation& seen, const std::vector<std::string>& names,
                     const std::map<std::string, lsn>& advance_to) {
    wanted_slots out;
    for (const auto& name : names) {
        const bool there = std::any_of(seen.slots.begin(), seen.slots.end(),
                                       [&](const slot_facts& s) { return s.name == name; });
        if (!there) out.create.push_back(name);
    }
    for (const auto& slot : seen.slots) {
        if (!slot.physical || !slot.name.starts_with(own_prefix)) continue;
        const bool wanted = std::find(names.begin(), names.end(), slot.name) != names.end();
        if (!wanted && !slot.active) out.drop.push_back(slot.name);
        const auto target = advance_to.find(slot.name);
        if (!wanted || slot.active || !seen.in_recovery || target == advance_to.end()) continue;
        // Beyond replay the slot would let WAL go that a server promoted here needs.
        const lsn to = std::min(target->second, seen.replay);
        if (to > slot.restart && slot.restart.valid()) out.advance.emplace_back(slot.name, to);
    }
    return out;
}

}  // namespace

task<result<void>> local_server::follow(std::string conninfo_text, std::string slot) {
    const auto held = state_;
    const auto& directory = held->settings.data_directory;
    const boot_time deadline = platform::boot_now() + follow_limit;
    auto rows = co_await held->statement_until(
        "SELECT pg_is_in_recovery() AS rec, current_setting('primary_conninfo') AS conninfo, "
        "current_setting('primary_slot_name') AS slot",
        deadline);
    if (!rows) co_return std::move(rows).error();
    if (!rows->flag(0, "rec")) {
        co_return error{errc::refused, "cannot follow an upstream: PostgreSQL is no standby"};
    }
    auto stored_conninfo = read_auto_setting(directory, "primary_conninfo");
    auto stored_slot = read_auto_setting(directory, "primary_slot_name");
    auto kept = find_kept_wal(directory);
    if (!stored_conninfo) co_return std::move(stored_conninfo).error();
    if (!stored_slot) co_return std::move(stored_slot).error();
    if (!kept) co_return std::move(kept).error();

    std::vector<std::string> changes;
    // Without an entry of its own the file counts as ''.
    if (stored_slot->value_or("") != slot || rows->text(0, "slot") != slot)
        changes.push_back(alter("primary_slot_name", slot));
    if (*stored_conninfo != conninfo_text || rows->text(0, "conninfo") != conninfo_text)
        changes.push_back(alter("primary_conninfo", conninfo_text));
    if (*kept) changes.push_back(alter("wal_keep_size", (*kept)->earlier));
    if (changes.empty()) co_return result<void>{};
    changes.emplace_back("SELECT pg_reload_conf()");
    // One by one: ALTER SYSTEM is refused where several statements come together.
    for (auto& change : changes) {
        auto done = co_await held->statement_until(std::move(change), deadline);
        if (!done) co_return std::move(done).error();
    }
    if (!*kept) co_return result<void>{};
    std::function<result<void>()> forget = [directory] { return forget_kept_wal(directory); };
    co_return co_await held->disk.run(std::move(forget), std::max<duration>(until(deadline), 1s));
}

task<result<void>> local_server::ensure_slots(std::vector<std::string> names,
                                              std::map<std::string, lsn> advance_to) {
    const auto held = state_;
    const boot_time deadline = platform::boot_now() + slots_limit;
    auto seen = co_await held->answer(deadline);
    if (!seen) co_return std::move(seen).error();
    const wanted_slots work = compare(*seen, names, advance_to);
    std::vector<std::string> statements;
    // Dropped first: max_replication_slots may leave no room otherwise.
    for (const auto& name : work.drop)
        statements.push_back("SELECT pg_drop_replication_slot(" + quote_literal(name) + ")");
    for (const auto& name : work.create)
        statements.push_back("SELECT pg_create_physical_replication_slot(" + quote_literal(name) +
                             ", true)");
    for (const auto& [name, to] : work.advance)
        statements.push_back("SELECT pg_replication_slot_advance(" + quote_literal(name) + ", '" +
                             to_string(to) + "')");
    result<void> outcome;
    for (auto& statement : statements) {
        auto done = co_await held->statement_until(std::move(statement), deadline);
        if (!done && outcome) outcome = std::move(done).error();
    }
    co_return outcome;
}

}  // namespace repld::postgres
