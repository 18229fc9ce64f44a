// Becoming the leader: R5, R19, and who may try.
#include <algorithm>
#include <tuple>

#include "core/node.hpp"
#include "core/units.hpp"

namespace repld {

namespace {

constexpr duration look_limit = std::chrono::milliseconds(60);
constexpr duration opinion_limit = std::chrono::milliseconds(300);
// How long a majority waits for the members that have not said their position yet (R19).
constexpr duration opinion_grace = std::chrono::milliseconds(25);
constexpr duration freeze_limit = std::chrono::seconds(3);
constexpr duration promise_limit = std::chrono::milliseconds(800);
constexpr duration first_wait = std::chrono::milliseconds(60);
constexpr unsigned polite_deferrals_max = 3;

}  // namespace

std::optional<std::string> node::why_not_candidate() const {
    const cluster_state* s = state();
    const member* me = self();
    if (config_.role == node_role::witness) return "it is a witness";
    if (s == nullptr || me == nullptr) return "it is not a member yet";
    if (leaving_ || left_) return "its daemon is ending";
    if (me->priority <= 0) return "its priority is 0";
    if (now_ < promote_not_before_) return "its last promotion failed; lets others try first";
    if (s->paused) return "the cluster is paused";
    if (readmission_) return "its state went back";
    if (!disk_ok_) return "its state directory cannot be written";
    if (s->settings.failover == failover_mode::manual && s->leader != config_.id)
        return "failover is set to manual";
    const auto& limit = s->settings.failover_limit;
    if (limit.count != 0 && s->leader != config_.id) {
        const auto lately = std::count_if(failovers_.begin(), failovers_.end(),
                                          [&](boot_time at) { return now_ - at < limit.window; });
        if (static_cast<unsigned>(lately) >= limit.count)
            return "there were " + std::to_string(lately) + " failovers within " +
                   format_duration(limit.window) + " (failover_limit)";
    }
    if (server_.state != server_state::standby) {
        switch (server_.state) {
            case server_state::stopped: return "its PostgreSQL is stopped";
            case server_state::starting: return "its PostgreSQL is starting";
            case server_state::primary: return "its PostgreSQL is writable without a lease";
            default: return "the state of its PostgreSQL is not known";
        }
    }
    if (!server_.position)
        return "its WAL position is not known" +
               (server_.position_unknown.empty() ? std::string() : ": " + server_.position_unknown);
    switch (locate(*s, *server_.position).is) {
        case lineage::relation::on_branch: break;
        case lineage::relation::diverged:
            return "its WAL left the cluster's history (" + to_string(*server_.position) + ")";
        case lineage::relation::unknown_timeline:
            return "its WAL is on timeline " + std::to_string(server_.position->timeline) +
                   ", which this cluster never gave out";
    }
    // What the last leader said of itself bounds what a promotion here could lose.
    if (contact_ && contact_->report.end.timeline == server_.position->timeline &&
        contact_->report.end.end.value > server_.position->end.value + s->settings.max_lag_bytes)
        return "it is " +
               format_size(contact_->report.end.end.value - server_.position->end.value) +
               " behind the last primary, more than max_lag";
    return std::nullopt;
}

bool node::leader_claims() const {
    if (claimed_leader_ == 0 || state() == nullptr) return false;
    const duration interval = state()->settings.heartbeat_interval;
    return now_ - claimed_at_ < 2 * interval + interval / 2;
}

void node::consider_candidacy() {
    // One whose rounds arrive is alive; whether it keeps its lease is for it and its voters to find
    // out.
    if (leader_claims()) return;
    if (lease_granted() || now_ < candidate_not_before_ || now_ < wait_until_ || promise_work_)
        return;
    if (config_.role != node_role::data || state() == nullptr || leaving_ || left_) return;
    if (running_) return;
    if (const auto why = why_not_candidate()) {
        if (candidacy_note_ != *why) {
            candidacy_note_ = *why;
            if (grant_)  // there was a leader: people will want to know
                say(severity::warning, "not_a_candidate",
                    "does not try to become the leader: " + *why);
        }
        candidate_not_before_ = now_ + std::chrono::milliseconds(200);
        return;
    }
    start_candidacy();
}

void node::start_candidacy() {
    candidate_role c;
    c.at = candidate_role::phase::looking;
    c.since = now_;
    c.deadline = now_ + look_limit;
    role_ = std::move(c);
    out(observe_now{});
}

void node::ask(candidate_role& c) {
    if (const auto why = why_not_candidate())
        return lose_candidacy(*why, std::chrono::milliseconds(200));
    c.at = candidate_role::phase::asking;
    c.attempt = random();
    c.position = *server_.position;
    c.deadline = now_ + opinion_limit;
    c.opinions.clear();
    post_all(prevote_request{c.attempt, c.position});
    judge_opinions();
}

void node::on(const envelope& from, const prevote_answer& m) {
    auto* c = std::get_if<candidate_role>(&role_);
    if (c == nullptr || c->at != candidate_role::phase::asking || m.attempt != c->attempt) return;
    c->opinions[from.from] = m;
    judge_opinions();
}

// The better node of two that could both lead: position, then priority, location, id (section 6.3).
std::optional<std::string> node::better_candidate(const candidate_role& c) const {
    const member* me = self();
    const member* old = state()->find(state()->leader);
    const std::string& home = old != nullptr ? old->location : me->location;
    const wal_position mine = worth(c.position);
    const auto rank = [&](const member& m) {
        return std::make_tuple(-m.priority, m.location == home ? 0 : 1, m.id);
    };
    for (const auto& [id, opinion] : c.opinions) {
        const member* other = state()->find(id);
        if (other == nullptr || !opinion.could_lead || !opinion.position) continue;
        const wal_position theirs = worth(*opinion.position);
        if (theirs > mine)
            return name_of(id) + " has more WAL (" + to_string(theirs) + ", own " +
                   to_string(mine) + ")";
        // Of equals the preferred one goes first; that is politeness, not safety, so it has an end.
        if (theirs == mine && rank(*other) < rank(*me) &&
            deferred_to_better_ < polite_deferrals_max)
            return name_of(id) + " is preferred";
    }
    return std::nullopt;
}

void node::judge_opinions() {
    auto* c = std::get_if<candidate_role>(&role_);
    if (c == nullptr) return;
    const auto opinion = [&](node_id id) {
        if (id == config_.id) return ballot_answer::yes;
        const auto it = c->opinions.find(id);
        if (it == c->opinions.end()) return ballot_answer::none;
        return it->second.would ? ballot_answer::yes : ballot_answer::no;
    };
    const tally outcome = in_force(rule::prevote) ? count_votes(*state(), opinion) : tally::won;
    const bool late = now_ >= c->deadline;
    if (outcome == tally::lost || (outcome == tally::pending && late)) {
        std::string reasons;
        for (const auto& [id, o] : c->opinions)
            if (!o.would) reasons += (reasons.empty() ? "" : "; ") + name_of(id) + ": " + o.reason;
        std::size_t yes = 0;
        for (const node_id id : state()->voters) yes += opinion(id) == ballot_answer::yes ? 1 : 0;
        return lose_candidacy("no majority would promise (" + std::to_string(yes) + " of " +
                                  std::to_string(state()->voters.size()) + " voters)" +
                                  (reasons.empty() ? "" : ": " + reasons),
                              first_wait);
    }
    if (outcome == tally::pending) return;
    if (!c->majority_since) c->majority_since = now_;
    const auto recent =
        std::max<duration>(2 * state()->settings.heartbeat_interval, std::chrono::seconds(1));
    const bool all_said =
        std::all_of(state()->members.begin(), state()->members.end(), [&](const member& m) {
            if (m.id == config_.id || c->opinions.contains(m.id)) return true;
            const auto heard = heard_.find(m.id);
            return heard == heard_.end() || now_ - heard->second > recent;
        });
    if (!all_said && !late && now_ - *c->majority_since < opinion_grace) return;
    if (in_force(rule::prevote)) {
        if (const auto better = better_candidate(*c)) {
            ++deferred_to_better_;
            return lose_candidacy("waits: " + *better, std::chrono::milliseconds(100) +
                                                           jitter(std::chrono::milliseconds(60)));
        }
    }
    freeze_self(*c);
}

void node::freeze_self(candidate_role& c) {
    c.at = candidate_role::phase::freezing;
    c.deadline = now_ + freeze_limit;
    c.freeze_task = run(freeze_server{});
}

void node::send_prepare(candidate_role& c) {
    term_number term = std::max(durable_.own_term, durable_.promise.to.term);
    for (const auto& [id, opinion] : c.opinions) term = std::max(term, opinion.promised.term);
    c.under = {term + 1, config_.id};
    c.attempt = random();
    if (const auto refusal = refuse_ballot(c.under, token_))
        return lose_candidacy("its own voter refuses: " + *refusal, first_wait);
    c.at = candidate_role::phase::preparing;
    c.deadline = now_ + promise_limit;
    durable_.own_term = c.under.term;  // R1: durable before the first prepare leaves, voter or not
    const auto written = record_promise(c.under, c.attempt);
    promise_answer own;
    own.under = c.under;
    own.attempt = c.attempt;
    own.promised = true;
    own.accepted = durable_.accepted;
    own.position = c.position;
    c.promises[config_.id] = std::move(own);
    post_all(prepare{c.under, c.attempt, c.position, token_}, written);
    say(severity::notice, "election",
        "asks for the lead with ballot " + to_string(c.under) + ", WAL " + to_string(c.position));
}

void node::on(const envelope& from, const promise_answer& m) {
    if (auto* c = std::get_if<candidate_role>(&role_)) {
        if (c->at != candidate_role::phase::preparing || m.under != c->under ||
            m.attempt != c->attempt)
            return;
        c->promises[from.from] = m;
        judge_promises();
    } else if (auto* l = std::get_if<leader_role>(&role_)) {
        if (!l->again || m.under != l->again->under || m.attempt != l->again->attempt) return;
        l->again->promises[from.from] = m;
        judge_next_ballot();
    }
}

accepted_value node::newest(const std::map<node_id, promise_answer>& promises,
                            const std::optional<accepted_value>& own) {
    accepted_value best = own.value_or(accepted_value{});
    if (!in_force(rule::adopt_newest)) return best;
    for (const auto& [id, promise] : promises)
        if (promise.promised && promise.accepted && best.older_than(*promise.accepted))
            best = *promise.accepted;
    return best;
}

void node::judge_promises() {
    auto* c = std::get_if<candidate_role>(&role_);
    if (c == nullptr || c->at != candidate_role::phase::preparing) return;
    if (durable_sequence_ < promise_sequence_ && in_force(rule::durable_before_answer)) return;
    // R5: the voters are those of the newest value among the promises, looked at again after each.
    const accepted_value basis = newest(c->promises, durable_.accepted);
    const auto said = [&](node_id id) {
        const auto it = c->promises.find(id);
        if (it == c->promises.end()) return ballot_answer::none;
        return it->second.promised ? ballot_answer::yes : ballot_answer::no;
    };
    const tally outcome = count_votes(basis.value, said);
    if (outcome == tally::won) {
        const candidate_role winner = *c;
        return become_leader(winner, basis);
    }
    if (outcome == tally::lost || now_ >= c->deadline) {
        std::string reasons;
        for (const auto& [id, p] : c->promises)
            if (!p.promised)
                reasons += (reasons.empty() ? "" : "; ") + name_of(id) + ": " + p.reason;
        lose_candidacy("ballot " + to_string(c->under) + " found no majority" +
                           (reasons.empty() ? "" : ": " + reasons),
                       first_wait);
    }
}

void node::lose_candidacy(const std::string& why, duration wait) {
    role_ = follower_role{};
    // R19: the waiting grows with every failed attempt, up to a second.
    const unsigned doublings = std::min(failed_attempts_, 4U);
    ++failed_attempts_;
    candidate_not_before_ = now_ + (wait + jitter(wait)) * (1U << doublings);
    // The reasons of others hold figures that change with every attempt: told when the kind of
    // reason changes, and again from time to time.
    const bool news =
        candidacy_note_.substr(0, candidacy_note_.find(':')) != why.substr(0, why.find(':'));
    candidacy_note_ = why;
    if (news || now_ - candidacy_told_ >= std::chrono::seconds(30)) {
        candidacy_told_ = now_;
        say(severity::notice, "election_deferred", "is no leader yet: " + why);
    }
}

void node::candidate_time() {
    auto* c = std::get_if<candidate_role>(&role_);
    if (c == nullptr) return;
    switch (c->at) {
        case candidate_role::phase::looking:
            if (now_ >= c->deadline) ask(*c);
            break;
        case candidate_role::phase::asking: judge_opinions(); break;
        case candidate_role::phase::freezing:
            if (now_ >= c->deadline) {
                running_.reset();
                ++task_;
                lose_candidacy("could not cut off its own PostgreSQL in time", first_wait);
            }
            break;
        case candidate_role::phase::preparing: judge_promises(); break;
    }
}

void node::become_leader(const candidate_role& c, const accepted_value& basis) {
    cluster_state value = basis.value;
    const member* me = value.find(config_.id);
    const lineage own = locate(value, c.position);
    if (me == nullptr || me->role != node_role::data || value.paused ||
        own.is != lineage::relation::on_branch) {
        return lose_candidacy(me == nullptr  ? "it is no member any more"
                              : value.paused ? "the cluster is paused"
                                             : "its WAL left the cluster's history",
                              first_wait);
    }
    value.leader = config_.id;
    ++value.version;
    value.timelines.push_back(
        {value.last_timeline() + 1, c.position.timeline, c.position.end, c.under});
    leader_role l;
    l.at = leader_role::phase::electing;
    l.under = c.under;
    l.attempt = c.attempt;
    l.elected = now_;
    l.proposal = std::move(value);
    l.proposed_at = now_;
    std::vector<std::pair<std::string, std::string>> evidence;
    for (const auto& [id, p] : c.promises)
        evidence.emplace_back(name_of(id), p.promised ? "promised" : p.reason);
    evidence.emplace_back("position", to_string(c.position));
    role_ = std::move(l);
    failed_attempts_ = 0;
    deferred_to_better_ = 0;
    candidacy_note_.clear();
    say(severity::notice, "elected", "was promised ballot " + to_string(c.under) + " by a majority",
        std::move(evidence));
    send_round_to_all();
}

}  // namespace repld
