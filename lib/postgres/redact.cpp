// redact_text of conninfo.hpp: finds passwords in text that nobody has parsed.
#include <algorithm>
#include <cctype>

#include "postgres/conninfo.hpp"

namespace repld::postgres {
namespace {

constexpr std::string_view hidden = "***";
constexpr std::string_view blanks = " \t\n\r\f\v";
constexpr std::string_view name = "password";

char lower(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

bool stands_at(std::string_view text, std::size_t at, std::string_view word) {
    if (text.size() - at < word.size()) return false;
    return std::equal(word.begin(), word.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char a, char b) { return a == lower(b); });
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
    return std::min(text.find_first_not_of(blanks, at), text.size());
}

// End of a value in single or double quotes that begins at `at`. A backslash or a doubled quote
// keeps it going; a value that is never closed goes to the end.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == quote) {
            if (i + 1 >= text.size() || text[i + 1] != quote) return i + 1;
            ++i;
        }
    }
    return text.size();
}

// A conninfo inside an SQL literal (ALTER SYSTEM SET primary_conninfo) has its quotes doubled.
std::size_t end_of_doubly_quoted(std::string_view text, std::size_t at) {
    const auto close = text.find("''", at + 2);
    return close == std::string_view::npos ? text.size() : close + 2;
}

std::size_t end_of_bare(std::string_view text, std::size_t at) {
    for (std::size_t i = at; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (blanks.find(text[i]) != std::string_view::npos || text[i] == '&') {
            return i;
        }
    }
    return text.size();
}

// `at` is where a value begins.
std::size_t end_of_value(std::string_view text, std::size_t at) {
    if (stands_at(text, at, "''")) return end_of_doubly_quoted(text, at);
    if (text[at] == '\'' || text[at] == '"') return end_of_quoted(text, at);
    return end_of_bare(text, at);
}

// `at` is behind the word "password". Where its value begins, or npos when the word is just a word.
std::size_t begin_of_value(std::string_view text, std::size_t at) {
    if (at < text.size() && text[at] == '"') ++at;  // a JSON key
    at = skip_blanks(text, at);
    if (at >= text.size()) return std::string_view::npos;
    if (text[at] == '=' || text[at] == ':') {
        at = skip_blanks(text, at + 1);
        return at < text.size() ? at : std::string_view::npos;
    }
    return text[at] == '\'' ? at : std::string_view::npos;  // PASSWORD '...' of SQL
}

// `at` is behind "://". Where the password of user:password@host begins and ends; equal when there
// is none.
std::pair<std::size_t, std::size_t> uri_password(std::string_view text, std::size_t at) {
    const auto end = std::min(text.find_first_of(" \t\n\r\f\v/?\"'", at), text.size());
    const auto authority = text.substr(at, end - at);
    const auto host = authority.rfind('@');
    const auto colon = authority.find(':');
    if (host == std::string_view::npos || colon > host) return {at, at};
    return {at + colon + 1, at + host};
}

}  // namespace

std::string redact_text(std::string_view text) {
    std::string shown;
    std::size_t i = 0;
    const auto copy_until = [&](std::size_t end) {
        shown += text.substr(i, end - i);
        i = end;
    };
    while (i < text.size()) {
        if (stands_at(text, i, name)) {
            copy_until(i + name.size());
            const auto begin = begin_of_value(text, i);
            if (begin == std::string_view::npos) continue;
            copy_until(begin);
            i = end_of_value(text, i);
            shown += hidden;
        } else if (stands_at(text, i, "://")) {
            copy_until(i + 3);
            const auto [begin, end] = uri_password(text, i);
            if (begin == end) continue;
            copy_until(begin);
            i = end;
            shown += hidden;
        } else {
            copy_until(i + 1);
        }
    }
    return shown;
}

}  // namespace repld::postgres
