#include "postgres/pq.hpp"

#include <algorithm>
#include <cctype>

#include "postgres/connection.hpp"
#include "postgres/conninfo.hpp"

namespace repld::postgres {
namespace {

constexpr std::string_view state_open = "(SQLSTATE ";
constexpr std::size_t state_length = 5;

bool looks_like_sqlstate(std::string_view text) {
    return text.size() == state_length && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
           });
}

std::string trimmed(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.remove_suffix(1);
    }
    return std::string(text);
}

void add_sqlstate(error& e, std::string_view sqlstate) {
    if (sqlstate.empty()) return;
    if (!e.detail.empty()) e.detail += " ";
    e.detail += std::string(state_open) + std::string(sqlstate) + ")";
}

std::string field(const PGresult* r, int code) {
    const char* text = PQresultErrorField(r, code);
    return text != nullptr ? text : "";
}

// "... FATAL:  53300: sorry, ..." becomes "... FATAL:  sorry, ...", and the last such state is
// returned. Lines that tell places in the server's source are left out.
std::string take_sqlstate(std::string& text) {
    std::string sqlstate, kept;
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string line(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.starts_with("LOCATION:")) continue;
        // Two blanks after the severity, as libpq prints it.
        const auto at = line.find(":  ");
        constexpr std::size_t gap = 3;
        if (at != std::string::npos && line.size() > at + gap + state_length &&
            line[at + gap + state_length] == ':') {
            const auto candidate = line.substr(at + gap, state_length);
            if (looks_like_sqlstate(candidate)) {
                sqlstate = candidate;
                line.erase(at + gap, state_length + 2);
            }
        }
        kept += line + "\n";
    }
    text = trimmed(kept);
    return sqlstate;
}

}  // namespace

std::string_view sqlstate_of(const error& e) noexcept {
    constexpr std::size_t length = state_open.size() + state_length + 1;
    const std::string_view detail = e.detail;
    if (detail.size() < length || !detail.ends_with(')')) return {};
    const auto tail = detail.substr(detail.size() - length);
    if (!tail.starts_with(state_open)) return {};
    return tail.substr(state_open.size(), state_length);
}

std::string quote_literal(std::string_view text) {
    std::string quoted;
    // E'' is right whatever standard_conforming_strings says.
    const bool escape = text.find('\\') != std::string_view::npos;
    quoted += escape ? "E'" : "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') quoted.push_back(c);
        quoted.push_back(c);
    }
    return quoted + "'";
}

std::string quote_identifier(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted.push_back(c);
        quoted.push_back(c);
    }
    return quoted + "\"";
}

namespace pq {

error result_error(const PGresult* r) {
    const std::string sqlstate = field(r, PG_DIAG_SQLSTATE);
    if (sqlstate.empty()) return broken_error(PQresultErrorMessage(r));
    error e;
    e.code = errc::postgres;
    e.message = redact_text(field(r, PG_DIAG_MESSAGE_PRIMARY));
    e.detail = redact_text(field(r, PG_DIAG_MESSAGE_DETAIL));
    e.hint = redact_text(field(r, PG_DIAG_MESSAGE_HINT));
    add_sqlstate(e, sqlstate);
    return e;
}

error connect_error(const char* libpq_text, const std::string& where) {
    std::string text = libpq_text != nullptr ? libpq_text : "";
    const std::string sqlstate = take_sqlstate(text);
    error e;
    e.code = sqlstate.empty() ? errc::unreachable : errc::postgres;
    e.message = "could not connect to PostgreSQL at " + where;
    e.detail = redact_text(text);
    add_sqlstate(e, sqlstate);
    return e;
}

error broken_error(const char* libpq_text) {
    error e;
    e.code = errc::unreachable;
    e.message = "connection to PostgreSQL was lost";
    e.detail = redact_text(trimmed(libpq_text != nullptr ? libpq_text : ""));
    return e;
}

}  // namespace pq
}  // namespace repld::postgres
