#include "schema/hba_lines.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace repld::schema {

namespace {

bool plain_word(std::string_view name) {
    constexpr std::array<std::string_view, 5> keywords{"all", "sameuser", "samerole", "samegroup",
                                                       "replication"};
    if (name.empty() || std::find(keywords.begin(), keywords.end(), name) != keywords.end()) {
        return false;
    }
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

// Quotes take the special meaning from keywords, "+", "@", "/" and blanks.
std::string name_word(std::string_view name) {
    if (plain_word(name)) return std::string(name);
    std::string quoted = "\"";
    for (const char c : name) {
        if (c == '\n' || c == '\r' || c == '\0') continue;
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

bool is_address(const std::string& text, int family) {
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(family, text.c_str(), bytes.data()) == 1;
}

bool is_host_name(std::string_view text) {
    constexpr std::array<std::string_view, 3> keywords{"all", "samehost", "samenet"};
    if (text.empty() || text.size() > 253 ||
        std::find(keywords.begin(), keywords.end(), text) != keywords.end()) {
        return false;
    }
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    });
}

std::optional<std::string> host_word(const std::string& host) {
    const auto slash = host.find('/');
    const std::string address = host.substr(0, slash);
    const bool v4 = is_address(address, AF_INET);
    const bool v6 = !v4 && is_address(address, AF_INET6);
    if (slash == std::string::npos) {
        if (v4) return host + "/32";
        if (v6) return host + "/128";
        if (is_host_name(host)) return host;
        return std::nullopt;
    }
    int bits = -1;
    const char* end = host.data() + host.size();
    const auto [rest, failed] = std::from_chars(host.data() + slash + 1, end, bits);
    const bool valid = failed == std::errc() && rest == end && bits >= 0 &&
                       ((v4 && bits <= 32) || (v6 && bits <= 128));
    if (valid) return host;
    return std::nullopt;
}

// Columns as in the file that initdb makes.
std::string line(std::string database, std::string role, const std::string& host) {
    database.resize(std::max<std::size_t>(database.size() + 1, 16), ' ');
    role.resize(std::max<std::size_t>(role.size() + 1, 16), ' ');
    std::string place = host;
    place.resize(std::max<std::size_t>(place.size() + 1, 24), ' ');
    return "host    " + database + role + place + "scram-sha-256";
}

}  // namespace

std::vector<std::string> hba_lines(std::string_view role, std::string_view database,
                                   const std::vector<std::string>& hosts) {
    std::vector<std::string> lines;
    for (const auto& host : hosts) {
        const auto word = host_word(host);
        if (!word) continue;
        std::string first = line(name_word(database), name_word(role), *word);
        if (std::find(lines.begin(), lines.end(), first) != lines.end()) continue;
        lines.push_back(std::move(first));
        lines.push_back(line("replication", name_word(role), *word));
    }
    return lines;
}

}  // namespace repld::schema
