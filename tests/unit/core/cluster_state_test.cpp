#include "core/cluster_state.hpp"

#include <map>

#include "catch.hpp"

using namespace repld;

namespace {

using relation = lineage::relation;

// Timelines 1 -> 2 at 100, 1 -> 3 at 150 (2 was a dead end), 3 -> 5 at 300; 4 left 2 at 120.
cluster_state with_dead_ends() {
    cluster_state s;
    s.timelines = {{1, 0, lsn{}, {1, 1}},
                   {2, 1, lsn{100}, {2, 2}},
                   {3, 1, lsn{150}, {3, 3}},
                   {4, 2, lsn{120}, {4, 2}},
                   {5, 3, lsn{300}, {5, 1}}};
    return s;
}

// The slow way: every byte of WAL up to a position is labelled with the timeline that it was
// written on; a position is on the branch when its labels are a beginning of the branch's.
std::vector<timeline_id> bytes_of(const cluster_state& s, timeline_id timeline, std::uint64_t end) {
    std::map<timeline_id, timeline_entry> entries;
    for (const auto& e : s.timelines) entries[e.timeline] = e;
    std::vector<timeline_id> labels(end, timeline);
    for (timeline_id t = timeline; entries.at(t).parent != 0; t = entries.at(t).parent)
        for (std::uint64_t i = 0; i < std::min(end, entries.at(t).fork.value); ++i)
            labels[i] = entries.at(t).parent;
    return labels;
}

}  // namespace

TEST_CASE("a position is compared with the living branch") {
    const cluster_state s = with_dead_ends();
    const auto at = [&](timeline_id timeline, std::uint64_t end) {
        return locate(s, {timeline, lsn{end}});
    };
    CHECK(at(5, 400).is == relation::on_branch);
    CHECK(at(5, 400).counts == wal_position{5, lsn{400}});
    CHECK(at(3, 300).is == relation::on_branch);
    CHECK(at(3, 301).is == relation::diverged);
    CHECK(at(3, 301).counts == wal_position{3, lsn{300}});
    CHECK(at(1, 150).is == relation::on_branch);
    CHECK(at(1, 151).is == relation::diverged);
    CHECK(at(2, 130).is == relation::diverged);
    CHECK(at(2, 130).counts == wal_position{1, lsn{100}});
    CHECK(at(4, 130).counts == wal_position{1, lsn{100}});
    CHECK(at(6, 500).is == relation::unknown_timeline);
    CHECK(at(2, 99).is == relation::unknown_timeline);  // before that timeline began
    CHECK_FALSE(at(6, 500).counts.end.valid());
}

TEST_CASE("locate agrees with a slow second way at every position") {
    const cluster_state s = with_dead_ends();
    const auto branch = bytes_of(s, 5, 400);
    for (const auto& entry : s.timelines) {
        for (std::uint64_t end = entry.fork.value; end <= 400; ++end) {
            const auto own = bytes_of(s, entry.timeline, end);
            std::size_t common = 0;
            while (common < own.size() && own[common] == branch[common]) ++common;
            const lineage found = locate(s, {entry.timeline, lsn{end}});
            INFO("timeline " << entry.timeline << " at " << end);
            // A timeline without a byte of its own is still another one when it is a dead end.
            const bool dead_end = entry.timeline == 2 || entry.timeline == 4;
            if (found.is == relation::on_branch)
                REQUIRE(common == own.size());
            else
                REQUIRE((common < own.size() || dead_end));
            REQUIRE(found.counts.end.value == common);
        }
    }
}

TEST_CASE("a list that is damaged ends the walk") {
    cluster_state s;
    s.timelines = {{3, 3, lsn{10}, {1, 1}}};
    CHECK(locate(s, {3, lsn{20}}).is == relation::on_branch);
    s.timelines = {{2, 3, lsn{10}, {1, 1}}, {3, 2, lsn{10}, {1, 1}}};
    CHECK(locate(s, {3, lsn{20}}).is == relation::on_branch);
    CHECK(locate({}, {1, lsn{20}}).is == relation::unknown_timeline);
}

TEST_CASE("members are found by id and by name") {
    cluster_state s;
    s.members.push_back({7, 1, "", "n7", node_role::data, "", "", "default", 100});
    CHECK(s.find(7) != nullptr);
    CHECK(s.find("n7") == s.find(7));
    CHECK(s.find(8) == nullptr);
    CHECK(s.find("n8") == nullptr);
}

TEST_CASE("while voters change, both sets are voters") {
    cluster_state s;
    s.voters = {1, 2};
    CHECK_FALSE(s.is_voter(3));
    s.next_voters = voter_set{2, 3};
    CHECK(s.is_voter(1));
    CHECK(s.is_voter(3));
}

TEST_CASE("values are ordered by ballot, then version") {
    const auto value = [](term_number term, version_number version) {
        accepted_value v{{term, 1}, {}};
        v.value.version = version;
        return v;
    };
    CHECK(value(1, 9).older_than(value(2, 1)));
    CHECK(value(2, 1).older_than(value(2, 2)));
    CHECK_FALSE(value(2, 2).older_than(value(2, 2)));
}
