// R24: who may speak, and how a node whose state went back is admitted again.
#include <algorithm>

#include "core/node.hpp"

namespace repld {

namespace {

constexpr duration ask_interval = std::chrono::milliseconds(500);

}  // namespace

bool node::admit_message(const envelope& from, const message& body) {
    if (from.from == 0 || from.from == config_.id || from.cluster != durable_.cluster ||
        from.system_identifier != durable_.system_identifier)
        return false;
    if (in_force(rule::identity) && state() != nullptr) {
        const member* known = state()->find(from.from);
        if (known != nullptr && known->identity != from.identity) return false;
    }
    peer_memory& memory = durable_.peers[from.from];
    const bool same = memory.identity == from.identity;
    // Who asks to be admitted again says itself that its numbers went back; nothing of it counts
    // yet.
    const bool asks = std::holds_alternative<readmit_request>(body) ||
                      std::holds_alternative<readmit_answer>(body);
    if (same && in_force(rule::generation) && !asks &&
        (from.boot < memory.boot || from.generation < memory.generation ||
         (from.boot == memory.boot && from.start != memory.start && memory.start != 0)))
        return false;  // late, or of a node whose state went back
    if (!same || from.boot > memory.boot || from.generation > memory.generation) {
        if (!same || from.boot >= memory.boot) memory.start = from.start;
        memory.boot = same ? std::max(memory.boot, from.boot) : from.boot;
        memory.generation = same ? std::max(memory.generation, from.generation) : from.generation;
        memory.identity = from.identity;
        memory_changed_ = true;
    }
    if (in_force(rule::generation) && !readmission_ && went_back(from)) note_own_rollback(from);
    return true;
}

// Does the sender remember something of this node that this node's state does not know? What counts
// is the start in which it was written: later writes of this node's own must not hide it.
bool node::went_back(const envelope& from) const {
    if (from.remembers > durable_.generation || from.remembers_boot > durable_.boot) return true;
    if (from.remembers_boot == 0) return false;
    if (from.remembers_boot == durable_.boot) return from.remembers_start != durable_.start;
    for (const start_record& known : durable_.starts)
        if (known.boot == from.remembers_boot)
            return known.start != from.remembers_start || from.remembers > known.generation;
    return false;  // older than the starts that are kept
}

void node::note_own_rollback(const envelope& from) {
    say(severity::error, "state_went_back",
        "the state directory of this node is older than what " + name_of(from.from) +
            " remembers of it; it does not vote until a majority of the others has told what it "
            "knows "
            "and one lease has passed",
        {{"own_generation", std::to_string(durable_.generation)},
         {"remembered", std::to_string(from.remembers)}});
    durable_.went_back = true;
    write();
    begin_readmission();
}

void node::begin_readmission() {
    const duration lease =
        std::max(durable_.grant_max, state() != nullptr ? state()->settings.lease_duration
                                                        : cluster_settings{}.lease_duration);
    readmission_.emplace();
    readmission_->attempt = random();
    readmission_->since = now_;
    readmission_->not_before = now_ + lease;
    if (std::holds_alternative<candidate_role>(role_)) role_ = follower_role{};
}

void node::on(const envelope& from, const readmit_request& m) {
    readmit_answer answer;
    answer.attempt = m.attempt;
    if (const auto it = durable_.peers.find(from.from); it != durable_.peers.end()) {
        answer.boot = it->second.boot;
        answer.generation = it->second.generation;
    }
    answer.promised = std::max(durable_.promise.to, durable_.floor);
    answer.longest_lease = std::max(durable_.grant_max, granted_figure());
    post(from.from, answer, promise_sequence_);
}

void node::on(const envelope& from, const readmit_answer& m) {
    if (!readmission_ || m.attempt != readmission_->attempt) return;
    readmission_->told[from.from] = m;
    // The lease that this node forgot to have granted may be longer than the one it remembers.
    readmission_->not_before =
        std::max(readmission_->not_before, readmission_->since + m.longest_lease);
}

void node::ask_for_readmission() {
    if (now_ >= readmission_->ask_again) {
        readmission_->ask_again = now_ + ask_interval;
        post_all(readmit_request{readmission_->attempt});
    }
    if (now_ < readmission_->not_before || state() == nullptr) return;
    // A majority without this node itself: whatever it has promised and forgotten was told to a
    // candidate, which needed a majority too, so that one of these has heard of that ballot.
    const auto told = [this](node_id id) {
        return readmission_->told.contains(id) ? ballot_answer::yes : ballot_answer::none;
    };
    if (count_votes(*state(), told) != tally::won) return;
    for (const auto& [id, answer] : readmission_->told) {
        durable_.boot = std::max(durable_.boot, answer.boot + 1);
        durable_.generation = std::max(durable_.generation, answer.generation);
        // A floor, not a promise: nothing below it passes, and what is answered at or above it
        // takes the way of every promise (R7, R13, R14).
        durable_.floor = std::max(durable_.floor, answer.promised);
        durable_.own_term = std::max(durable_.own_term, answer.promised.term);
    }
    readmission_.reset();
    durable_.went_back = false;
    durable_.starts.clear();  // what was written before is settled
    promise_sequence_ = write();
    say(severity::notice, "state_readmitted",
        "a majority has answered and one lease has passed; votes again");
}

}  // namespace repld
