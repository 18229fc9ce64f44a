#include "core/quorum.hpp"

#include <bit>
#include <set>

#include "catch.hpp"

using namespace repld;

namespace {

voter_set set_of(unsigned bits) {
    voter_set s;
    for (node_id id = 1; id <= 7; ++id)
        if (bits >> (id - 1) & 1U) s.insert(id);
    return s;
}

// The slow way: won when the rest cannot be a majority whatever it says; lost when no way of
// answering of those who are silent makes it won.
bool is_majority(unsigned yes, unsigned voters) {
    return 2 * std::popcount(yes & voters) > std::popcount(voters);
}

std::optional<boot_time> moment_of(node_id id) {
    return boot_time{std::chrono::seconds(id * id % 11)};
}

}  // namespace

TEST_CASE("votes among up to seven voters agree with their definition") {
    for (unsigned voters = 0; voters < 128; ++voters) {
        for (unsigned yes = 0; yes < 128; ++yes) {
            if ((yes & ~voters) != 0) continue;
            for (unsigned no = 0; no < 128; ++no) {
                if ((no & ~voters) != 0 || (no & yes) != 0) continue;
                const auto answer = [&](node_id id) {
                    if (yes >> (id - 1) & 1U) return ballot_answer::yes;
                    return no >> (id - 1) & 1U ? ballot_answer::no : ballot_answer::none;
                };
                const tally got = count_votes(set_of(voters), answer);
                const tally expected = is_majority(yes, voters)             ? tally::won
                                       : !is_majority(voters & ~no, voters) ? tally::lost
                                                                            : tally::pending;
                if (got != expected) FAIL("voters " << voters << " yes " << yes << " no " << no);
            }
        }
    }
    SUCCEED();
}

TEST_CASE("two winning sets of one voter set always meet") {
    for (unsigned voters = 1; voters < 128; ++voters)
        for (unsigned a = 0; a < 128; ++a)
            for (unsigned b = 0; b < 128; ++b)
                if (is_majority(a, voters) && is_majority(b, voters) && (a & b & voters) == 0)
                    FAIL("voters " << voters);
    SUCCEED();
}

TEST_CASE("while voters change, a vote needs both sets") {
    for (unsigned before = 1; before < 64; ++before) {
        for (unsigned after = 1; after < 64; ++after) {
            cluster_state s;
            s.voters = set_of(before);
            s.next_voters = set_of(after);
            for (unsigned yes = 0; yes < 64; ++yes) {
                const auto answer = [&](node_id id) {
                    return yes >> (id - 1) & 1U ? ballot_answer::yes : ballot_answer::no;
                };
                const bool won = count_votes(s, answer) == tally::won;
                if (won != (is_majority(yes, before) && is_majority(yes, after)))
                    FAIL(before << " to " << after << ", yes " << yes);
            }
        }
    }
    SUCCEED();
}

TEST_CASE("the majority's moment is the latest one that a majority reaches") {
    for (unsigned voters = 1; voters < 128; ++voters) {
        for (unsigned silent = 0; silent < 128; ++silent) {
            const auto moment = [&](node_id id) {
                return silent >> (id - 1) & 1U ? std::nullopt : moment_of(id);
            };
            std::optional<boot_time> expected;
            for (int s = 0; s < 11; ++s) {
                unsigned reach = 0;
                for (const node_id id : set_of(voters))
                    if (moment(id) && *moment(id) >= boot_time{std::chrono::seconds(s)})
                        reach |= 1U << (id - 1);
                if (is_majority(reach, voters)) expected = boot_time{std::chrono::seconds(s)};
            }
            if (majority_moment(set_of(voters), moment) != expected)
                FAIL("voters " << voters << " silent " << silent);
        }
    }
    CHECK_FALSE(majority_moment(voter_set{}, moment_of).has_value());
}

TEST_CASE("while voters change, the earlier one of both moments counts") {
    cluster_state s;
    s.voters = {1, 2, 3};
    s.next_voters = voter_set{3, 4, 5};
    const auto moment = [](node_id id) -> std::optional<boot_time> {
        return boot_time{std::chrono::seconds(id)};
    };
    CHECK(majority_moment(s, moment) == boot_time{std::chrono::seconds(2)});
    const auto new_silent = [](node_id id) -> std::optional<boot_time> {
        return id > 3 ? std::nullopt : std::optional(boot_time{std::chrono::seconds(id)});
    };
    CHECK_FALSE(majority_moment(s, new_silent).has_value());
}

TEST_CASE("wanted voters: odd, the present ones kept, the leader's own among them") {
    for (unsigned count = 1; count <= 7; ++count) {
        for (unsigned present = 0; present < (1U << count); ++present) {
            for (node_id leader = 1; leader <= count; ++leader) {
                cluster_state s;
                for (node_id id = 1; id <= count; ++id) {
                    member m;
                    m.id = id;
                    s.members.push_back(m);
                }
                s.leader = leader;
                s.voters = set_of(present);
                const voter_set wanted = wanted_voters(s);
                INFO(count << " members, voters " << present << ", leader " << leader);
                REQUIRE(wanted.size() == (count % 2 == 0 ? count - 1 : count));
                std::size_t kept = 0;
                for (const node_id id : s.voters) kept += wanted.contains(id) ? 1 : 0;
                REQUIRE(kept == std::min(wanted.size(), s.voters.size()));
                if (s.voters.contains(leader)) REQUIRE(wanted.contains(leader));
                s.voters = wanted;
                REQUIRE(wanted_voters(s) == wanted);  // it comes to rest
            }
        }
    }
    CHECK(wanted_voters({}).empty());
}
