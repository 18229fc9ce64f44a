#include "postgres/settings_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "platform/files.hpp"

namespace repld::postgres {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_bytes_max = 1024 * 1024;
constexpr const char* file_name = "postgresql.auto.conf";

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    return out;
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

bool in_name(char c) {
    const auto u = static_cast<unsigned char>(c);
    return std::isalnum(u) != 0 || c == '_' || c == '.' || c == '$' || u >= 0x80;
}

struct parsed_line {
    std::string name{};  // lower case; empty: the line sets nothing
    std::string value{};
};

// 'value': doubled quotes and backslash escapes, as guc-file.l reads them.
std::string unquote(std::string_view text) {
    std::string out;
    for (std::size_t i = 1; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\'') {
            if (i + 1 >= text.size() || text[i + 1] != '\'') break;
            out += '\'';
            ++i;
        } else if (c == '\\' && i + 1 < text.size()) {
            const char e = text[++i];
            if (e == 'n')
                out += '\n';
            else if (e == 't')
                out += '\t';
            else if (e == 'r')
                out += '\r';
            else if (e == 'b')
                out += '\b';
            else if (e == 'f')
                out += '\f';
            else if (e >= '0' && e <= '7') {
                int code = 0;
                std::size_t digits = 0;
                while (digits < 3 && i + digits < text.size() && text[i + digits] >= '0' &&
                       text[i + digits] <= '7') {
                    code = code * 8 + (text[i + digits] - '0');
                    ++digits;
                }
                i += digits - 1;
                out += static_cast<char>(code & 0xff);
            } else
                out += e;
        } else {
            out += c;
        }
    }
    return out;
}

parsed_line parse_line(std::string_view line) {
    const auto skip_space = [&] {
        while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    };
    parsed_line out;
    skip_space();
    std::size_t length = 0;
    while (length < line.size() && in_name(line[length])) ++length;
    if (length == 0) return out;
    out.name = lower(line.substr(0, length));
    line.remove_prefix(length);
    skip_space();
    if (!line.empty() && line.front() == '=') line.remove_prefix(1);
    skip_space();
    if (!line.empty() && line.front() == '\'') {
        out.value = unquote(line);
        return out;
    }
    length = 0;
    while (length < line.size() && !is_space(line[length]) && line[length] != '#') ++length;
    out.value = line.substr(0, length);
    return out;
}

template <class Visit>
void for_each_line(std::string_view file, Visit visit) {
    while (!file.empty()) {
        const auto end = file.find('\n');
        visit(file.substr(0, end));
        file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
    }
}

result<std::string> read_auto_file(const fs::path& path) {
    auto text = platform::read_file(path, file_bytes_max);
    if (!text && text.error().code == errc::refused) return std::string();
    return text;
}

}  // namespace

std::string quote_setting(std::string_view value) {
    std::string out = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') out += c;
        out += c;
    }
    out += '\'';
    return out;
}

std::string change_settings(std::string_view file, const setting_changes& changes) {
    std::map<std::string, std::optional<std::string>> wanted;
    for (const auto& [name, value] : changes) wanted[lower(name)] = value;
    std::string out;
    for_each_line(file, [&](std::string_view line) {
        const auto parsed = parse_line(line);
        if (!parsed.name.empty() && wanted.contains(parsed.name)) return;
        out += line;
        out += '\n';
    });
    for (const auto& [name, value] : wanted) {
        if (value) out += name + " = " + quote_setting(*value) + "\n";
    }
    return out;
}

std::optional<std::string> find_setting(std::string_view file, std::string_view name) {
    const std::string wanted = lower(name);
    std::optional<std::string> found;
    for_each_line(file, [&](std::string_view line) {
        auto parsed = parse_line(line);
        if (parsed.name == wanted) found = std::move(parsed.value);
    });
    return found;
}

result<void> write_auto_settings(const fs::path& data_directory, const setting_changes& changes) {
    for (const auto& [name, value] : changes) {
        if (value && value->find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
            return error{errc::refused, "cannot write setting \"" + name + "\"",
                         "Its value has a line break."};
        }
    }
    const fs::path path = data_directory / file_name;
    auto text = read_auto_file(path);
    if (!text) return std::move(text).error();
    const std::string changed = change_settings(*text, changes);
    if (changed == *text) return {};
    struct stat now {};
    const bool there = ::stat(path.c_str(), &now) == 0;
    const mode_t mode = there ? (now.st_mode & 07777) : (S_IRUSR | S_IWUSR);
    return platform::write_file_durably(path, changed, mode);
}

result<std::optional<std::string>> read_auto_setting(const fs::path& data_directory,
                                                     std::string_view name) {
    auto text = read_auto_file(data_directory / file_name);
    if (!text) return std::move(text).error();
    return find_setting(*text, name);
}

}  // namespace repld::postgres
