// Changing the agreed value: one proposal at a time (R3), joint voters (R22), an odd number (R23),
// and the requests of people.
#include <algorithm>

#include "core/node.hpp"

namespace repld {

bool node::answered_lately(node_id id) const {
    const auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr) return false;
    const auto it = l->answers.find(id);
    if (it == l->answers.end() || it->second.round == 0) return false;
    // The last round, or the one before it while the last is still under way.
    const duration interval = sent_value(*l).settings.heartbeat_interval;
    return now_ - it->second.sent < 2 * interval + interval / 2;
}

bool node::majority_answered_lately(const voter_set& voters) const {
    return count_votes(voters, [this](node_id id) {
               return answered_lately(id) ? ballot_answer::yes : ballot_answer::none;
           }) == tally::won;
}

void node::propose(cluster_state next, std::vector<std::uint64_t> requests) {
    auto& l = std::get<leader_role>(role_);
    next.version = l.committed->version + 1;
    l.proposal = std::move(next);
    l.proposed_at = now_;
    l.proposal_requests = std::move(requests);
    send_round_to_all();
}

void node::check_committed() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || !l->proposal) return;
    const auto accepted = [l](node_id id) {
        const auto it = l->answers.find(id);
        const bool has = it != l->answers.end() && it->second.accepted_under == l->under &&
                         it->second.version >= l->proposal->version;
        return has ? ballot_answer::yes : ballot_answer::none;
    };
    if (count_votes(*l->proposal, accepted) != tally::won) return;
    const bool first = !l->committed;
    l->committed = std::move(l->proposal);
    l->proposal.reset();
    for (const std::uint64_t id : l->proposal_requests) out(reply{id, {}});
    l->proposal_requests.clear();
    if (first)
        say(severity::info, "",
            "version " + std::to_string(l->committed->version) + " is committed under ballot " +
                to_string(l->under));
    send_round_to_all();  // followers learn at once that it is committed
}

// What the leader changes by itself, one committed step after the other.
void node::housekeeping() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at != leader_role::phase::leading || l->proposal || !l->committed)
        return;
    const cluster_state& now_agreed = *l->committed;

    if (now_agreed.next_voters) {
        // R8: the lease is counted among the new voters alone from the moment this is sent.
        if (in_force(rule::new_voters_answer_first) &&
            !majority_answered_lately(*now_agreed.next_voters))
            return;
        cluster_state next = now_agreed;
        next.voters = *next.next_voters;
        next.next_voters.reset();
        say(severity::notice, "voters", "completes the change of voters");
        return propose(std::move(next), {});
    }
    if (!l->fork_recorded) {
        if (!l->seen_writable) return;
        cluster_state next = now_agreed;
        if (l->fork.end.valid() && !next.timelines.empty() &&
            (next.timelines.back().fork != l->fork.end ||
             next.timelines.back().parent != l->fork.timeline)) {
            next.timelines.back().fork = l->fork.end;
            next.timelines.back().parent = l->fork.timeline;
            l->fork_recorded = true;
            return propose(std::move(next), {});
        }
        l->fork_recorded = true;
        send_round_to_all();  // "writable": the others may follow now
    }
    while (!requests_.empty() && !l->proposal) {
        const operator_request next = std::move(requests_.front());
        requests_.pop_front();
        std::visit([&](const auto& what) { request(next.request, what); }, next.what);
        l = std::get_if<leader_role>(&role_);
        if (l == nullptr) return;
    }
    if (l->proposal || !in_force(rule::odd_voters)) return;
    const voter_set wanted = wanted_voters(*l->committed);
    if (wanted == l->committed->voters) return;
    // R22: refused unless those whom the new majority needs answered the last heartbeat; a voter is
    // only added while it answers, or the change itself would take a vote away.
    for (const node_id id : wanted)
        if (!l->committed->voters.contains(id) && !answered_lately(id)) return;
    if (!majority_answered_lately(wanted)) return;
    cluster_state next = *l->committed;
    if (in_force(rule::joint_voters))
        next.next_voters = wanted;
    else
        next.voters = wanted;
    std::string names;
    for (const node_id id : wanted) names += (names.empty() ? "" : ", ") + name_of(id);
    say(severity::notice, "voters", "changes the voters to " + names);
    propose(std::move(next), {});
}

// --- requests ---------------------------------------------------------------------------------

