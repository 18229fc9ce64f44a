#include "core/node.hpp"

#include <algorithm>

#include "core/units.hpp"

namespace repld {

namespace {

// R12: two readings cannot be taken at one instant and clocks are slewed, so a small difference is
// no jump. A jump noticed in vain costs one extra round.
constexpr duration jump_tolerance = std::chrono::milliseconds(20);
constexpr duration memory_write_interval = std::chrono::seconds(1);
constexpr duration disk_retry_interval = std::chrono::seconds(1);
constexpr std::size_t deferred_max = 4096;
constexpr std::size_t starts_max = 32;

}  // namespace

node::node(node_config config, durable_state durable, boot_time now)
    : config_(std::move(config)), durable_(std::move(durable)), now_(now), started_(now) {
    random_state_ = config_.seed;
    durable_.id = config_.id;
    if (durable_.machine_id.empty()) durable_.machine_id = config_.machine_id;
    unadmitted_ = in_force(rule::identity) && durable_.machine_id != config_.machine_id;
    durable_generation_ = durable_.generation;
    wait_until_ = started_ + durable_.grant_max;
    larger_until_ = wait_until_;
    token_ = random();
    if (config_.role == node_role::witness) server_.state = server_state::none;
}

std::vector<action> node::start(boot_time now) {
    now_ = now;
    if (unadmitted_) {
        say(severity::error, "node_unadmitted",
            "the state directory of this node comes from another machine; it does not vote, answer "
            "or "
            "lead");
        if (config_.role == node_role::data) out(observe_now{});
        std::vector<action> actions = std::move(actions_);
        actions_.clear();
        return actions;
    }
    if (durable_.boot != 0) {
        durable_.starts.push_back({durable_.boot, durable_.start, durable_.generation});
        if (durable_.starts.size() > starts_max) durable_.starts.erase(durable_.starts.begin());
    }
    ++durable_.boot;
    durable_.start = random();
    // The generation stays: raised by a start, it would hide that the state went back (R24).
    write_as_it_is();
    if (durable_.went_back) begin_readmission();
    if (durable_.grant_max > duration::zero())
        say(severity::info, "",
            "started; promises nobody anything for " + format_duration(durable_.grant_max) +
                ", the longest lease it may have granted before");
    if (config_.role == node_role::data) out(observe_now{});
    std::vector<action> actions = std::move(actions_);
    actions_.clear();
    return actions;
}

std::vector<action> node::step(boot_time now, const event& e) {
    now_ = std::max(now, now_);
    std::visit([this](const auto& what) { handle(what); }, e);
    drain();
    if (unadmitted_)
        fence_if_writable();  // a copy must not stay writable beside the original
    else
        time_passes();
    drain();
    std::vector<action> actions = std::move(actions_);
    actions_.clear();
    return actions;
}

void node::drain() {
    // A node's messages to itself answer each other a few times at most (accept, then its grant).
    for (int handled = 0; handled < 64 && !inbox_.empty(); ++handled) {
        const message_received mine = std::move(inbox_.front());
        inbox_.pop_front();
        std::visit([&](const auto& body) { on(mine.from, body); }, mine.body);
    }
}

void node::time_passes() {
    if (!disk_ok_ && now_ >= disk_retry_) {
        disk_retry_ = now_ + disk_retry_interval;
        write();
    }
    if (memory_changed_ && disk_ok_ && now_ >= disk_retry_) {
        // What peers' generations are is written lazily and raises none of ours: if each such write
        // raised it, two nodes would keep each other writing for ever.
        disk_retry_ = now_ + memory_write_interval;
        memory_changed_ = false;
        write_as_it_is();
    }
    if (readmission_) ask_for_readmission();
    std::visit(
        [this](auto& role) {
            using role_type = std::decay_t<decltype(role)>;
            if constexpr (std::is_same_v<role_type, follower_role>)
                consider_candidacy();
            else if constexpr (std::is_same_v<role_type, candidate_role>)
                candidate_time();
            else
                lead_time();
        },
        role_);
    upkeep();
}

// --- events -----------------------------------------------------------------------------------

void node::handle(const tick& e) {
    if (last_tick_ && in_force(rule::clock_jump)) {
        const duration difference = (e.realtime - last_tick_->second) - (now_ - last_tick_->first);
        if (difference > jump_tolerance || difference < -jump_tolerance) {
            if (auto* l = std::get_if<leader_role>(&role_);
                l && l->at != leader_role::phase::stopping) {
                const auto end = lease_end();
                l->distrust_before = now_;
                // One heartbeat interval to get an answer: the old end, by a clock that jumped, is
                // no bound any more, but it must not be exceeded either.
                l->distrust_deadline = now_ + sent_value(*l).settings.heartbeat_interval;
                if (end) l->distrust_deadline = std::min(l->distrust_deadline, *end);
                l->carried_lease = {};
                say(severity::warning, "clock_jump",
                    "the clocks of this host moved apart by " +
                        format_duration(difference < duration::zero() ? -difference : difference) +
                        "; the lease counts again from the next answered round");
                send_round_to_all();
            }
        }
    }
    last_tick_.emplace(now_, e.realtime);
}

void node::handle(const message_received& e) {
    if (unadmitted_ || !durable_.in_cluster() || !admit_message(e.from, e.body)) return;
    heard_[e.from.from] = now_;
    std::visit([&](const auto& body) { on(e.from, body); }, e.body);
}

void node::handle(const disk_done& e) {
    if (!e.ok) {
        if (disk_ok_)
            say(severity::error, "state_not_written",
                "could not write the state directory; this node does not vote until it can: " +
                    e.reason);
        disk_ok_ = false;
        disk_retry_ = now_ + disk_retry_interval;
        deferred_.clear();  // nothing that relied on a failed write ever leaves
        return;
    }
    if (!disk_ok_ && e.sequence == sequence_) {
        disk_ok_ = true;
        say(severity::notice, "state_written", "the state directory can be written again");
    }
    durable_sequence_ = std::max(durable_sequence_, e.sequence);
    while (!generations_.empty() && generations_.front().first <= durable_sequence_) {
        durable_generation_ = std::max(durable_generation_, generations_.front().second);
        generations_.pop_front();
    }
    std::vector<std::pair<std::uint64_t, action>> still;
    std::vector<std::pair<std::uint64_t, action>> waiting = std::move(deferred_);
    deferred_.clear();
    for (auto& [sequence, what] : waiting) {
        if (sequence <= durable_sequence_)
            out(std::move(what));
        else
            still.emplace_back(sequence, std::move(what));
    }
    deferred_.insert(deferred_.begin(), std::make_move_iterator(still.begin()),
                     std::make_move_iterator(still.end()));
}

void node::handle(const server_seen& e) {
    server_ = e.seen;
    if (server_.state != server_state::stopped) stopped_frozen_ = false;
    if (config_.role == node_role::witness) server_.state = server_state::none;
    if (auto* c = std::get_if<candidate_role>(&role_); c && c->at == candidate_role::phase::looking)
        ask(*c);
    if (is_leader()) leader_sees_server();
}

void node::handle(const server_task_done& e) {
    if (e.task != task_ || !running_) return;  // ended by a newer task
    server_task_result(e);
}

void node::handle(const operator_request& e) {
    std::visit([&](const auto& what) { request(e.request, what); }, e.what);
}

// --- actions ----------------------------------------------------------------------------------

std::uint64_t node::write() {
    ++durable_.generation;
    return write_as_it_is();
}

std::uint64_t node::write_as_it_is() {
    ++sequence_;
    generations_.emplace_back(sequence_, durable_.generation);
    out(persist{sequence_, durable_});
    return sequence_;
}

void node::out(action a) {
    if (auto* message_out = std::get_if<send>(&a)) {
        // Filled in at leaving: peers may remember no generation that a crash could still undo.
        envelope& from = message_out->from;
        from.from = config_.id;
        from.cluster = durable_.cluster;
        from.system_identifier = durable_.system_identifier;
        from.identity = durable_.identity;
        from.boot = durable_.boot;
        from.start = durable_.start;
        from.generation = durable_generation_;
        if (const auto known = durable_.peers.find(message_out->to);
            known != durable_.peers.end()) {
            from.remembers = known->second.generation;
            from.remembers_boot = known->second.boot;
            from.remembers_start = known->second.start;
        }
        if (message_out->to == config_.id) {
            inbox_.push_back({message_out->from, std::move(message_out->body)});
            return;
        }
    }
    actions_.push_back(std::move(a));
}

void node::when_durable(std::uint64_t sequence, action a) {
    if (sequence <= durable_sequence_ || !in_force(rule::durable_before_answer)) {
        out(std::move(a));
    } else if (deferred_.size() < deferred_max) {
        deferred_.emplace_back(sequence, std::move(a));
    }
}

void node::say(severity level, std::string name, std::string text,
               std::vector<std::pair<std::string, std::string>> evidence) {
    out(note{level, std::move(name), std::move(text), std::move(evidence)});
}

void node::post(node_id to, message body, std::uint64_t after) {
    send what{to, {}, std::move(body)};
    // Peers learn the number of this start only once it is on disk: the first write carries it
    // (R24).
    when_durable(std::max<std::uint64_t>(after, 1), std::move(what));
}

void node::post_all(const message& body, std::uint64_t after) {
    for (const node_id id : everybody())
        if (id != config_.id) post(id, body, after);
}

std::vector<node_id> node::everybody() const {
    std::vector<node_id> ids;
    const auto add = [&](const cluster_state& s) {
        for (const member& m : s.members)
            if (std::find(ids.begin(), ids.end(), m.id) == ids.end()) ids.push_back(m.id);
    };
    if (state() != nullptr) add(*state());
    if (const auto* l = std::get_if<leader_role>(&role_)) {
        if (l->committed) add(*l->committed);
        if (l->proposal) add(*l->proposal);
    }
    return ids;
}

std::uint64_t node::run(server_task what, std::uint64_t after) {
    drop_promise_work();
    running_ = what;
    if (!std::holds_alternative<freeze_server>(what)) stopped_frozen_ = false;
    ++task_;
    when_durable(after, run_server_task{task_, std::move(what)});
    return task_;
}

// splitmix64 (Steele, Lea, Flood 2014): a stream from one seed, the same on every platform.
nonce node::random() {
    random_state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = random_state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    z ^= z >> 31U;
    return z == 0 ? 1 : z;
}

duration node::jitter(duration most) {
    return duration(
        static_cast<std::int64_t>(random() % (static_cast<std::uint64_t>(most.count()) + 1)));
}

// --- views ------------------------------------------------------------------------------------

const cluster_state* node::state() const {
    return durable_.accepted ? &durable_.accepted->value : nullptr;
}

const member* node::self() const {
    return state() == nullptr ? nullptr : state()->find(config_.id);
}

std::string node::name_of(node_id id) const {
    const member* m = state() == nullptr ? nullptr : state()->find(id);
    return m != nullptr ? "\"" + m->name + "\"" : "node " + std::to_string(id);
}

boot_time node::next_deadline() const {
    boot_time next = now_ + std::chrono::seconds(1);
    const auto at = [&](boot_time when) {
        if (when > now_) next = std::min(next, when);
    };
    if (!disk_ok_ || memory_changed_) at(disk_retry_);
    if (grant_) at(grant_->until);
    at(wait_until_);
    if (readmission_) at(readmission_->ask_again);
    at(candidate_not_before_);
    at(server_not_before_);
    if (const auto* c = std::get_if<candidate_role>(&role_)) {
        at(c->deadline);
        if (c->majority_since) at(*c->majority_since + std::chrono::milliseconds(25));
    }
    if (const auto* l = std::get_if<leader_role>(&role_)) {
        at(l->next_round);
        at(l->distrust_deadline);
        at(l->promote_deadline);
        at(l->fence_again);
        if (const auto end = lease_end()) at(*end - margin(*l));
        if (l->again) at(l->again->since + std::chrono::milliseconds(500));
    }
    return next;
}

node_view node::view() const {
    node_view v;
    v.promised = durable_.promise.to;
    const cluster_state* s = state();
    if (s != nullptr) v.voters = s->voters.size();
    if (!durable_.in_cluster()) {
        v.role = "idle";
        v.state = "not in a cluster yet";
        return v;
    }
    if (unadmitted_) {
        v.role = "idle";
        v.state = "its state directory comes from another machine";
        return v;
    }
    if (const auto* l = std::get_if<leader_role>(&role_)) {
        const auto end = lease_end();
        v.role = "leader";
        v.leader = config_.id;
        v.lease_left = end && *end > now_ ? *end - now_ : duration::zero();
        v.writable = l->at == leader_role::phase::leading && l->seen_writable;
        for (const node_id id : sent_value(*l).voters) v.reached += answered_lately(id) ? 1 : 0;
        v.has_quorum = v.lease_left > duration::zero() && l->at != leader_role::phase::stopping;
        switch (l->at) {
            case leader_role::phase::electing:
                v.state = "elected, waits for a majority to accept";
                break;
            case leader_role::phase::promoting: v.state = "promotes its PostgreSQL"; break;
            case leader_role::phase::leading: v.state = "holds the lease"; break;
            case leader_role::phase::stopping:
                v.state = "stops its PostgreSQL: " + l->stop_reason;
                break;
        }
        return v;
    }
    v.role = std::holds_alternative<candidate_role>(role_) ? "candidate" : "follower";
    if (lease_granted()) {
        v.leader = grant_->to.node;
        v.lease_left = grant_->until - now_;
        v.has_quorum = true;
    }
    if (v.leader == 0 && leader_claims()) v.leader = claimed_leader_;
    v.writable = contact_ && v.leader == contact_->leader && contact_->report.writable;
    if (config_.role == node_role::data)
        if (const auto why = why_not_candidate()) v.why_not_candidate = *why;
    if (readmission_)
        v.state = "its state went back; does not vote yet";
    else if (!disk_ok_)
        v.state = "its state directory cannot be written; does not vote";
    else if (v.leader != 0 && !lease_granted())
        v.state = "was started lately; waits before it answers " + name_of(v.leader);
    else if (v.leader != 0)
        v.state = "follows " + name_of(v.leader);
    else if (!candidacy_note_.empty())
        v.state = candidacy_note_;
    else
        v.state = "no leader known";
    if (!server_note_.empty()) v.state += "; " + server_note_;
    return v;
}

}  // namespace repld
