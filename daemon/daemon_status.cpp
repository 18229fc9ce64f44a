// What this node says of itself: to its peers, and to people.
#include <unistd.h>

#include "daemon.hpp"
#include "platform/boottime.hpp"

namespace repld {

namespace {

double seconds(duration d) {
    return static_cast<double>(d.count()) / 1e9;
}

// What the server is doing, as one word for tables.
std::string server_word(const postgres::observation& o, const std::string& doing) {
    if (!doing.empty()) return doing;
    switch (o.core.state) {
        case server_state::none:
        case server_state::standby:
        case server_state::primary: return "running";
        case server_state::unknown: return "unknown";
        case server_state::stopped: return "stopped";
        case server_state::orphaned: return "failed";
        case server_state::starting: return "starting";
    }
    return "unknown";
}

}  // namespace

std::string node_daemon::quoted_name(node_id id) const {
    const member* m = state() != nullptr ? state()->find(id) : nullptr;
    return m != nullptr ? "\"" + m->name + "\"" : "node " + std::to_string(id);
}

node_status node_daemon::own_status() const {
    const node& core = core_.core();
    const node_view v = core.view();
    node_status s;
    s.id = config_.node.id;
    s.term = v.promised.term;
    s.leader = v.leader;
    s.program_version = program_version_;
    s.leads = core.is_leader();
    if (s.leads) {
        s.has_quorum = v.has_quorum;
        s.voters = v.voters;
        s.reached = v.reached;
        s.lease_left_ms = v.lease_left / std::chrono::milliseconds(1);
        s.writable = v.writable;
    }
    if (!server_) {
        s.role = "witness";
        s.state = "running";
        if (v.leader == 0) s.reason = v.state;
        return s;
    }
    const postgres::observation& o = server_->last();
    s.role = s.leads ? "primary" : "standby";
    s.state = joining_ ? join_step_ : server_word(o, server_->doing());
    s.upstream = o.core.upstream == UINT32_MAX ? 0 : o.core.upstream;
    s.streaming = o.core.streaming;
    s.server_version = o.server_version;
    s.timeline = o.core.position ? o.core.position->timeline : o.timeline;
    if (o.core.state == server_state::primary) {
        s.receive = o.wal_end;
        s.replay = o.wal_end;
    } else if (o.core.state == server_state::standby) {
        s.receive = o.wal_end;
        s.replay = o.replay;
        const bool caught_up = s.streaming && o.replay >= o.wal_end;
        s.lag_seconds = caught_up ? 0.0 : o.last_replay_age_seconds.value_or(0.0);
    }
    // A standby that streams from the leader needs no reason; anything else gets one.
    if (s.leads && !s.writable) s.reason = v.state;
    if (!s.leads && !s.streaming) {
        s.reason = v.leader != 0 && v.state == "follows " + quoted_name(v.leader)
                       ? "does not stream from " + quoted_name(v.leader) + " yet"
                       : v.state;
        if (!o.core.reason.empty()) s.reason += (s.reason.empty() ? "" : "; ") + o.core.reason;
        if (v.leader == 0 && s.state == "running") s.state = "fenced";
        if (v.leader == 0 && !v.why_not_candidate.empty() &&
            s.reason.find(v.why_not_candidate) == std::string::npos)
            s.reason += "; no candidate: " + v.why_not_candidate;
    }
    return s;
}

void node_daemon::publish_status() {
    if (stopped_ || !core_.core().durable().in_cluster()) return;
    const node_status s = own_status();
    board_.put(s, platform::boot_now());
    if (const cluster_state* all = state()) {
        const json report = {{"status", encode(s)}};
        for (const member& m : all->members)
            if (m.id != config_.node.id) mesh_.send(m.id, report);
    }
}

json node_daemon::show_response() const {
    const cluster_state* s = state();
    if (s == nullptr) {
        if (!core_.core().durable().in_cluster()) return refuse(not_in_a_cluster());
        return refuse({errc::refused, "this node has not heard of the cluster's state yet"});
    }
    status_board board = board_;
    board.put(own_status(), platform::boot_now());
    auto shown = board.show(*s, core_.core().view(), config_.node.id, platform::boot_now());
    if (!metadata_error_.empty() && leads()) {
        shown.problems = true;
        shown.body["warnings"].push_back(
            {{"text", "the metadata schema could not be written: " + metadata_error_},
             {"hint",
              "Dashboards and \"cluster event\" are stale until it can; nothing else depends on "
              "it."}});
    }
    return answer(std::move(shown.body), shown.problems ? 25 : 0);
}

json node_daemon::daemon_status() const {
    const node& core = core_.core();
    const durable_state& d = core.durable();
    const node_view v = core.view();
    const boot_time now = platform::boot_now();
    const auto name = [&](node_id id) -> json {
        const member* m = state() ? state()->find(id) : nullptr;
        return m != nullptr ? json(m->name) : json(nullptr);
    };
    json out = {
        {"node", config_.node.name},
        {"id", config_.node.id},
        {"role", server_ ? "data" : "witness"},
        {"pid", getpid()},
        {"version", program_version_},
        {"uptime_seconds", seconds(now - started_)},
        {"state", joining_ ? "joining: " + join_step_ : v.role},
        {"reason", v.state},
        {"cluster", d.cluster.empty() ? json(nullptr) : json(d.cluster)},
        {"term", d.promise.to.term},
        {"promised", to_string(d.promise.to)},
        {"leader", name(v.leader)},
        {"lease",
         {{"holder", name(v.leader)}, {"left_ms", v.lease_left / std::chrono::milliseconds(1)}}},
        {"why_not_candidate", v.why_not_candidate},
        {"generation", d.generation}};
    if (server_) {
        const postgres::observation& o = server_->last();
        json pg = {
            {"state", server_word(o, server_->doing())},
            {"pid", o.postmaster != 0 ? json(o.postmaster) : json(nullptr)},
            {"version", o.server_version},
            {"in_recovery", o.in_recovery},
            {"timeline", o.timeline},
            {"lsn", o.wal_end.valid() ? json(to_string(o.wal_end)) : json(nullptr)},
            {"position", o.core.position ? json(to_string(*o.core.position)) : json(nullptr)},
            {"reason", o.core.position ? o.core.reason : o.core.position_unknown},
            {"streaming", o.core.streaming},
            {"upstream_answers", upstream_answers_}};
        out["postgres"] = std::move(pg);
    }
    json peers = json::array();
    for (const auto& link : mesh_.links()) {
        json peer = {{"id", link.peer},
                     {"name", name(link.peer)},
                     {"connected", link.up},
                     {"address", link.address},
                     {"failure", link.last_failure}};
        peer["age_seconds"] = link.up ? json(seconds(link.received_age)) : json(nullptr);
        peers.push_back(std::move(peer));
    }
    out["peers"] = std::move(peers);
    json decisions = json::array();
    for (auto it = decisions_.rbegin(); it != decisions_.rend() && decisions.size() < 20; ++it)
        decisions.push_back({{"age_seconds", seconds(now - it->first)}, {"text", it->second}});
    out["decisions"] = std::move(decisions);
    out["disk"] =
        v.state.find("cannot be written") == std::string::npos ? "ok" : "cannot be written";
    return out;
}

}  // namespace repld
