// Where two servers parted, by their timeline histories. Pure.
#pragma once

#include <optional>
#include <vector>

#include "core/types.hpp"
#include "postgres/wal_file.hpp"

namespace repld::postgres {

struct fork_point {
    timeline_id timeline = 0;  // the last one that both share
    lsn at{};
};

// `own` and `source` are the histories of timelines own_timeline and source_timeline (without a
// line for these themselves; empty for timeline 1). nullopt: they share no timeline, or are on the
// same one. Where one history is a beginning of the other the fork is where the longer one goes on.
[[nodiscard]] std::optional<fork_point> find_fork(const std::vector<timeline_switch>& own,
                                                  timeline_id own_timeline,
                                                  const std::vector<timeline_switch>& source,
                                                  timeline_id source_timeline);

}  // namespace repld::postgres
