#include "config/problem.hpp"

#include <algorithm>
#include <utility>

namespace repld::config {

namespace {

// Edits (insert, remove, replace, exchange of neighbours) between two words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + differs});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        std::swap(before_last, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

}  // namespace

void add_problem(std::vector<problem>& problems, problem p) {
    if (problems.size() < problems_max) problems.push_back(std::move(p));
}

error to_error(const std::string& file, std::vector<problem> problems) {
    std::stable_sort(problems.begin(), problems.end(),
                     [](const problem& a, const problem& b) { return a.line < b.line; });
    std::string detail;
    for (const auto& p : problems) {
        if (!detail.empty()) detail += '\n';
        detail += file + ":" + std::to_string(p.line) + ": ";
        if (!p.key.empty()) detail += p.key + ": ";
        detail += p.text;
    }
    return {errc::configuration, "configuration file \"" + file + "\" contains errors",
            std::move(detail), ""};
}

std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& known) {
    constexpr std::size_t typed_max = 64;  // the distance takes quadratic time
    if (typed.size() > typed_max) return {};
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, typed.size() / 3) + 1;
    for (const auto candidate : known) {
        const auto distance = edit_distance(typed, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace repld::config
