// Holding the lease: R8, R11, R12, the promotion (R5), and giving it up (R10, section 5.3).
#include <algorithm>

#include "core/node.hpp"
#include "core/units.hpp"

namespace repld {

namespace {

constexpr duration resend_interval = std::chrono::milliseconds(100);
constexpr duration elect_limit = std::chrono::milliseconds(600);
constexpr duration again_limit = std::chrono::milliseconds(500);
constexpr duration promote_limit = std::chrono::seconds(60);
constexpr std::size_t rounds_max = 512;

}  // namespace

const cluster_state& node::sent_value(const leader_role& l) const {
    if (l.proposal) return *l.proposal;
    if (l.committed) return *l.committed;
    return durable_.accepted->value;
}

// While a change of the timings is under way the lease is still counted with the old figures, and
// the margin must fit the smaller lease.
duration node::margin(const leader_role& l) {
    duration least = duration::max();
    if (l.committed) least = std::min(least, l.committed->settings.demote_margin());
    if (l.proposal) least = std::min(least, l.proposal->settings.demote_margin());
    return least;
}

leader_report node::report() const {
    leader_report r;
    const auto* l = std::get_if<leader_role>(&role_);
    r.writable = l != nullptr && l->at == leader_role::phase::leading && l->seen_writable &&
                 l->fork_recorded;
    if (server_.position) r.end = *server_.position;
    return r;
}

// --- rounds -----------------------------------------------------------------------------------

void node::send_round_to_all() {
    auto& l = std::get<leader_role>(role_);
    const auto& settings = sent_value(l).settings;
    l.next_round = now_ + (l.proposal ? std::min(resend_interval, settings.heartbeat_interval)
                                      : settings.heartbeat_interval);
    send_round(everybody());
}

void node::send_round(const std::vector<node_id>& to) {
    auto& l = std::get<leader_role>(role_);
    ++l.round;
    l.rounds.emplace_back(l.round, now_);
    if (l.rounds.size() > rounds_max) l.rounds.pop_front();
    const leader_report about = report();
    const std::uint64_t after = promise_sequence_;
    const version_number committed = l.committed ? l.committed->version : 0;
    const cluster_state& newest_value = sent_value(l);
    for (const node_id id : to) {
        const auto known = l.answers.find(id);
        const version_number has =
            known != l.answers.end() && known->second.accepted_under == l.under
                ? known->second.version
                : 0;
        if (has < newest_value.version) {
            post(id, accept{l.under, l.attempt, l.round, token_, newest_value, about}, after);
        } else {
            post(id, heartbeat{l.under, l.attempt, l.round, token_, committed, about}, after);
        }
    }
}

void node::on(const envelope& from, const grant_answer& m) {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at == leader_role::phase::stopping) return;
    // R11: another leader's value under a higher ballot means that this reign is over.
    if (in_force(rule::fence_on_higher_leader) && m.accepted_under > l->under &&
        m.accepted_leader != config_.id)
        return stop_leading(name_of(from.from) + " has accepted " + name_of(m.accepted_leader) +
                                " as the leader under ballot " + to_string(m.accepted_under),
                            now_);
    if (m.promised_to > l->highest_seen) l->highest_seen = m.promised_to;
    if (m.under != l->under) return;
    voter_answer& known = l->answers[from.from];
    known.accepted_under = m.accepted_under;
    known.version = m.version;
    if (m.granted) {
        const auto round = std::find_if(l->rounds.begin(), l->rounds.end(),
                                        [&](const auto& r) { return r.first == m.round; });
        if (round != l->rounds.end() && m.round > known.round) {
            known.round = m.round;
            known.sent = in_force(rule::lease_from_sending) ? round->second : now_;
            known.figure = m.figure;
            known.heard = now_;
        }
    }
    // A node that refuses gets the value again with the next round, not at once: it would refuse
    // again.
    const bool lacks =
        m.granted && (m.accepted_under != l->under || m.version < sent_value(*l).version);
    const bool new_here = !m.granted && m.version == 0 && m.promised_to <= l->under;
    after_answers();
    // A node that lacks the newest value gets it now, not at the next interval.
    l = std::get_if<leader_role>(&role_);
    if (l != nullptr && l->at != leader_role::phase::stopping && (lacks || new_here) &&
        from.from != config_.id && now_ >= l->answers[from.from].sent_extra + resend_interval) {
        l->answers[from.from].sent_extra = now_;
        send_round({from.from});
    }
}

