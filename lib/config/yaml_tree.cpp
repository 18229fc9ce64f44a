#include "config/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace repld::config {

namespace {

// A mapping or list that is still open, and the key that waits for its value.
struct open_container {
    yaml_node node;
    std::optional<yaml_entry> pending{};
    bool key_unusable = false;
};

class tree_builder final : public YAML::EventHandler {
public:
    tree_builder(const std::string& text, std::vector<problem>& problems)
        : text_(text), problems_(problems) {}

    yaml_node take_root() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ == 2)
            complain(line_of(mark), "a second document (\"---\") is not allowed");
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        yaml_node node;
        node.line = line_of(mark);
        attach(std::move(node));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        complain(line_of(mark), "aliases (\"*name\") are not supported");
        yaml_node node;
        node.line = line_of(mark);
        attach(std::move(node));
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (!closed_on_its_line(mark))
            complain(line_of(mark), "a quoted text must end on the line where it begins");
        yaml_node node;
        node.type = yaml_node::kind::scalar;
        node.line = line_of(mark);
        node.text = value;
        attach(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(yaml_node::kind::list, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(yaml_node::kind::mapping, mark, tag, anchor);
    }
    void OnMapEnd() override { close(); }

private:
    static int line_of(const YAML::Mark& mark) { return mark.line + 1; }

    void complain(int line, std::string text) {
        add_problem(problems_, {line, "", std::move(text)});
    }

    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != 0) complain(line_of(mark), "anchors (\"&name\") are not supported");
    }

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        // "?" is a plain node and "!" a quoted scalar: neither was written by the person.
        if (!tag.empty() && tag != "?" && tag != "!")
            complain(line_of(mark), "tags (\"!name\") are not supported");
    }

    // yaml-cpp takes the end of the file for a missing closing quote: the rest of the file would
    // silently become one value.
    bool closed_on_its_line(const YAML::Mark& mark) const {
        const auto begin = static_cast<std::size_t>(mark.pos);
        if (begin >= text_.size()) return true;
        const char quote = text_[begin];
        if (quote != '"' && quote != '\'') return true;
        for (std::size_t at = begin + 1; at < text_.size() && text_[at] != '\n'; ++at) {
            if (text_[at] == quote) return true;  // a doubled single quote closes on this line too
            if (text_[at] == '\\' && quote == '"') ++at;
        }
        return false;
    }

    void open(yaml_node::kind type, const YAML::Mark& mark, const std::string& tag,
              YAML::anchor_t anchor) {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        open_container next;
        next.node.type = type;
        next.node.line = line_of(mark);
        open_.push_back(std::move(next));
    }

    void close() {
        auto done = std::move(open_.back().node);
        open_.pop_back();
        attach(std::move(done));
    }

    void attach(yaml_node node) {
        if (open_.empty()) {
            if (documents_ < 2) root_ = std::move(node);
            return;
        }
        auto& parent = open_.back();
        if (parent.node.type == yaml_node::kind::list) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.pending) {
            parent.key_unusable = node.type != yaml_node::kind::scalar;
            if (parent.key_unusable) complain(node.line, "a key must be a plain word");
            parent.pending = yaml_entry{std::move(node.text), node.line, {}};
        } else {
            auto entry = std::move(*parent.pending);
            parent.pending.reset();
            entry.value = std::move(node);
            if (!parent.key_unusable) add_entry(parent.node.entries, std::move(entry));
        }
    }

    void add_entry(std::vector<yaml_entry>& entries, yaml_entry entry) {
        const auto first = std::find_if(entries.begin(), entries.end(),
                                        [&](const yaml_entry& e) { return e.key == entry.key; });
        if (first != entries.end()) {
            add_problem(problems_,
                        {entry.line, path() + entry.key,
                         "given twice; the first is in line " + std::to_string(first->line)});
            return;
        }
        entries.push_back(std::move(entry));
    }

    std::string path() const {
        std::string prefix;
        for (const auto& container : open_)
            if (container.pending) prefix += container.pending->key + ".";
        return prefix;
    }

    const std::string& text_;
    std::vector<problem>& problems_;
    std::vector<open_container> open_;
    yaml_node root_;
    int documents_ = 0;
};

}  // namespace

yaml_document parse_yaml(const std::string& with_mark, std::vector<problem>& problems) {
    yaml_document document;
    // yaml-cpp does not count a byte order mark, and positions must mean the same here.
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    const bool marked = with_mark.starts_with(byte_order_mark);
    const auto text = marked ? with_mark.substr(byte_order_mark.size()) : with_mark;
    tree_builder builder(text, problems);
    try {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        constexpr int documents_max = 2;
        for (int i = 0; i < documents_max && parser.HandleNextDocument(builder); ++i) continue;
        document.root = builder.take_root();
    } catch (const YAML::Exception& e) {
        document.syntax_ok = false;
        const bool placed = !e.mark.is_null();
        const auto place =
            placed ? " (column " + std::to_string(e.mark.column + 1) + ")" : std::string();
        add_problem(problems,
                    {placed ? e.mark.line + 1 : 1, "", "YAML syntax error: " + e.msg + place});
    }
    return document;
}

}  // namespace repld::config
