#include "console.hpp"

#include <cstdio>
#include <string>

#include "json_view.hpp"
#include "text.hpp"

namespace repld::cli {
namespace {

void write(std::FILE* stream, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stream);
}

// Line ends stay, because a detail may list several findings; what follows them is indented.
std::string clean(std::string_view text) {
    std::string lines;
    while (true) {
        const std::size_t end = text.find('\n');
        lines += printable(text.substr(0, end));
        if (end == std::string_view::npos) return lines;
        lines += "\n        ";
        text.remove_prefix(end + 1);
    }
}

void labelled(const char* label, tint shade, std::string_view text, colours use) {
    write(stderr, tinted(label, shade, use) + " " + clean(text) + "\n");
}

}  // namespace

void console::print(std::string_view text) const {
    write(stdout, text);
}

void console::notice(std::string_view text) const {
    labelled("NOTICE:", tint::none, text, stderr_colours);
}

void console::warning(std::string_view text) const {
    labelled("WARNING:", tint::doubtful, text, stderr_colours);
}

void console::remark(std::string_view text) const {
    write(stderr, clean(text) + "\n");
}

void console::explain(std::string_view text) const {
    if (verbose) labelled("INFO:", tint::none, text, stderr_colours);
}

void console::fail(const error& e) const {
    labelled("ERROR:", tint::bad, e.message, stderr_colours);
    if (!e.detail.empty()) labelled("DETAIL:", tint::none, e.detail, stderr_colours);
    if (!e.hint.empty()) labelled("HINT:", tint::none, e.hint, stderr_colours);
    if (format != output_format::as_json) return;
    json body{{"code", to_string(e.code)}, {"message", e.message}};
    if (!e.detail.empty()) body["detail"] = e.detail;
    if (!e.hint.empty()) body["hint"] = e.hint;
    print(pretty(json{{"error", std::move(body)}}));
}

void console::print(const table& rows) const {
    print(format == output_format::as_csv ? rows.csv() : rows.text(stdout_colours));
}

bool console::flush() {
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

}  // namespace repld::cli
