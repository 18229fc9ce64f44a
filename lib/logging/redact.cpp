#include "logging/redact.hpp"

#include <array>
#include <cstddef>
#include <optional>

namespace repld::logging {

namespace {

constexpr std::string_view mask = "********";
constexpr std::string_view blanks = " \t";

// Lower case; matched at the end of a word, so that "sslpassword" and "PGPASSWORD" are covered.
constexpr std::array<std::string_view, 6> secret_names{"password", "passwd", "passphrase",
                                                       "secret",   "psk",    "token"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c);
}
bool is_hex(char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}
bool is_base64(char c) {
    return is_alnum(c) || c == '+' || c == '/';
}
bool is_word(char c) {
    return is_alnum(c) || c == '_';
}
bool is_quote(char c) {
    return c == '\'' || c == '"';
}

bool starts_with_nocase(std::string_view text, std::string_view prefix) {
    if (text.size() < prefix.size()) return false;
    for (std::size_t i = 0; i < prefix.size(); ++i)
        if (lower(text[i]) != prefix[i]) return false;
    return true;
}

bool ends_with_nocase(std::string_view text, std::string_view suffix) {
    return text.size() >= suffix.size() &&
           starts_with_nocase(text.substr(text.size() - suffix.size()), suffix);
}

template <class Predicate>
std::size_t run_length(std::string_view text, Predicate inside) {
    std::size_t length = 0;
    while (length < text.size() && inside(text[length])) ++length;
    return length;
}

// A part of the text to be hidden, counted from the place that was looked at.
struct secret_span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

// An unquoted value ends at a blank and nowhere earlier: a conninfo allows every other character in
// a password, and hiding a bracket too many is better than showing half a secret.
secret_span unquoted_value(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && std::string_view(" \t\r\n").find(text[at]) == std::string_view::npos)
        at += text[at] == '\\' && at + 1 < text.size() ? 2 : 1;
    return {0, at};
}

// The value at the start of `text`; quoted, without its quotes (doubled or backslashed ones belong
// to it). A quote that is never closed hides the whole rest.
secret_span value_at(std::string_view text) {
    if (text.size() < 2) return {0, text.size()};
    // Inside a JSON string the quotes of an inner document are escaped: \"secret\".
    const std::size_t escapes = text[0] == '\\' && is_quote(text[1]) ? 1 : 0;
    const char quote = text[escapes];
    if (!is_quote(quote)) return unquoted_value(text);
    const std::size_t begin = escapes + 1;
    for (std::size_t at = begin; at < text.size(); ++at) {
        const char next = at + 1 < text.size() ? text[at + 1] : '\0';
        if (escapes == 1 && text[at] == '\\' && next == quote) return {begin, at};
        if (escapes == 0 && text[at] == quote && (quote == '"' || next != quote))
            return {begin, at};
        if (text[at] == '\\' || (text[at] == quote && escapes == 0)) ++at;
    }
    return {begin, text.size()};
}

// `text` begins right after a word that names a secret. What comes between the name and its value:
// optional closing quote of a JSON key, then '=' or ':'; or a blank before a quoted value (SQL), or
// a blank after "--token".
std::optional<secret_span> assigned_value(std::string_view text, bool is_option) {
    std::size_t at = 0;
    if (at + 1 < text.size() && text[at] == '\\' && is_quote(text[at + 1]))
        at += 2;
    else if (at < text.size() && is_quote(text[at]))
        ++at;
    const std::size_t spaced = at + run_length(text.substr(at), [](char c) {
                                   return blanks.find(c) != std::string_view::npos;
                               });
    if (spaced >= text.size()) return std::nullopt;
    std::size_t from = spaced;
    if (text[spaced] == '=' || text[spaced] == ':') {
        from = spaced + 1;
        from += run_length(text.substr(from),
                           [](char c) { return blanks.find(c) != std::string_view::npos; });
    } else if (spaced == at || (text[spaced] != '\'' && !is_option)) {
        return std::nullopt;
    }
    const auto value = value_at(text.substr(from));
    if (value.end == value.begin) return std::nullopt;
    return secret_span{from + value.begin, from + value.end};
}

