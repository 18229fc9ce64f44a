// Reads the keys of one section. What is wrong is noted, and reading goes on, so that a person sees
// all problems of the file at once. Every key that is asked for counts as known; finish() complains
// about the others.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.hpp"
#include "config/yaml_tree.hpp"
#include "core/result.hpp"

namespace repld::config {

class section_reader {
public:
    // `section` may be absent or of the wrong kind (which is noted). `name` is its dotted name,
    // empty for the root. The node and the list must outlive the reader.
    section_reader(std::vector<problem>& problems, const yaml_node* section, std::string name,
                   int line);

    [[nodiscard]] bool present() const noexcept { return section_ != nullptr; }
    [[nodiscard]] int line() const noexcept { return line_; }

    // The value node of a key, whatever its kind; null when the key is absent.
    const yaml_node* take(std::string_view key);
    // A subsection; a reader of nothing when the key is absent.
    section_reader section(std::string_view key);
    // Whether the key is there; it counts as known.
    bool has(std::string_view key) { return take(key) != nullptr; }

    // A non-empty scalar on one line; nothing when absent or wrong (which is noted).
    std::optional<std::string> text(std::string_view key, std::string_view expected = "a text");
    std::optional<long long> integer(std::string_view key, long long min, long long max);
    // A text that `accept` takes; what it gives otherwise is noted as "found ..., <its message>".
    template <class T>
    std::optional<T> parsed(std::string_view key,
                            const std::function<result<T>(const std::string&)>& accept) {
        const auto found = text(key);
        if (!found) return std::nullopt;
        auto value = accept(*found);
        if (value) return std::move(*value);
        complain(key, "found \"" + *found + "\", " + value.error().message);
        return std::nullopt;
    }

    // Notes that a key that must be there is absent (nothing if it is there, right or wrong).
    void require(std::string_view key, std::string_view expected);
    // Notes something about a key; the line is the key's, or the section's when it is absent.
    void complain(std::string_view key, std::string text);
    // Unknown keys. `explain` may give a better text than "unknown key" for a key.
    void finish(const std::function<std::string(std::string_view)>& explain = {});

private:
    [[nodiscard]] const yaml_entry* find(std::string_view key) const;
    [[nodiscard]] std::string dotted(std::string_view key) const;

    std::vector<problem>& problems_;
    const yaml_node* section_;
    std::string name_;
    int line_;
    bool broken_ = false;  // of the wrong kind: its keys are not missing, they are unreadable
    std::vector<std::string_view> known_;
};

}  // namespace repld::config