void node::request(std::uint64_t id, const create_cluster& r) {
    if (durable_.in_cluster())
        return out(reply{id, error{errc::refused, "this node is in cluster \"" + durable_.cluster +
                                                      "\" already"}});
    if (unadmitted_ || config_.role != node_role::data || server_.state != server_state::primary)
        return out(
            reply{id, error{errc::refused, "cannot create a cluster here",
                            "It takes a data node whose PostgreSQL is running as a primary."}});
    durable_.cluster = r.cluster;
    durable_.system_identifier = r.system_identifier;
    cluster_state value;
    value.cluster = r.cluster;
    value.system_identifier = r.system_identifier;
    value.version = 1;
    value.leader = config_.id;
    value.members = {r.self};
    value.voters = {config_.id};
    value.settings = r.settings;
    value.timelines = {{r.position.timeline, 0, lsn{}, {1, config_.id}}};
    leader_role l;
    l.at = leader_role::phase::leading;
    l.under = {1, config_.id};
    l.attempt = random();
    l.elected = now_;
    l.seen_writable = true;
    l.fork_recorded = true;
    l.proposal = std::move(value);
    l.proposed_at = now_;
    l.proposal_requests = {id};
    // The lease begins with the first own answer; until the disk has it, one figure of patience.
    l.distrust_deadline = now_ + r.settings.lease_duration;
    durable_.own_term = 1;
    record_promise(l.under, l.attempt);
    role_ = std::move(l);
    say(severity::notice, "cluster_created", "created cluster \"" + r.cluster + "\"");
    // everybody() does not know the members yet: the first round goes to itself alone.
    send_round({config_.id});
}

void node::request(std::uint64_t id, const enter_cluster& r) {
    if (durable_.in_cluster() &&
        (durable_.cluster != r.cluster || durable_.system_identifier != r.system_identifier))
        return out(reply{id, error{errc::refused, "this node is in cluster \"" + durable_.cluster +
                                                      "\" already"}});
    durable_.cluster = r.cluster;
    durable_.system_identifier = r.system_identifier;
    when_durable(write(), reply{id, {}});
}

void node::request(std::uint64_t id, const add_member& r) {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at != leader_role::phase::leading)
        return out(reply{id, error{errc::refused, "this node is not the leader"}});
    if (l->proposal || !l->committed || l->committed->next_voters) {
        if (requests_.size() >= 64)
            return out(reply{id, error{errc::refused, "too many changes are waiting"}});
        requests_.push_back({id, r});
        return;
    }
    if (auto conflict = membership_conflict(*l->committed, r.added))
        return out(reply{id, std::move(*conflict)});
    cluster_state next = *l->committed;
    for (member& known : next.members) {
        if (known.id != r.added.id) continue;
        if (known == r.added) return out(reply{id, {}});
        known = r.added;  // it moved, or its settings changed
        return propose(std::move(next), {id});
    }
    next.members.push_back(r.added);
    say(severity::notice, "node_join", "adds node \"" + r.added.name + "\" to the cluster",
        {{"node_id", std::to_string(r.added.id)}, {"address", r.added.address}});
    propose(std::move(next), {id});
}

void node::request(std::uint64_t id, const change_settings& r) {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at != leader_role::phase::leading)
        return out(reply{id, error{errc::refused, "this node is not the leader"}});
    if (l->proposal || !l->committed || l->committed->next_voters) {
        if (requests_.size() >= 64)
            return out(reply{id, error{errc::refused, "too many changes are waiting"}});
        requests_.push_back({id, r});
        return;
    }
    cluster_settings settings = l->committed->settings;
    std::string text;
    for (const auto& [key, value] : r.changes) {
        auto changed = with_setting(settings, key, value);
        if (!changed) return out(reply{id, changed.error()});
        settings = *changed;
        text += (text.empty() ? "" : ", ") + key + " = " + value;
    }
    if (auto relations = check_relations(settings); !relations)
        return out(reply{id, relations.error()});
    if (settings == l->committed->settings) return out(reply{id, {}});
    cluster_state next = *l->committed;
    next.settings = settings;
    say(severity::notice, "settings_changed", "changes settings: " + text);
    propose(std::move(next), {id});
}

void node::request(std::uint64_t id, const step_down& r) {
    leaving_ = id;
    if (!is_leader()) {
        if (std::holds_alternative<candidate_role>(role_)) role_ = follower_role{};
        // A server that is writable, or may be, is fenced first: upkeep() sees to it and answers.
        if (server_.state == server_state::unknown) out(observe_now{});
        return finish_leaving();
    }
    const auto& l = std::get<leader_role>(role_);
    boot_time deadline = now_ + sent_value(l).settings.demote_margin() * 4;
    if (const auto end = lease_end()) deadline = std::min(deadline, *end);
    stop_leading(r.why, deadline);
}

}  // namespace repld
