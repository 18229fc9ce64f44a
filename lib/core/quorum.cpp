#include "core/quorum.hpp"

#include <vector>

namespace repld {

tally count_votes(const voter_set& voters, const std::function<ballot_answer(node_id)>& answer) {
    if (voters.empty()) return tally::lost;
    std::size_t yes = 0;
    std::size_t no = 0;
    for (const node_id id : voters) {
        const auto said = answer(id);
        if (said == ballot_answer::yes) ++yes;
        if (said == ballot_answer::no) ++no;
    }
    if (yes >= majority_of(voters.size())) return tally::won;
    if (voters.size() - no < majority_of(voters.size())) return tally::lost;
    return tally::pending;
}

tally count_votes(const cluster_state& state, const std::function<ballot_answer(node_id)>& answer) {
    const tally present = count_votes(state.voters, answer);
    if (!state.next_voters) return present;
    const tally next = count_votes(*state.next_voters, answer);
    if (present == tally::lost || next == tally::lost) return tally::lost;
    return present == tally::won && next == tally::won ? tally::won : tally::pending;
}

std::optional<boot_time> majority_moment(
    const voter_set& voters, const std::function<std::optional<boot_time>(node_id)>& moment) {
    std::vector<boot_time> moments;
    for (const node_id id : voters)
        if (const auto m = moment(id)) moments.push_back(*m);
    const std::size_t needed = majority_of(voters.size());
    if (voters.empty() || moments.size() < needed) return std::nullopt;
    std::sort(moments.begin(), moments.end(), std::greater<>());
    return moments[needed - 1];
}

std::optional<boot_time> majority_moment(
    const cluster_state& state, const std::function<std::optional<boot_time>(node_id)>& moment) {
    const auto present = majority_moment(state.voters, moment);
    if (!state.next_voters || !present) return present;
    const auto next = majority_moment(*state.next_voters, moment);
    if (!next) return std::nullopt;
    return std::min(*present, *next);
}

voter_set wanted_voters(const cluster_state& state) {
    const std::size_t count = state.members.size();
    const std::size_t wanted = count == 0 ? 0 : count - (count % 2 == 0 ? 1 : 0);
    voter_set voters;
    const auto take = [&](auto&& eligible) {
        for (const member& m : state.members)  // in the order of joining
            if (voters.size() < wanted && eligible(m)) voters.insert(m.id);
    };
    // The leader's own node first: a vote that is always near costs no round trip.
    take([&](const member& m) { return m.id == state.leader && state.voters.contains(m.id); });
    take([&](const member& m) { return state.voters.contains(m.id); });
    take([](const member&) { return true; });
    return voters;
}

}  // namespace repld