// R8: recomputed from what voters answered, never remembered.
std::optional<boot_time> node::lease_end() const {
    const auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || (!l->proposal && !l->committed)) return std::nullopt;
    const cluster_state& value = sent_value(*l);
    const auto moment = [&](node_id id) -> std::optional<boot_time> {
        const auto it = l->answers.find(id);
        if (it == l->answers.end() || it->second.round == 0) return std::nullopt;
        if (in_force(rule::clock_jump) && it->second.sent < l->distrust_before) return std::nullopt;
        const duration figure = std::min(it->second.figure, value.settings.lease_duration);
        return it->second.sent +
               (in_force(rule::drift_factor) ? value.settings.usable(figure) : figure);
    };
    std::optional<boot_time> end;
    if (in_force(rule::nonvoter_does_not_count)) {
        end = majority_moment(value, moment);
    } else {
        // The mutant: the leader takes the place of some voter that did not answer.
        end = majority_moment(value.voters, [&](node_id id) {
            auto m = moment(id);
            return m ? m : (id == *value.voters.rbegin() ? moment(config_.id) : std::nullopt);
        });
    }
    // Only until the new ballot has a majority of its own: voters and figures may change after
    // that.
    if (!end && l->carried_lease > now_) end = l->carried_lease;
    return end;
}

void node::after_answers() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at == leader_role::phase::stopping) return;
    if (l->distrust_deadline > now_ && lease_end()) l->distrust_deadline = {};
    check_committed();
    promote_when_safe();
    l = std::get_if<leader_role>(&role_);
    if (l != nullptr && l->highest_seen > l->under && in_force(rule::prepare_again))
        prepare_again();
    housekeeping();
}

// R5, second half: promoted only with the value accepted and more lease left than a promotion
// takes.
void node::promote_when_safe() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at != leader_role::phase::electing || !l->committed) return;
    // Promoted by somebody else, to a timeline that the register did not give out (R26).
    if (server_.state == server_state::primary)
        return stop_leading("its PostgreSQL was promoted by hand", now_);
    const auto end = lease_end();
    const auto& settings = l->committed->settings;
    if (!end || *end - now_ < margin(*l) + settings.lease_duration / 4) return;
    l->at = leader_role::phase::promoting;
    l->promote_deadline = now_ + promote_limit;
    const timeline_id timeline = l->committed->last_timeline();
    say(severity::notice, "promote",
        "promotes its PostgreSQL to timeline " + std::to_string(timeline) + " under ballot " +
            to_string(l->under));
    l->promote_task = run(promote_server{timeline, l->promote_deadline});
}

void node::promotion_done(const server_task_done& e) {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at != leader_role::phase::promoting) return;
    if (!e.ok) {
        // Others come first for a while, or this node would be preferred and fail again for ever.
        const duration wait = std::chrono::seconds(10) * (1U << std::min(promote_failures_, 5U));
        ++promote_failures_;
        promote_not_before_ = now_ + wait;
        return stop_leading("the promotion failed: " + e.text, now_);
    }
    promote_failures_ = 0;
    promote_not_before_ = {};
    l->at = leader_role::phase::leading;
    l->promote_deadline = {};
    l->seen_writable = false;
    l->promoted_at = now_;
    l->fork_recorded = false;
    if (e.position) l->fork = *e.position;
    say(severity::notice, "promoted",
        "is the primary on timeline " + std::to_string(l->committed->last_timeline()) +
            (e.position ? ", which begins at " + to_string(e.position->end) : std::string()));
    out(observe_now{});
    housekeeping();
}

// --- R11: a higher ballot for the same leader ---------------------------------------------------

