#include "table_printer.hpp"

#include <algorithm>
#include <cstdlib>

#include "text.hpp"

namespace repld::cli {
namespace {

const char* escape_of(tint shade) noexcept {
    switch (shade) {
        case tint::none: return "";
        case tint::good: return "\x1b[32m";
        case tint::doubtful: return "\x1b[33m";
        case tint::bad: return "\x1b[31m";
    }
    return "";
}

}  // namespace

std::string tinted(const std::string& text, tint shade, colours use) {
    if (use == colours::off || shade == tint::none) return text;
    return escape_of(shade) + text + "\x1b[0m";
}

void table::add(std::vector<cell> row) {
    if (row.size() != header_.size()) std::abort();
    rows_.push_back(std::move(row));
}

std::string table::text(colours use) const {
    std::vector<std::size_t> widths;
    for (const auto& name : header_) widths.push_back(display_width(name));
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], display_width(row[i].text));
        }
    }
    std::string lines;
    const auto put = [&](const std::vector<cell>& row) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            lines += i == 0 ? " " : " | ";
            lines += tinted(row[i].text, row[i].colour, use);
            lines.append(widths[i] - display_width(row[i].text), ' ');
        }
        lines.erase(lines.find_last_not_of(' ') + 1);
        lines += '\n';
    };
    put(std::vector<cell>(header_.begin(), header_.end()));
    for (std::size_t i = 0; i < widths.size(); ++i) {
        lines += (i == 0 ? "" : "+") + std::string(widths[i] + 2, '-');
    }
    lines += '\n';
    for (const auto& row : rows_) put(row);
    return lines;
}

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

std::string table::csv() const {
    std::string lines;
    const auto put = [&](const auto& row, const auto& text) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            lines += (i == 0 ? "" : ",") + csv_field(text(row[i]));
        }
        lines += '\n';
    };
    put(header_, [](const std::string& name) -> const std::string& { return name; });
    for (const auto& row : rows_) {
        put(row, [](const cell& c) -> const std::string& { return c.text; });
    }
    return lines;
}

}  // namespace repld::cli
