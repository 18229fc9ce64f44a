// The switches of the rules (DESIGN section 12). In the library that the daemon links they are
// constants: no configuration can turn a rule off. The tests link a second build of the same
// sources, with REPLD_RULE_SWITCHES, in which every rule can be turned off to show that a check
// notices.
#pragma once

#include <bitset>

namespace repld {

enum class rule {
    durable_before_answer,       // R1
    equal_ballot_other_attempt,  // R2
    version_order,               // R3
    heartbeat_raises_promise,    // R4
    rounds_only_go_up,           // R4
    adopt_newest,                // R5
    larger_figure_kept,          // R6
    lease_blocks_others,         // R7
    token,                       // R7
    lease_from_sending,          // R8
    drift_factor,                // R8
    nonvoter_does_not_count,     // R8
    new_voters_answer_first,     // R8
    wait_after_start,            // R9
    closed_ballots,              // R10
    release_names_ballot,        // R10
    fence_on_higher_leader,      // R11
    prepare_again,               // R11
    clock_jump,                  // R12
    not_writable,                // R13
    frozen,                      // R14
    position_known,              // R15
    not_behind,                  // R16
    checked_again,               // R17
    no_thaw,                     // R18
    prevote,                     // R19
    joint_voters,                // R22
    odd_voters,                  // R23
    identity,                    // R24
    generation,                  // R24
    demote_before_end,           // section 5.3
    count_
};

using rule_set = std::bitset<static_cast<std::size_t>(rule::count_)>;

#ifdef REPLD_RULE_SWITCHES
// Per thread, because the simulator runs schedules in parallel.
inline thread_local rule_set rules_off;
[[nodiscard]] inline bool in_force(rule r) {
    return !rules_off.test(static_cast<std::size_t>(r));
}
#else
[[nodiscard]] constexpr bool in_force(rule) {
    return true;
}
#endif

}  // namespace repld
