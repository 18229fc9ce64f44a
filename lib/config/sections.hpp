// The sections of repld.yaml: which keys there are, what they may be, and how they must fit
// together.
#pragma once

#include <vector>

#include "config/host_config.hpp"
#include "config/loader.hpp"
#include "config/yaml_tree.hpp"

namespace repld::config {

// The settings that the tree gives. Meaningful only when nothing was added to `problems`.
[[nodiscard]] host_config read_sections(const yaml_node& root, const conninfo_check& check,
                                        std::vector<problem>& problems);

}  // namespace repld::config
