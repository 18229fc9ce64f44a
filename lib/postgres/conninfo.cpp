#include "postgres/conninfo.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace repld::postgres {
namespace {

constexpr std::string_view hidden = "***";
constexpr std::string_view blanks = " \t\n\r\f\v";

struct free_options {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using option_list = std::unique_ptr<PQconninfoOption, free_options>;

bool is_secret(std::string_view key) {
    return key == "password" || key == "sslpassword";
}

bool is_uri(std::string_view text) {
    return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

std::string quoted(std::string_view value) {
    if (!value.empty() && value.find_first_of(" \t\n\r\f\v'\\") == std::string_view::npos) {
        return std::string(value);
    }
    std::string text = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') text.push_back('\\');
        text.push_back(c);
    }
    return text + "'";
}

std::string joined(const std::vector<conninfo::entry>& entries, bool hide_secrets) {
    std::string text;
    for (const auto& [key, value] : entries) {
        if (!text.empty()) text.push_back(' ');
        const bool hide = hide_secrets && is_secret(key);
        text += key + "=" + (hide ? std::string(hidden) : quoted(value));
    }
    return text;
}

// The keywords as they stand; libpq has accepted the string before, so the walk needs no
// error branches. Values are not looked into.
std::vector<std::string> keys_in_order(std::string_view text) {
    std::vector<std::string> keys;
    std::size_t i = 0;
    const auto skip_blanks = [&] { i = std::min(text.find_first_not_of(blanks, i), text.size()); };
    for (skip_blanks(); i < text.size(); skip_blanks()) {
        const auto end = std::min(text.find_first_of(" \t\n\r\f\v=", i), text.size());
        keys.emplace_back(text.substr(i, end - i));
        i = end;
        skip_blanks();
        if (i < text.size()) ++i;  // the equals sign
        skip_blanks();
        const bool in_quotes = i < text.size() && text[i] == '\'';
        if (in_quotes) ++i;
        while (i < text.size()) {
            const char c = text[i++];
            if (c == '\\') {
                ++i;
            } else if (in_quotes ? c == '\'' : std::isspace(static_cast<unsigned char>(c)) != 0) {
                break;
            }
        }
        i = std::min(i, text.size());
    }
    return keys;
}

}  // namespace

result<conninfo> conninfo::parse(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        return error{errc::configuration, "connection string contains a zero byte"};
    }
    char* message = nullptr;
    const option_list options(PQconninfoParse(std::string(text).c_str(), &message));
    if (!options) {
        std::string reason = message != nullptr ? message : "out of memory";
        PQfreemem(message);
        while (!reason.empty() && reason.back() == '\n') reason.pop_back();
        // libpq quotes the part that it does not understand, which may be that of a password with
        // an unquoted blank: only the kind of mistake is told when secrets are about.
        const bool secrets = text.find("password") != std::string_view::npos || is_uri(text);
        if (secrets) reason = reason.substr(0, reason.find('"'));
        return error{errc::configuration, "connection string is not valid", reason,
                     "Write it as keyword=value pairs or as a postgresql:// URI; put values with "
                     "blanks in single quotes."};
    }
    // In the writer's order, which libpq does not keep; a URI has none, so the most telling first.
    std::vector<std::string> order = {"host", "hostaddr", "port", "user", "dbname"};
    if (!is_uri(text)) order = keys_in_order(text);

    conninfo parsed;
    const auto take = [&](std::string_view key) {
        for (const auto* o = options.get(); o->keyword != nullptr; ++o) {
            if (o->val != nullptr && key == o->keyword) parsed.set(key, o->val);
        }
    };
    for (const auto& key : order) take(key);
    for (const auto* o = options.get(); o->keyword != nullptr; ++o) take(o->keyword);
    return parsed;
}

std::optional<std::string> conninfo::get(std::string_view key) const {
    for (const auto& [k, value] : entries_) {
        if (k == key) return value;
    }
    return std::nullopt;
}

bool conninfo::has(std::string_view key) const {
    return get(key).has_value();
}

void conninfo::set(std::string_view key, std::string_view value) {
    for (auto& [k, v] : entries_) {
        if (k == key) {
            v = value;
            return;
        }
    }
    entries_.emplace_back(key, value);
}

void conninfo::set_default(std::string_view key, std::string_view value) {
    if (!has(key)) set(key, value);
}

void conninfo::remove(std::string_view key) {
    std::erase_if(entries_, [&](const entry& e) { return e.first == key; });
}

conninfo conninfo::with(std::string_view key, std::string_view value) const {
    conninfo copy = *this;
    copy.set(key, value);
    return copy;
}

conninfo conninfo::without(std::string_view key) const {
    conninfo copy = *this;
    copy.remove(key);
    return copy;
}

std::string conninfo::to_string() const {
    return joined(entries_, false);
}

std::string conninfo::redacted() const {
    return joined(entries_, true);
}

}  // namespace repld::postgres
