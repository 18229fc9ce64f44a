#include "status_board.hpp"

#include "core/units.hpp"
#include "postgres/server.hpp"

namespace repld {

using json = nlohmann::json;

namespace {

double seconds(duration d) {
    return static_cast<double>(d.count()) / 1e9;
}

double rounded(double value, double step) {
    return static_cast<double>(static_cast<std::int64_t>(value / step + 0.5)) * step;
}

std::uint64_t lag_of(const node_status& standby, const node_status* primary) {
    if (primary == nullptr || !standby.replay.valid() || primary->replay <= standby.replay)
        return 0;
    return primary->replay.value - standby.replay.value;
}

// How long a node may be silent before it counts as unreachable.
duration patience(const cluster_state& state) {
    return std::max<duration>(3 * state.settings.heartbeat_interval, std::chrono::seconds(2));
}

// One node of `cluster show`. `status` is nothing for a node that was never heard of.
json node_line(const cluster_state& state, const member& m, const node_status* status, duration age,
               bool reachable, node_id leader, const node_status* primary) {
    const bool known = status != nullptr;
    const node_status blank;
    const node_status& s = known ? *status : blank;
    const bool voter = state.is_voter(m.id);
    json line;
    line["id"] = m.id;
    line["name"] = m.name;
    line["role"] = m.role == node_role::witness ? "witness"
                   : s.writable && reachable    ? "primary"
                   : m.id == leader             ? "primary"
                                                : "standby";
    line["state"] = reachable ? s.state : "unreachable";
    line["reachable"] = reachable;
    line["reason"] =
        reachable ? s.reason
        : known ? "last heard of " + std::to_string(static_cast<long long>(seconds(age))) + " s ago"
                : "never heard of";
    const member* upstream = s.upstream != 0 ? state.find(s.upstream) : nullptr;
    line["upstream"] = upstream != nullptr && m.id != leader ? json(upstream->name) : json(nullptr);
    line["timeline"] = s.timeline != 0 ? json(s.timeline) : json(nullptr);
    line["receive_lsn"] = s.receive.valid() ? json(to_string(s.receive)) : json(nullptr);
    line["replay_lsn"] = s.replay.valid() ? json(to_string(s.replay)) : json(nullptr);
    const bool has_lag = m.role == node_role::data && known && s.replay.valid();
    line["lag_bytes"] = has_lag ? json(lag_of(s, primary)) : json(nullptr);
    line["lag_seconds"] = has_lag ? json(rounded(s.lag_seconds, 0.001)) : json(nullptr);
    line["location"] = m.location;
    line["priority"] = m.priority;
    line["voter"] = voter;
    line["last_seen_seconds"] = known ? json(rounded(seconds(age), 0.001)) : json(nullptr);
    line["age_seconds"] = line["last_seen_seconds"];
    line["conninfo"] = m.conninfo.empty() ? json(nullptr) : json(m.conninfo);
    line["address"] = m.address;
    line["streaming"] = reachable && s.streaming;
    return line;
}

}  // namespace

json encode(const node_status& s) {
    return {{"id", s.id},
            {"role", s.role},
            {"state", s.state},
            {"reason", s.reason},
            {"upstream", s.upstream},
            {"streaming", s.streaming},
            {"writable", s.writable},
            {"timeline", s.timeline},
            {"receive", s.receive.value},
            {"replay", s.replay.value},
            {"lag_seconds", s.lag_seconds},
            {"term", s.term},
            {"leader", s.leader},
            {"server_version", s.server_version},
            {"program_version", s.program_version},
            {"leads", s.leads},
            {"has_quorum", s.has_quorum},
            {"voters", s.voters},
            {"reached", s.reached},
            {"lease_left_ms", s.lease_left_ms}};
}

std::optional<node_status> decode_status(const json& b) {
    try {
        node_status s;
        b.at("id").get_to(s.id);
        b.at("role").get_to(s.role);
        b.at("state").get_to(s.state);
        b.at("reason").get_to(s.reason);
        b.at("upstream").get_to(s.upstream);
        b.at("streaming").get_to(s.streaming);
        b.at("writable").get_to(s.writable);
        b.at("timeline").get_to(s.timeline);
        b.at("receive").get_to(s.receive.value);
        b.at("replay").get_to(s.replay.value);
        b.at("lag_seconds").get_to(s.lag_seconds);
        b.at("term").get_to(s.term);
        b.at("leader").get_to(s.leader);
        b.at("server_version").get_to(s.server_version);
        b.at("program_version").get_to(s.program_version);
        b.at("leads").get_to(s.leads);
        b.at("has_quorum").get_to(s.has_quorum);
        b.at("voters").get_to(s.voters);
        b.at("reached").get_to(s.reached);
        b.at("lease_left_ms").get_to(s.lease_left_ms);
        return s;
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

const node_status* status_board::find(node_id id) const {
    const auto it = rows_.find(id);
    return it == rows_.end() ? nullptr : &it->second.status;
}

status_board::shown status_board::show(const cluster_state& state, const node_view& view,
                                       node_id self, boot_time now) const {
    shown out;
    json warnings = json::array();
    json notes = json::array();
    const auto warn = [&](std::string text, std::string hint) {
        warnings.push_back({{"text", std::move(text)}, {"hint", std::move(hint)}});
        out.problems = true;
    };
    const duration limit = patience(state);
    const node_id leader = view.leader;
    const node_status* primary = leader != 0 ? find(leader) : nullptr;
    json nodes = json::array();
    std::size_t reachable_voters = 0;
    std::vector<std::string> silent;
    for (const member& m : state.members) {
        const auto it = rows_.find(m.id);
        const bool known = it != rows_.end();
        const duration age = known ? now - it->second.at : duration::max();
        const bool reachable = known && age <= limit;
        const node_status blank;
        const node_status& s = known ? it->second.status : blank;
        const bool voter = state.is_voter(m.id);
        if (voter && reachable) ++reachable_voters;
        json line = node_line(state, m, known ? &it->second.status : nullptr, age, reachable,
                              leader, primary);
        nodes.push_back(std::move(line));

        if (!reachable) {
            silent.push_back(m.name);
            warn("node \"" + m.name + "\" (id " + std::to_string(m.id) + ") is not reachable",
                 "Check that its host and its repld are up and that " + m.address +
                     " can be reached.");
        } else if (m.role == node_role::data && m.id != leader) {
            if (s.state != "running")
                warn("node \"" + m.name + "\" is " + s.state +
                         (s.reason.empty() ? "" : ": " + s.reason),
                     "");
            else if (leader != 0 && !s.streaming)
                warn("node \"" + m.name + "\" does not stream" +
                         (s.reason.empty() ? "" : ": " + s.reason),
                     "");
        }
        if (!voter)
            notes.push_back(
                "node \"" + m.name +
                "\" is a spare: it does not vote, so that the number of voters stays odd");
    }
    const member* leading = leader != 0 ? state.find(leader) : nullptr;
    const bool leader_here = leader == self;
    // What the leader says of its own lease counts; a node that was started lately knows of none.
    const bool quorum = leader_here ? view.has_quorum
                                    : (primary != nullptr && primary->leads && primary->has_quorum);
    if (leading == nullptr) {
        warn("no node holds the lease" + (view.state.empty() ? std::string() : ": " + view.state),
             view.why_not_candidate.empty()
                 ? ""
                 : "This node is no candidate: " + view.why_not_candidate + ".");
    } else if (primary == nullptr || !primary->writable) {
        warn("node \"" + leading->name + "\" holds the lease and is not writable yet", "");
    }
    if (state.paused) notes.push_back("automatic failover is paused");
    const std::size_t reached =
        leader_here ? view.reached : std::max(reachable_voters, std::size_t{0});
    if (2 * reachable_voters <= state.voters.size())
        warn("only " + std::to_string(reachable_voters) + " of " +
                 std::to_string(state.voters.size()) +
                 " voters can be reached: there is no majority, so no node may be writable",
             "Bring back one of the nodes that are not reachable.");
    else if (reachable_voters < state.voters.size() &&
             reachable_voters == state.voters.size() / 2 + 1)
        notes.push_back("the loss of one more voter stops the primary");
    out.body["cluster"] = state.cluster;
    out.body["term"] = view.promised.term;
    out.body["leader"] = leading != nullptr ? json(leading->name) : json(nullptr);
    std::int64_t lease_left_ms = view.lease_left / std::chrono::milliseconds(1);
    if (lease_left_ms == 0 && primary != nullptr) lease_left_ms = primary->lease_left_ms;
    out.body["quorum"] = {{"voters", state.voters.size()},
                          {"reached", leader_here ? reached : reachable_voters},
                          {"has_quorum", leading != nullptr && quorum},
                          {"holder", leading != nullptr ? json(leading->name) : json(nullptr)},
                          {"lease_left_ms", lease_left_ms},
                          {"state", view.state}};
    out.body["paused"] = state.paused;
    out.body["nodes"] = std::move(nodes);
    out.body["warnings"] = std::move(warnings);
    out.body["notes"] = std::move(notes);
    const member* me = state.find(self);
    out.body["source"] = me != nullptr ? me->name : "";
    out.body["version"] = state.version;
    return out;
}

schema::snapshot status_board::snapshot(const cluster_state& state, node_id leader,
                                        boot_time now) const {
    schema::snapshot all;
    const node_status* primary = find(leader);
    for (const member& m : state.members) {
        const auto it = rows_.find(m.id);
        const bool known = it != rows_.end();
        const bool reachable = known && now - it->second.at <= patience(state);
        const node_status blank;
        const node_status& s = known ? it->second.status : blank;
        const std::string role = m.role == node_role::witness ? "witness"
                                 : m.id == leader             ? "primary"
                                                              : "standby";
        schema::node_row n;
        n.id = m.id;
        n.name = m.name;
        n.role = role;
        n.active = reachable;
        n.voter = state.is_voter(m.id);
        n.location = m.location;
        n.priority = m.priority;
        if (role == "standby" && s.upstream != 0 && state.find(s.upstream) != nullptr)
            n.upstream = s.upstream;
        n.address = m.address;
        n.conninfo = m.conninfo;
        if (m.role == node_role::data) n.slot_name = postgres::slot_name(m.id);
        schema::status_row told;
        told.id = m.id;
        told.role = role;
        told.state = reachable ? s.state : "unreachable";
        told.upstream = n.upstream;
        told.timeline = s.timeline;
        told.receive_lsn = s.receive;
        told.replay_lsn = s.replay;
        if (m.role == node_role::data && known) {
            told.lag_bytes = lag_of(s, primary);
            told.lag_seconds = rounded(s.lag_seconds, 0.001);
        }
        told.term = s.term;
        if (known) told.last_seen_age = now - it->second.at;
        told.reason = s.reason;
        all.nodes.push_back(std::move(n));
        all.status.push_back(std::move(told));
    }
    return all;
}

}  // namespace repld
