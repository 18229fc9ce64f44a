#include "core/cluster_state.hpp"

namespace repld {

const member* cluster_state::find(node_id id) const {
    const auto it =
        std::find_if(members.begin(), members.end(), [id](const member& m) { return m.id == id; });
    return it == members.end() ? nullptr : &*it;
}

const member* cluster_state::find(const std::string& name) const {
    const auto it = std::find_if(members.begin(), members.end(),
                                 [&name](const member& m) { return m.name == name; });
    return it == members.end() ? nullptr : &*it;
}

namespace {

const timeline_entry* entry_of(const cluster_state& state, timeline_id timeline) {
    const auto it = std::find_if(state.timelines.begin(), state.timelines.end(),
                                 [timeline](const auto& e) { return e.timeline == timeline; });
    return it == state.timelines.end() ? nullptr : &*it;
}

// How far `timeline` belongs to the living branch; nothing when it does not. The last timeline
// belongs to it without an end.
std::optional<lsn> end_on_branch(const cluster_state& state, timeline_id timeline) {
    lsn end{~std::uint64_t{0}};
    // Parents have lower numbers, so the walk ends.
    for (const auto* e = entry_of(state, state.last_timeline()); e != nullptr;
         e = e->parent < e->timeline ? entry_of(state, e->parent) : nullptr) {
        if (e->timeline == timeline) return end;
        end = std::min(end, e->fork);
    }
    return std::nullopt;
}

}  // namespace

lineage locate(const cluster_state& state, const wal_position& position) {
    using relation = lineage::relation;
    const auto* entry = entry_of(state, position.timeline);
    // A record that claims a timeline before that timeline began is no history that we know.
    if (entry == nullptr || position.end < entry->fork) return {relation::unknown_timeline, {}};
    wal_position counts = position;
    relation is = relation::on_branch;
    while (entry != nullptr) {
        if (const auto end = end_on_branch(state, entry->timeline)) {
            if (counts.end <= *end) return {is, counts};
            return {relation::diverged, {entry->timeline, *end}};
        }
        is = relation::diverged;
        counts = {entry->parent, std::min(counts.end, entry->fork)};
        entry = entry->parent < entry->timeline ? entry_of(state, entry->parent) : nullptr;
    }
    return {relation::unknown_timeline, {}};
}

std::optional<error> membership_conflict(const cluster_state& state, const member& added) {
    for (const member& known : state.members) {
        if (known.id == added.id && known.identity == added.identity) continue;  // itself, again
        const std::string owner = "It belongs to node \"" + known.name + "\" (id " +
                                  std::to_string(known.id) + ") at " + known.address + ".";
        if (known.id == added.id)
            return error{errc::refused, "node id " + std::to_string(added.id) + " is already taken",
                         owner, "Give this host another node.id in its repld.yaml."};
        if (known.name == added.name)
            return error{errc::refused, "node name \"" + added.name + "\" is already taken", owner,
                         "Give this host another node.name in its repld.yaml."};
        if (known.address == added.address)
            return error{errc::refused, "address " + added.address + " is already taken", owner,
                         "Set peer.advertise to this host's own address."};
    }
    return std::nullopt;
}

}  // namespace repld
