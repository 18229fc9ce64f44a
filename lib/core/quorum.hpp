// Majority arithmetic and nothing else. A tally is pending, won or lost, never a bool.
#pragma once

#include <functional>
#include <optional>

#include "core/cluster_state.hpp"

namespace repld {

enum class tally { pending, won, lost };
enum class ballot_answer { none, yes, no };

[[nodiscard]] constexpr std::size_t majority_of(std::size_t voters) {
    return voters / 2 + 1;
}

// The outcome of one vote among `voters`. An empty set never wins.
[[nodiscard]] tally count_votes(const voter_set& voters,
                                const std::function<ballot_answer(node_id)>& answer);

// The same for a value's voters: while a change is under way both sets must win (R22).
[[nodiscard]] tally count_votes(const cluster_state& state,
                                const std::function<ballot_answer(node_id)>& answer);

// The latest moment up to which a majority of `voters` lies ahead, given each voter's own moment
// (nothing: it granted none). Nothing when no majority has granted anything (R8).
[[nodiscard]] std::optional<boot_time> majority_moment(
    const voter_set& voters, const std::function<std::optional<boot_time>(node_id)>& moment);
[[nodiscard]] std::optional<boot_time> majority_moment(
    const cluster_state& state, const std::function<std::optional<boot_time>(node_id)>& moment);

// Which members vote, R23: an odd number, the present voters kept, then the longest-standing
// members.
[[nodiscard]] voter_set wanted_voters(const cluster_state& state);

}  // namespace repld
