#include "config/loader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "config/sections.hpp"
#include "config/yaml_tree.hpp"

namespace repld::config {

namespace {

struct open_file {
    int descriptor = -1;
    ~open_file() {
        if (descriptor >= 0) ::close(descriptor);
    }
};

error unreadable(const std::string& file, int code) {
    return {errc::io,
            "could not read configuration file \"" + file +
                "\": " + std::generic_category().message(code),
            "", code == ENOENT ? "Name the file with --config or in REPLD_CONFIG." : ""};
}

error unfit(const std::string& file, std::string detail) {
    return {errc::configuration, "\"" + file + "\" is not a configuration file", std::move(detail),
            ""};
}

result<std::string> read_file(const std::string& file) {
    // Non-blocking, so that a fifo in the place of the file is refused rather than waited for.
    open_file input{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (input.descriptor < 0) return unreadable(file, errno);
    struct stat status {};
    if (::fstat(input.descriptor, &status) != 0) return unreadable(file, errno);
    if (!S_ISREG(status.st_mode)) return unfit(file, "It is not a regular file.");
    std::string text;
    std::array<char, 8192> block{};
    while (text.size() <= file_size_max) {
        const auto got = ::read(input.descriptor, block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable(file, errno);
        if (got == 0) return text;
        text.append(block.data(), static_cast<std::size_t>(got));
    }
    return unfit(file, "It is larger than " + std::to_string(file_size_max / 1024) + " kB.");
}

// The length of the UTF-8 character at `at`, judged by its lead and continuation bytes; 0: none.
std::size_t character_length(const std::string& text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto lead = byte(at);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
    for (std::size_t i = at + 1; i < at + length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    return length;
}

// Notes the first thing that no text file has; whether there was one.
bool is_binary(const std::string& text, std::vector<problem>& problems) {
    int line = 1;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const auto length = character_length(text, at);
        const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        if (length == 0 || (control && c != '\n' && c != '\r' && c != '\t')) {
            add_problem(problems, {line, "",
                                   length == 0 ? "found a byte that is not UTF-8, expected text"
                                               : "found a control character, expected text"});
            return true;
        }
        if (c == '\n') ++line;
        at += length;
    }
    return false;
}

}  // namespace

std::filesystem::path find_file(const std::optional<std::string>& command_line) {
    if (command_line) return *command_line;
    const char* const named = std::getenv("REPLD_CONFIG");
    if (named != nullptr && *named != '\0') return named;
    return "/etc/repld/repld.yaml";
}

outcome parse(const std::string& text, const conninfo_check& check) {
    outcome o;
    if (is_binary(text, o.problems)) return o;
    const auto document = parse_yaml(text, o.problems);
    if (document.syntax_ok) o.value = read_sections(document.root, check, o.problems);
    std::stable_sort(o.problems.begin(), o.problems.end(),
                     [](const problem& a, const problem& b) { return a.line < b.line; });
    return o;
}

result<host_config> load(const std::filesystem::path& file, const conninfo_check& check) {
    auto text = read_file(file.string());
    if (!text) return std::move(text).error();
    auto o = parse(*text, check);
    if (!o.problems.empty()) return to_error(file.string(), std::move(o.problems));
    o.value.file = file;
    return std::move(o.value);
}

}  // namespace repld::config
