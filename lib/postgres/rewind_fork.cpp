#include "postgres/rewind_fork.hpp"

#include <algorithm>
#include <limits>

namespace repld::postgres {
namespace {

constexpr lsn no_end{std::numeric_limits<std::uint64_t>::max()};

std::vector<timeline_switch> whole(std::vector<timeline_switch> history, timeline_id last) {
    // The line of a placeholder says nothing about a branch: it ends where it begins.
    std::erase_if(history, [](const timeline_switch& s) { return !s.end.valid(); });
    history.push_back({last, no_end, {}});
    return history;
}

}  // namespace

std::optional<fork_point> find_fork(const std::vector<timeline_switch>& own,
                                    timeline_id own_timeline,
                                    const std::vector<timeline_switch>& source,
                                    timeline_id source_timeline) {
    const auto a = whole(own, own_timeline);
    const auto b = whole(source, source_timeline);
    std::optional<fork_point> fork;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        if (a[i].timeline != b[i].timeline) break;
        fork = fork_point{a[i].timeline, std::min(a[i].end, b[i].end)};
        // Both left this timeline, at different places: what follows is not shared.
        if (a[i].end != b[i].end) break;
    }
    if (fork && fork->at == no_end) return std::nullopt;
    return fork;
}

}  // namespace repld::postgres