void node::prepare_again() {
    auto& l = std::get<leader_role>(role_);
    if (l.again || now_ < l.again_not_before || l.at == leader_role::phase::stopping) return;
    if (config_.role != node_role::data || !server_.position) return;
    const term_number term =
        std::max({durable_.own_term, durable_.promise.to.term, l.highest_seen.term}) + 1;
    leader_role::next_ballot next;
    next.under = {term, config_.id};
    next.attempt = random();
    next.since = now_;
    l.again_not_before =
        now_ + std::chrono::milliseconds(300) + jitter(std::chrono::milliseconds(300));
    if (refuse_ballot(next.under, token_)) return;
    durable_.own_term = term;
    const auto written = record_promise(next.under, next.attempt);
    promise_answer own;
    own.under = next.under;
    own.attempt = next.attempt;
    own.promised = true;
    own.accepted = durable_.accepted;
    next.promises[config_.id] = std::move(own);
    const prepare request_again{next.under, next.attempt, *server_.position, token_};
    say(severity::notice, "prepare_again",
        "a voter has promised ballot " + to_string(l.highest_seen) + "; prepares " +
            to_string(next.under) + " and keeps the lead");
    l.again = std::move(next);
    post_all(request_again, written);
}

void node::judge_next_ballot() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || !l->again) return;
    if (durable_sequence_ < promise_sequence_ && in_force(rule::durable_before_answer)) return;
    for (const auto& [id, p] : l->again->promises)
        if (p.promised_to > l->highest_seen) l->highest_seen = p.promised_to;
    accepted_value basis = newest(l->again->promises, durable_.accepted);
    // A value of this reign that is under way is never dropped for another (R3).
    const accepted_value mine{l->under, sent_value(*l)};
    if (basis.older_than(mine)) basis = mine;
    if (basis.under > l->under && basis.value.leader != config_.id)
        return stop_leading(
            name_of(basis.value.leader) + " leads under ballot " + to_string(basis.under), now_);
    const auto said = [&](node_id id) {
        const auto it = l->again->promises.find(id);
        if (it == l->again->promises.end()) return ballot_answer::none;
        return it->second.promised ? ballot_answer::yes : ballot_answer::no;
    };
    if (count_votes(basis.value, said) != tally::won) return;
    if (const auto end = lease_end()) l->carried_lease = *end;
    cluster_state value = basis.value;
    value.leader = config_.id;
    ++value.version;
    // The same server goes on, so the timeline stays its own, under a new ballot.
    l->under = l->again->under;
    l->attempt = l->again->attempt;
    l->again.reset();
    l->round = 0;
    l->rounds.clear();
    l->answers.clear();
    l->proposal = std::move(value);
    l->proposed_at = now_;
    l->elected = now_;
    say(severity::notice, "prepared_again", "leads under ballot " + to_string(l->under));
    send_round_to_all();
}

// --- time -------------------------------------------------------------------------------------

void node::lead_time() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l != nullptr && l->at == leader_role::phase::stopping && l->fence_again != boot_time{} &&
        now_ >= l->fence_again) {
        l->fence_again = {};
        l->fence_task = run(fence_server{now_, l->stop_reason});
    }
    if (l == nullptr || l->at == leader_role::phase::stopping) return;
    if (l->again) judge_next_ballot();
    l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at == leader_role::phase::stopping) return;
    if (l->again && now_ - l->again->since > again_limit) l->again.reset();
    if (l->highest_seen > l->under && in_force(rule::prepare_again)) prepare_again();
    if (now_ >= l->next_round) send_round_to_all();
    check_lease();
    after_answers();
}

void node::check_lease() {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at == leader_role::phase::stopping) return;
    const auto& settings = sent_value(*l).settings;
    const auto end = lease_end();
    const bool writable =
        server_.state == server_state::primary || server_.state == server_state::orphaned;
    const bool quiet =
        server_.state == server_state::standby || server_.state == server_state::stopped;
    const bool patient =
        now_ - l->elected <= std::max<duration>(elect_limit, settings.lease_duration);
    if (l->at == leader_role::phase::electing && !writable && (quiet || patient)) {
        // Nothing is writable, so nothing has to be fenced; the ballot is given back.
        if (now_ - l->elected > std::max<duration>(elect_limit, settings.lease_duration))
            end_reign("no majority accepted its election");
        else if (now_ - l->elected > elect_limit && in_force(rule::prepare_again))
            prepare_again();  // R11, second half
        return;
    }
    if (!in_force(rule::demote_before_end)) return;
    if (l->distrust_deadline > now_ && !end) return;
    if (end && now_ < *end - margin(*l)) return;
    std::string silent;
    for (const node_id id : sent_value(*l).voters)
        if (!answered_lately(id)) silent += (silent.empty() ? "" : ", ") + name_of(id);
    stop_leading("the lease could not be renewed" +
                     (silent.empty() ? std::string() : "; no answer from " + silent),
                 end ? *end : now_ + margin(*l) / 2);
}

