// Promises and grants: R2 to R7, R9, R10, R13 to R18.
#include <algorithm>

#include "core/node.hpp"
#include "core/units.hpp"

namespace repld {

namespace {

// R16 in asynchronous mode ends after this, inside max_lag: the node ahead may be one that cannot
// lead.
constexpr duration behind_patience = std::chrono::seconds(5);

}  // namespace

// --- may this ballot pass? --------------------------------------------------------------------

std::optional<std::string> node::refuse_ballot(const ballot& b, nonce token) const {
    if (readmission_) return "its state went back and it has not been admitted again";
    if (!disk_ok_) return "it cannot write its state directory";
    if (in_force(rule::closed_ballots) && durable_.is_closed(b))
        return "ballot " + to_string(b) + " is closed";
    if (b < durable_.promise.to) return "it has promised ballot " + to_string(durable_.promise.to);
    if (b < durable_.floor) return "it may have promised ballot " + to_string(durable_.floor);
    if (b == durable_.promise.to) return std::nullopt;
    // R9: who knows what it granted before it was restarted.
    if (in_force(rule::wait_after_start) && now_ < wait_until_)
        return "it was started lately and waits another " +
               std::to_string((wait_until_ - now_) / std::chrono::milliseconds(1)) + " ms";
    // R7
    if (in_force(rule::lease_blocks_others) && lease_granted() && grant_->to != b) {
        const bool same_holder = grant_->to.node == b.node &&
                                 ((token != 0 && token == grant_->token) || !in_force(rule::token));
        if (!same_holder)
            return "the lease of " + name_of(grant_->to.node) + " runs for another " +
                   std::to_string((grant_->until - now_) / std::chrono::milliseconds(1)) + " ms";
    }
    return std::nullopt;
}

// R13: certainly in recovery or certainly dead; everything else counts as writable.
std::optional<std::string> node::refuse_server() const {
    if (config_.role == node_role::witness || !in_force(rule::not_writable)) return std::nullopt;
    if (const auto* l = std::get_if<leader_role>(&role_))
        if (l->at != leader_role::phase::electing || server_.state == server_state::primary)
            return "its own PostgreSQL may be writable";
    const bool starts_as_standby = running_ && std::holds_alternative<start_standby>(*running_);
    if (starts_as_standby && server_.state != server_state::primary &&
        server_.state != server_state::orphaned)
        return std::nullopt;  // started by us with standby.signal, and not promoted since
    switch (server_.state) {
        case server_state::none:
        case server_state::stopped:
        case server_state::standby: return std::nullopt;
        case server_state::unknown:
            return "it does not know the state of its own PostgreSQL" +
                   (server_.reason.empty() ? std::string() : " (" + server_.reason + ")");
        case server_state::orphaned: return "a backend of its dead postmaster may still write";
        case server_state::starting: return "its own PostgreSQL is starting";
        case server_state::primary: return "its own PostgreSQL is writable";
    }
    return "unknown server state";
}

// The holder of the lease that prepares again has the primary this node streams from: it is ahead
// by definition, while the position in its message is older than what has been streamed since
// (R16).
bool node::shows_token(const prepare& m) const {
    return lease_granted() && grant_->to.node == m.under.node && m.token != 0 &&
           m.token == grant_->token;
}

bool node::must_freeze(node_id for_leader) const {
    if (!in_force(rule::frozen) || config_.role != node_role::data) return false;
    // Its configuration may still name another upstream, for whoever starts it.
    if (server_.state == server_state::stopped) return !stopped_frozen_;
    if (server_.state != server_state::standby) return false;
    return server_.upstream != for_leader && (server_.upstream != 0 || server_.streaming);
}

wal_position node::worth(const wal_position& position) const {
    // A timeline above all that this node knows was given out by a value that it has not heard of
    // yet.
    if (state() == nullptr || position.timeline > state()->last_timeline()) return position;
    return locate(*state(), position).counts;
}

// R15 and R16, with the position as it is known at this moment.
std::optional<std::string> node::refuse_position(const wal_position& theirs) {
    const member* me = self();
    if (config_.role == node_role::witness || me == nullptr) return std::nullopt;
    if (!server_.position) {
        if (!in_force(rule::position_known)) return std::nullopt;
        return "its own WAL position is not known" +
               (server_.position_unknown.empty() ? std::string() : ": " + server_.position_unknown);
    }
    if (me->priority <= 0 || !in_force(rule::not_behind)) return std::nullopt;
    const wal_position mine = worth(*server_.position);
    const wal_position other = worth(theirs);
    if (!(other < mine)) {
        behind_since_.reset();
        return std::nullopt;
    }
    if (!behind_since_) behind_since_ = now_;
    const bool within = mine.timeline == other.timeline &&
                        mine.end.value - other.end.value <= state()->settings.max_lag_bytes;
    const duration patience = std::max(behind_patience, state()->settings.lease_duration);
    if (within && now_ - *behind_since_ >= patience) return std::nullopt;
    return "the candidate stands at " + to_string(other) + ", behind its own " + to_string(mine);
}

// --- prepare ----------------------------------------------------------------------------------

void node::on(const envelope& from, const prevote_request& m) {
    prevote_answer answer;
    answer.attempt = m.attempt;
    answer.promised = durable_.promise.to;
    // Any ballot above the promise and above what is closed would do: what counts is whether one
    // would pass now.
    const auto closed = durable_.closed.find(from.from);
    const term_number above = std::max({durable_.promise.to.term, durable_.floor.term,
                                        closed == durable_.closed.end() ? 0 : closed->second});
    const ballot next{above + 1, from.from};
    auto refusal = refuse_ballot(next, 0);
    if (!refusal) refusal = refuse_server();
    if (!refusal) refusal = refuse_position(m.position);
    if (!refusal && is_leader()) refusal = "it leads itself";
    answer.would = !refusal;
    answer.reason = refusal.value_or("");
    answer.position = server_.position;
    answer.could_lead = config_.role == node_role::data && !why_not_candidate();
    post(from.from, answer);
}

void node::answer_prepare(node_id to, const prepare& m, std::optional<std::string> refusal,
                          std::uint64_t after) {
    promise_answer answer;
    answer.under = m.under;
    answer.attempt = m.attempt;
    answer.promised = !refusal;
    answer.reason = refusal.value_or("");
    answer.promised_to = durable_.promise.to;
    answer.position = server_.position;
    if (answer.promised) answer.accepted = durable_.accepted;
    post(to, answer, after);
}

void node::on(const envelope& from, const prepare& m) {
    if (m.under.node != from.from) return;
    if (m.under == durable_.promise.to && !readmission_ && !(m.under < durable_.floor)) {
        const bool same =
            m.attempt == durable_.promise.attempt || !in_force(rule::equal_ballot_other_attempt);
        answer_prepare(
            from.from, m,
            same ? std::nullopt
                 : std::optional<std::string>("it has promised another attempt of that ballot"),
            promise_sequence_);
        return;
    }
    auto refusal = refuse_ballot(m.under, m.token);
    // R2: this node may have promised that very ballot, and does not know to which attempt.
    if (!refusal && m.under == durable_.floor) refusal = "it may have promised that ballot before";
    if (!refusal) refusal = refuse_server();
    if (!refusal && server_.state == server_state::stopped && in_force(rule::position_known))
        refusal = "its PostgreSQL is stopped, so its WAL position is not known";
    if (refusal) return answer_prepare(from.from, m, std::move(refusal));
    if (config_.role == node_role::witness || !in_force(rule::frozen)) {
        if (!shows_token(m))
            if (auto behind = refuse_position(m.position))
                return answer_prepare(from.from, m, std::move(behind));
        const auto written = record_promise(m.under, m.attempt);
        return answer_prepare(from.from, m, std::nullopt, written);
    }
    if (promise_work_) {
        if (m.under > promise_work_->to && (!promise_waiting_ || m.under > waiting_ballot_)) {
            waiting_ballot_ = m.under;
            promise_waiting_ = message_received{from, m};
        }
        return;
    }
    if (running_ && std::holds_alternative<follow_upstream>(*running_)) {
        // Not cut short: its ALTER SYSTEM could still take effect after the freeze.
        if (!promise_waiting_ || m.under > waiting_ballot_) {
            waiting_ballot_ = m.under;
            promise_waiting_ = message_received{from, m};
        }
        return;
    }
    if (running_) return answer_prepare(from.from, m, "its PostgreSQL is busy");
    if (auto* c = std::get_if<candidate_role>(&role_)) {
        // The higher ballot goes first; R19 makes this rare.
        (void)c;
        role_ = follower_role{};
        candidate_not_before_ =
            now_ + std::chrono::milliseconds(300) + jitter(std::chrono::milliseconds(200));
    }
    promise_work_ = promise_work{{from, m}, m.under, run(freeze_server{})};
}

// R14 is done or has failed; R17: everything is checked again before the write.
void node::continue_promise(const server_task_done& e) {
    const promise_work work = std::move(*promise_work_);
    promise_work_.reset();
    if (e.ok) {
        stopped_frozen_ = server_.state == server_state::stopped;
        server_.position = e.position;
        server_.upstream = 0;
        server_.streaming = false;
    }
    if (const auto* m = std::get_if<prepare>(&work.cause.body)) {
        const node_id candidate = work.cause.from.from;
        std::optional<std::string> refusal;
        if (!e.ok) refusal = "it could not cut off its PostgreSQL: " + e.text;
        if (!refusal && in_force(rule::checked_again)) {
            refusal = refuse_ballot(m->under, m->token);
            if (!refusal) refusal = refuse_server();
        }
        if (!refusal && !shows_token(*m)) refusal = refuse_position(m->position);
        if (refusal)
            answer_prepare(candidate, *m, std::move(refusal));
        else
            answer_prepare(candidate, *m, std::nullopt, record_promise(m->under, m->attempt));
    } else if (e.ok) {
        std::visit([&](const auto& body) { on(work.cause.from, body); }, work.cause.body);
    }
    take_waiting_promise();
}

void node::take_waiting_promise() {
    if (!promise_waiting_) return;
    const message_received waiting = std::move(*promise_waiting_);
    promise_waiting_.reset();
    std::visit([&](const auto& body) { on(waiting.from, body); }, waiting.body);
}

// Another task takes the place of the freeze: the promise is refused, not forgotten.
void node::drop_promise_work() {
    promise_waiting_.reset();
    if (!promise_work_) return;
    const promise_work work = std::move(*promise_work_);
    promise_work_.reset();
    if (const auto* m = std::get_if<prepare>(&work.cause.body))
        answer_prepare(work.cause.from.from, *m, "its PostgreSQL had to be stopped");
}

std::uint64_t node::record_promise(const ballot& to, nonce attempt) {
    durable_.promise = {to, attempt};
    promise_sequence_ = write();
    return promise_sequence_;
}

// --- accept and heartbeat ---------------------------------------------------------------------

// R4: true when the promise equals `to` now (though maybe not on disk yet).
bool node::raise_promise(const message_received& cause, const ballot& to, nonce attempt,
                         nonce token) {
    const node_id leader = to.node;
    if (leader != config_.id && !durable_.is_closed(to)) {
        claimed_leader_ = leader;
        claimed_at_ = now_;
    }
    if (in_force(rule::fence_on_higher_leader) && leader != config_.id) {
        // R11: an accept or a heartbeat of a higher ballot comes from a leader that a majority
        // promised.
        const auto* l = std::get_if<leader_role>(&role_);
        if (l != nullptr && l->at != leader_role::phase::stopping && to > l->under &&
            !durable_.is_closed(to))
            stop_leading(name_of(leader) + " leads under the higher ballot " + to_string(to), now_);
    }
    const auto refuse = [&](std::string reason) {
        std::visit(
            [&](const auto& body) {
                using body_type = std::decay_t<decltype(body)>;
                if constexpr (std::is_same_v<body_type, accept> ||
                              std::is_same_v<body_type, heartbeat>)
                    refuse_grant(cause.from.from, to, body.round, std::move(reason));
            },
            cause.body);
        return false;
    };
    if (auto refusal = refuse_ballot(to, token)) return refuse(std::move(*refusal));
    if (to == durable_.promise.to) {
        if (attempt != durable_.promise.attempt && in_force(rule::equal_ballot_other_attempt))
            return refuse("it has promised another attempt of that ballot");
        return true;
    }
    if (leader != config_.id) {
        if (auto refusal = refuse_server()) return refuse(std::move(*refusal));
        if (in_force(rule::no_thaw) && pointed_at_by_task() != 0 && pointed_at_by_task() != leader)
            return refuse("its PostgreSQL is being pointed at " + name_of(pointed_at_by_task()));
        if (must_freeze(leader)) {
            if (promise_work_) return false;
            if (running_) return refuse("its PostgreSQL is busy");
            if (std::holds_alternative<candidate_role>(role_)) role_ = follower_role{};
            promise_work_ = promise_work{cause, to, run(freeze_server{})};
            return false;
        }
    }
    if (!in_force(rule::heartbeat_raises_promise) && std::holds_alternative<heartbeat>(cause.body))
        return true;
    record_promise(to, attempt);
    if (std::holds_alternative<candidate_role>(role_)) role_ = follower_role{};
    return true;
}

void node::on(const envelope& from, const accept& m) {
    if (m.under.node != from.from || m.value.leader != from.from) return;
    if (!raise_promise({from, m}, m.under, m.attempt, m.token)) return;
    if (in_force(rule::rounds_only_go_up) && last_round_.first == m.under &&
        m.round <= last_round_.second)
        return;
    const accepted_value offered{m.under, m.value};
    if (durable_.accepted && in_force(rule::version_order) &&
        offered.older_than(*durable_.accepted))
        return refuse_grant(from.from, m.under, m.round,
                            "it has accepted version " +
                                std::to_string(durable_.accepted->value.version) + " already");
    last_round_ = {m.under, m.round};
    accept_value(m);
    note_contact(from, m.under, m.report, 0);
    grant(from.from, m.under, m.round, m.token, now_, accepted_sequence_);
}

void node::accept_value(const accept& m) {
    if (durable_.accepted && durable_.accepted->under == m.under &&
        durable_.accepted->value.version == m.value.version)
        return;
    const node_id before = durable_.accepted ? durable_.accepted->value.leader : 0;
    if (before != 0 && before != m.value.leader) {
        failovers_.push_back(now_);
        if (failovers_.size() > 256) failovers_.pop_front();
    }
    durable_.accepted = accepted_value{m.under, m.value};
    // R6: the figure of the next grant, durable with the value that brings it.
    durable_.grant_max = std::max(durable_.grant_max, m.value.settings.lease_duration);
    accepted_sequence_ = write();
}

void node::on(const envelope& from, const heartbeat& m) {
    if (m.under.node != from.from) return;
    if (!durable_.accepted) return refuse_grant(from.from, m.under, m.round, "it has no value yet");
    if (!raise_promise({from, m}, m.under, m.attempt, m.token)) return;
    if (in_force(rule::rounds_only_go_up) && last_round_.first == m.under &&
        m.round <= last_round_.second)
        return;
    last_round_ = {m.under, m.round};
    note_contact(from, m.under, m.report, m.version);
    grant(from.from, m.under, m.round, m.token, now_, promise_sequence_);
}

duration node::granted_figure() const {
    return state() != nullptr ? state()->settings.lease_duration : duration::zero();
}

void node::grant(node_id leader, const ballot& under, round_number round, nonce token,
                 boot_time received, std::uint64_t after) {
    const duration figure = granted_figure();
    if (figure >= durable_.grant_max) {
        larger_until_ = received + figure;
        if (figure > durable_.grant_max) {
            durable_.grant_max = figure;
            after = write();
        }
    } else if (now_ >= larger_until_ || !in_force(rule::larger_figure_kept)) {
        durable_.grant_max = figure;  // R6: all that was granted under the larger one has run out
        memory_changed_ = true;
    }
    boot_time until = received + figure;
    // R6: a grant already given under the larger figure is not shortened.
    if (lease_granted() && grant_->to.node == under.node && in_force(rule::larger_figure_kept))
        until = std::max(until, grant_->until);
    grant_ = grant_record{under, token, until};
    grant_answer answer;
    answer.under = under;
    answer.round = round;
    answer.granted = true;
    answer.figure = figure;
    answer.promised_to = durable_.promise.to;
    if (durable_.accepted) {
        answer.accepted_under = durable_.accepted->under;
        answer.version = durable_.accepted->value.version;
        answer.accepted_leader = durable_.accepted->value.leader;
    }
    post(leader, answer, std::max({after, promise_sequence_, accepted_sequence_}));
}

void node::refuse_grant(node_id leader, const ballot& under, round_number round,
                        std::string reason) {
    grant_answer answer;
    answer.under = under;
    answer.round = round;
    answer.reason = std::move(reason);
    answer.promised_to = durable_.promise.to;
    if (durable_.accepted) {
        answer.accepted_under = durable_.accepted->under;
        answer.version = durable_.accepted->value.version;
        answer.accepted_leader = durable_.accepted->value.leader;
    }
    post(leader, answer, std::max(promise_sequence_, accepted_sequence_));
}

void node::note_contact(const envelope& from, const ballot& under, const leader_report& report,
                        version_number version) {
    const bool news = !contact_ || contact_->under != under;
    contact_ = contact{under, from.from, report, version, now_};
    behind_since_.reset();  // the patience of R16 begins anew with every loss of a leader
    if (from.from == config_.id) return;
    failed_attempts_ = 0;
    deferred_to_better_ = 0;
    candidacy_note_.clear();
    if (news)
        say(severity::info, "",
            "follows " + name_of(from.from) + " under ballot " + to_string(under));
}

// R10
void node::on(const envelope& from, const release& m) {
    if (m.closed.node != from.from) return;
    if (!durable_.is_closed(m.closed)) {
        term_number& closed = durable_.closed[m.closed.node];
        closed = std::max(closed, m.closed.term);
        write();
    }
    const bool covers =
        grant_ && (durable_.is_closed(grant_->to) ||
                   (!in_force(rule::release_names_ballot) && grant_->to.node == from.from));
    if (covers) {
        grant_.reset();
        say(severity::info, "",
            name_of(from.from) + " released its lease under ballot " + to_string(m.closed));
        candidate_not_before_ = now_;
        failed_attempts_ = 0;
    }
    if (contact_ && durable_.is_closed(contact_->under)) contact_.reset();
    if (claimed_leader_ == from.from) claimed_leader_ = 0;
}

}  // namespace repld
