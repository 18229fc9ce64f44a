// What is wrong with a configuration file: every problem of the file at once, each with its line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace repld::config {

struct problem {
    int line = 1;      // counted from 1; of the section where a key is missing
    std::string key;   // dotted, "node.id"; empty when no key is concerned
    std::string text;  // 'found "x", expected an integer from 1 to 2147483647'
};

// More than these in one file are not reported.
inline constexpr std::size_t problems_max = 50;

// Keeps at most problems_max.
void add_problem(std::vector<problem>& problems, problem p);

// One error for all of them: DETAIL has one line "file:line: key: text" for each, in file order.
// Precondition: problems is not empty.
[[nodiscard]] error to_error(const std::string& file, std::vector<problem> problems);

// The name of `known` that was probably meant, or empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view typed,
                                       const std::vector<std::string_view>& known);

}  // namespace repld::config