// --- giving it up -------------------------------------------------------------------------------

void node::stop_leading(std::string why, boot_time deadline) {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at == leader_role::phase::stopping) return;
    if (l->at == leader_role::phase::electing && server_.state == server_state::standby)
        return end_reign(why);
    l->at = leader_role::phase::stopping;
    l->stop_reason = why;
    server_note_ = "fenced: " + why;
    say(severity::warning, "fence", "stops accepting writes: " + why,
        {{"ballot", to_string(l->under)},
         {"timeline", std::to_string(sent_value(*l).last_timeline())}});
    l->fence_task = run(fence_server{deadline, why});
}

void node::finish_stopping(const server_task_done& e) {
    auto* l = std::get_if<leader_role>(&role_);
    if (l == nullptr || l->at != leader_role::phase::stopping) return;
    if (!e.ok) {
        // Never released while anything may still write: try again until it is certain.
        say(severity::error, "fence_failed", "could not stop its PostgreSQL: " + e.text);
        l->fence_again = now_ + std::chrono::milliseconds(20);
        return;
    }
    server_.state = server_state::stopped;
    server_.position.reset();
    end_reign(l->stop_reason);
}

// R10: closed for ever here, on disk, before the release leaves. Precondition: not writable.
void node::end_reign(std::string why) {
    const auto& l = std::get<leader_role>(role_);
    const ballot closed{std::max(l.under.term, durable_.own_term), config_.id};
    const auto voters = everybody();
    for (const std::uint64_t id : l.proposal_requests)
        out(reply{id,
                  error{errc::timed_out, "the leader stepped down before the change was committed",
                        why, "See \"replctl cluster show\" for what was committed."}});
    term_number& known = durable_.closed[config_.id];
    known = std::max(known, closed.term);
    if (grant_ && durable_.is_closed(grant_->to)) grant_.reset();
    contact_.reset();
    token_ = random();
    const auto written = write();
    for (const node_id id : voters)
        if (id != config_.id) post(id, release{closed}, written);
    for (const auto& waiting : requests_)
        out(reply{waiting.request, error{errc::unreachable, "the leader stepped down", why}});
    requests_.clear();
    role_ = follower_role{};
    candidate_not_before_ =
        now_ + std::chrono::milliseconds(300) + jitter(std::chrono::milliseconds(200));
    candidacy_note_ = why;
    say(severity::notice, "released", "released ballot " + to_string(closed) + ": " + why);
}

void node::leader_sees_server() {
    auto& l = std::get<leader_role>(role_);
    if (l.at != leader_role::phase::leading && l.at != leader_role::phase::promoting) return;
    if (server_.state == server_state::stopped || server_.state == server_state::orphaned) {
        const bool restart = l.at == leader_role::phase::leading &&
                             sent_value(l).settings.on_crash == crash_policy::restart &&
                             start_failures_ == 0;
        if (running_ && std::holds_alternative<restart_server>(*running_)) return;
        if (restart) {
            say(severity::warning, "restart",
                "the postmaster died; restarts it in place (on_crash)");
            ++start_failures_;
            server_not_before_ =
                now_ + std::chrono::minutes(5);  // until then a second crash promotes
            run(restart_server{now_ + std::chrono::seconds(30)});
            return;
        }
        return stop_leading("its PostgreSQL has died", now_);
    }
    if (l.at != leader_role::phase::leading) return;
    if (server_.state == server_state::primary) {
        if (start_failures_ > 0 && now_ >= server_not_before_) start_failures_ = 0;
        if (!l.seen_writable) {
            l.seen_writable = true;
            server_note_.clear();
            housekeeping();
        }
    } else if (server_.state == server_state::standby &&
               (l.seen_writable || now_ - l.promoted_at > std::chrono::seconds(2))) {
        stop_leading("its PostgreSQL came up as a standby", now_);
    }
}

}  // namespace repld
