#include "config/section_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "logging/redact.hpp"

namespace repld::config {

namespace {

constexpr std::size_t text_max = 4096;

std::string found_kind(const yaml_node& node) {
    switch (node.type) {
        case yaml_node::kind::nothing: return "found nothing";
        case yaml_node::kind::scalar: return "found \"" + node.text.substr(0, 100) + "\"";
        case yaml_node::kind::list: return "found a list";
        case yaml_node::kind::mapping: return "found a mapping";
    }
    return "found nothing";
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
}

// An unknown key may be anything: binary, or a whole line with a password whose colon lacks its
// blank.
std::string printable(const std::string& key) {
    constexpr std::size_t shown_max = 100;
    auto shown = logging::redact(key.substr(0, shown_max));
    std::replace_if(shown.begin(), shown.end(), is_control, '?');
    return shown;
}

}  // namespace

section_reader::section_reader(std::vector<problem>& problems, const yaml_node* section,
                               std::string name, int line)
    : problems_(problems), section_(section), name_(std::move(name)), line_(line) {
    // A section with every key commented out is there and empty.
    if (section_ == nullptr || section_->type == yaml_node::kind::nothing ||
        section_->type == yaml_node::kind::mapping)
        return;
    broken_ = true;
    add_problem(problems_, {section_->line, name_, found_kind(*section_) + ", expected a mapping"});
}

const yaml_entry* section_reader::find(std::string_view key) const {
    if (section_ == nullptr) return nullptr;
    const auto& entries = section_->entries;
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const yaml_entry& e) { return e.key == key; });
    return found == entries.end() ? nullptr : &*found;
}

std::string section_reader::dotted(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

const yaml_node* section_reader::take(std::string_view key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
    const auto* const entry = find(key);
    return entry == nullptr ? nullptr : &entry->value;
}

section_reader section_reader::section(std::string_view key) {
    const auto* const node = take(key);
    const auto* const entry = find(key);
    return {problems_, node, dotted(key), entry == nullptr ? line_ : entry->line};
}

std::optional<std::string> section_reader::text(std::string_view key, std::string_view expected) {
    const auto* const node = take(key);
    if (node == nullptr) return std::nullopt;
    const bool usable = node->type == yaml_node::kind::scalar && !node->text.empty();
    if (!usable) {
        complain(key, found_kind(*node) + ", expected " + std::string(expected));
    } else if (node->text.size() > text_max) {
        complain(key, "found " + std::to_string(node->text.size()) + " characters, expected " +
                          std::to_string(text_max) + " at most");
    } else if (std::any_of(node->text.begin(), node->text.end(), is_control)) {
        complain(key, "found a line break or control character, expected one line of text");
    } else {
        return node->text;
    }
    return std::nullopt;
}

std::optional<long long> section_reader::integer(std::string_view key, long long min,
                                                 long long max) {
    const auto expected = "an integer from " + std::to_string(min) + " to " + std::to_string(max);
    const auto found = text(key, expected);
    if (!found) return std::nullopt;
    long long value = 0;
    const auto* const end = found->data() + found->size();
    const auto [stop, ec] = std::from_chars(found->data(), end, value);
    if (ec == std::errc{} && stop == end && value >= min && value <= max) return value;
    complain(key, "found \"" + *found + "\", expected " + expected);
    return std::nullopt;
}

void section_reader::require(std::string_view key, std::string_view expected) {
    if (!has(key) && !broken_) complain(key, "missing, expected " + std::string(expected));
}

void section_reader::complain(std::string_view key, std::string text) {
    const auto* const entry = find(key);
    // A conninfo is quoted as it was found: its password must not reach a log this way.
    add_problem(problems_,
                {entry == nullptr ? line_ : entry->line, dotted(key), logging::redact(text)});
}

void section_reader::finish(const std::function<std::string(std::string_view)>& explain) {
    if (section_ == nullptr) return;
    for (const auto& entry : section_->entries) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        std::string text = explain ? explain(entry.key) : std::string();
        if (text.empty()) {
            text = "unknown key";
            const auto meant = nearest(entry.key, known_);
            if (!meant.empty()) text += ", did you mean \"" + std::string(meant) + "\"?";
        }
        add_problem(problems_, {entry.line, dotted(printable(entry.key)), std::move(text)});
    }
}

}  // namespace repld::config