std::optional<secret_span> named_secret(std::string_view word, std::string_view after,
                                        std::string_view before) {
    if (!names_secret(word)) return std::nullopt;
    auto found = assigned_value(after, before.ends_with("--"));
    if (!found) return std::nullopt;
    return secret_span{word.size() + found->begin, word.size() + found->end};
}

// "scheme://user:password@host": the part between the second colon and the last '@' of the
// authority.
std::optional<secret_span> uri_password(std::string_view text) {
    constexpr std::string_view marker = "://";
    if (!text.starts_with(marker)) return std::nullopt;
    const auto rest = text.substr(marker.size());
    const auto authority = rest.substr(0, rest.find_first_of("/?# \t\r\n'\""));
    const auto at = authority.rfind('@');
    const auto colon = authority.find(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon + 1 >= at)
        return std::nullopt;
    return secret_span{marker.size() + colon + 1, marker.size() + at};
}

std::optional<secret_span> private_key(std::string_view text) {
    if (!text.starts_with("-----BEGIN ")) return std::nullopt;
    const auto line_end = text.find("-----", 11);
    if (line_end == std::string_view::npos ||
        text.substr(0, line_end).find("PRIVATE KEY") == std::string_view::npos)
        return std::nullopt;
    const auto end = text.find("-----END ", line_end);
    return secret_span{line_end + 5, end == std::string_view::npos ? text.size() : end};
}

// Something that is a key or a password verifier by its looks. `before` is what precedes it: a
// base64 run is judged from its first digit only, which also keeps the scan linear.
std::optional<secret_span> key_material(std::string_view text, std::string_view before) {
    constexpr std::size_t hex_digits_min = 64;
    constexpr std::size_t base64_digits_min = 40;
    constexpr std::string_view scram = "SCRAM-SHA-256$";
    if (text.starts_with(scram)) {
        const auto end = text.find_first_of(" \t\r\n'\",;)", scram.size());
        return secret_span{scram.size(), end == std::string_view::npos ? text.size() : end};
    }
    if (text.starts_with("md5") && run_length(text.substr(3), is_hex) == 32)
        return secret_span{3, 35};
    const auto hex = run_length(text, is_hex);
    if (hex >= hex_digits_min) return secret_span{0, hex};
    if (!before.empty() && is_base64(before.back())) return std::nullopt;
    const auto digits = run_length(text, is_base64);
    if (digits < base64_digits_min || digits >= text.size() || text[digits] != '=')
        return std::nullopt;
    return secret_span{0,
                       digits + run_length(text.substr(digits), [](char c) { return c == '='; })};
}

}  // namespace

bool names_secret(std::string_view name) {
    for (const auto secret : secret_names)
        if (ends_with_nocase(name, secret)) return true;
    return false;
}

std::string redact(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    const auto hide = [&](std::size_t from, secret_span span) {
        shown.append(text.substr(from, span.begin)).append(mask);
        return from + span.end;
    };
    std::size_t at = 0;
    while (at < text.size()) {
        const auto rest = text.substr(at);
        const bool word_begins = is_word(rest.front()) && (at == 0 || !is_word(text[at - 1]));
        std::optional<secret_span> found;
        if (rest.front() == ':') found = uri_password(rest);
        if (rest.front() == '-') found = private_key(rest);
        if (word_begins) found = key_material(rest, text.substr(0, at));
        if (!found && word_begins) {
            const auto length = run_length(rest, is_word);
            found = named_secret(rest.substr(0, length), rest.substr(length), text.substr(0, at));
            if (!found) {
                shown.append(rest.substr(0, length));
                at += length;
                continue;
            }
        }
        if (found) {
            at = hide(at, *found);
        } else {
            shown.push_back(rest.front());
            ++at;
        }
    }
    return shown;
}

}  // namespace repld::logging
