// What a node does with its own PostgreSQL while it does not hold the lease: fence what is
// writable, start what is stopped, follow the leader (R18), rejoin when its history left the
// cluster's.
#include <algorithm>

#include "core/node.hpp"

namespace repld {

namespace {

constexpr duration retry_most = std::chrono::seconds(30);
constexpr duration contact_age_max = std::chrono::seconds(10);

duration growing(duration first, unsigned failures) {
    return std::min(retry_most, first * (1U << std::min(failures, 6U)));
}

}  // namespace

void node::server_task_result(const server_task_done& e) {
    const server_task done = std::move(*running_);
    running_.reset();
    if (std::holds_alternative<freeze_server>(done)) {
        if (promise_work_ && promise_work_->freeze_task == e.task) return continue_promise(e);
        auto* c = std::get_if<candidate_role>(&role_);
        if (c == nullptr || c->freeze_task != e.task) return;
        if (!e.ok || !e.position)
            return lose_candidacy("could not cut off its own PostgreSQL: " + e.text,
                                  std::chrono::milliseconds(200));
        server_.position = e.position;
        server_.upstream = 0;
        server_.streaming = false;
        c->position = *e.position;
        return send_prepare(*c);
    }
    if (std::holds_alternative<fence_server>(done)) {
        if (is_leader()) return finish_stopping(e);
        if (!e.ok) {
            say(severity::error, "fence_failed", "could not stop its PostgreSQL: " + e.text);
            server_not_before_ = now_ + std::chrono::milliseconds(100);
            return;
        }
        server_.state = server_state::stopped;
        server_.position.reset();
        return;
    }
    if (std::holds_alternative<start_standby>(done)) {
        if (e.ok) {
            start_failures_ = 0;
            if (server_.state == server_state::stopped)
                server_.state = server_state::starting;  // until it is seen
            server_note_.clear();
        } else {
            server_note_ = "its PostgreSQL could not be started: " + e.text;
            say(severity::error, "start_failed", server_note_);
            server_not_before_ = now_ + growing(std::chrono::seconds(1), start_failures_++);
        }
        out(observe_now{});
        return;
    }
    if (std::holds_alternative<restart_server>(done)) {
        if (!e.ok && is_leader())
            return stop_leading("its PostgreSQL could not be restarted: " + e.text, now_);
        out(observe_now{});
        return;
    }
    if (std::holds_alternative<promote_server>(done)) return promotion_done(e);
    if (const auto* follow = std::get_if<follow_upstream>(&done)) {
        if (e.ok) {
            say(severity::notice, "standby_follow", "follows " + name_of(follow->upstream));
            server_.upstream = follow->upstream;
            server_note_.clear();
        } else {
            server_note_ = "could not follow " + name_of(follow->upstream) + ": " + e.text;
            say(severity::warning, "follow_failed", server_note_);
        }
        server_not_before_ = now_ + (e.ok ? std::chrono::seconds(2) : std::chrono::seconds(1));
        out(observe_now{});
        return take_waiting_promise();
    }
    if (std::holds_alternative<rejoin_server>(done)) {
        if (e.ok) {
            rejoin_failures_ = 0;
            server_note_.clear();
            say(severity::notice, "node_rejoin", e.text);
        } else {
            server_note_ = "cannot rejoin: " + e.text;
            if (rejoin_failures_ == 0) say(severity::error, "rejoin_failed", server_note_);
            server_not_before_ = now_ + growing(std::chrono::seconds(2), rejoin_failures_++);
        }
        // Started or not, what it is now is seen, not remembered.
        server_.state = server_state::unknown;
        server_.position.reset();
        out(observe_now{});
    }
}

// The daemon may end when nothing here is writable or could become so unwatched.
void node::finish_leaving() {
    if (!leaving_ || is_leader() || running_) return;
    const bool quiet = config_.role != node_role::data || !durable_.in_cluster() ||
                       !durable_.accepted || server_.state == server_state::standby ||
                       (server_.state == server_state::stopped &&
                        (start_failures_ > 0 || unadmitted_ || self() == nullptr));
    if (!quiet) return;
    out(reply{*leaving_, {}});
    leaving_.reset();
    left_ = true;
}

// Writable without a lease: by a person, by an old unit file, or by a daemon that died. Or its
// postmaster is dead and a backend may still commit.
void node::fence_if_writable() {
    if (config_.role != node_role::data || !durable_.in_cluster() || is_leader() || running_)
        return;
    if (server_.state == server_state::orphaned) {
        run(fence_server{now_, "its postmaster died"});
        return;
    }
    if (server_.state != server_state::primary || now_ < server_not_before_) return;
    if (!self() && !durable_.accepted) return;  // it is only just being taken into a cluster
    server_note_ = "fenced: it was writable without a lease";
    say(severity::warning, "fence", "its PostgreSQL is writable without a lease; stops it");
    run(fence_server{now_ + std::chrono::milliseconds(400), "writable without a lease"});
}

void node::upkeep() {
    if (left_) return;
    finish_leaving();
    if (config_.role != node_role::data || !durable_.in_cluster() || is_leader() || running_)
        return;
    if (now_ < server_not_before_ && server_.state != server_state::primary) return;
    switch (server_.state) {
        case server_state::none:
        case server_state::unknown:
        case server_state::starting: return;
        case server_state::primary:
        case server_state::orphaned: return fence_if_writable();
        case server_state::stopped:
            if (self() == nullptr) return;  // a node that is joining sees to its server itself
            if (std::holds_alternative<candidate_role>(role_)) role_ = follower_role{};
            say(severity::notice, "server_start",
                "its PostgreSQL does not run; starts it as a standby");
            run(start_standby{leader_to_follow()});
            return;
        case server_state::standby:
            if (leaving_ || promise_work_ || std::holds_alternative<candidate_role>(role_)) return;
            follow_leader();
    }
}

// R18: only a leader whose accept or heartbeat carried a ballot not below the promise. 0: nobody.
node_id node::leader_to_follow() const {
    if (!contact_ || contact_->leader == config_.id || !contact_->report.writable ||
        now_ - contact_->at > contact_age_max)
        return 0;
    if (in_force(rule::no_thaw) && contact_->under < durable_.promise.to) return 0;
    return contact_->leader;
}

// Whom the task under way will leave the server pointed at; nothing when it points it nowhere.
node_id node::pointed_at_by_task() const {
    if (!running_) return 0;
    if (const auto* t = std::get_if<follow_upstream>(&*running_)) return t->upstream;
    if (const auto* t = std::get_if<rejoin_server>(&*running_)) return t->upstream;
    if (const auto* t = std::get_if<start_standby>(&*running_)) return t->upstream;
    return 0;
}

void node::follow_leader() {
    if (leader_to_follow() == 0) return;
    const cluster_state* s = state();
    if (s == nullptr || durable_.accepted->under != contact_->under ||
        s->version < contact_->version)
        return;
    if (server_.upstream == contact_->leader && server_.streaming) {
        promote_failures_ = 0;
        server_note_.clear();
        return;
    }
    if (!server_.position) {
        server_note_ = "its WAL position is not known: " + server_.position_unknown;
        server_not_before_ = now_ + std::chrono::milliseconds(200);
        out(observe_now{});
        return;
    }
    const lineage where = locate(*s, *server_.position);
    if (where.is == lineage::relation::on_branch) {
        if (server_.upstream != contact_->leader) {
            run(follow_upstream{contact_->leader});
        } else {
            server_note_ = "does not stream from " + name_of(contact_->leader) +
                           (server_.reason.empty() ? std::string() : ": " + server_.reason);
            server_not_before_ = now_ + std::chrono::seconds(1);
        }
        return;
    }
    if (s->settings.rejoin == rejoin_policy::follow) {
        server_note_ = "its WAL (" + to_string(*server_.position) +
                       ") left the cluster's history and \"rejoin\" is follow: needs a person";
        server_not_before_ = now_ + std::chrono::seconds(5);
        return;
    }
    say(severity::notice, "node_rejoin_started",
        "its WAL (" + to_string(*server_.position) + ") left the cluster's history" +
            (where.counts.end.valid() ? " at " + to_string(where.counts) : std::string()) +
            "; rejoins");
    run(rejoin_server{contact_->leader, where.counts.end, *server_.position});
}

}  // namespace repld
