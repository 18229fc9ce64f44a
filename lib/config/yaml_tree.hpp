// YAML text as a plain tree in which everything knows its line. A small part of YAML is accepted:
// mappings, lists and scalars. Duplicate keys, anchors, aliases, tags and several documents are
// problems, because each of them lets a file mean something else than it seems to.
#pragma once

#include <string>
#include <vector>

#include "config/problem.hpp"

namespace repld::config {

struct yaml_entry;

struct yaml_node {
    enum class kind { nothing, scalar, list, mapping };
    kind type = kind::nothing;
    int line = 1;
    std::string text{};                 // of a scalar
    std::vector<yaml_entry> entries{};  // of a mapping, in file order; of equal keys only the first
    std::vector<yaml_node> items{};     // of a list
};

struct yaml_entry {
    std::string key;
    int line = 1;
    yaml_node value;
};

// The tree of `text`; what is wrong is added to `problems`. After a syntax error the tree is
// incomplete and must not be judged further: then syntax_ok is false.
struct yaml_document {
    yaml_node root;
    bool syntax_ok = true;
};
[[nodiscard]] yaml_document parse_yaml(const std::string& text, std::vector<problem>& problems);

}  // namespace repld::config
