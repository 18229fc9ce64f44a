// Rows as an aligned table in the manner of psql and repmgr, or as CSV.
#pragma once

#include <string>
#include <vector>

namespace repld::cli {

enum class tint { none, good, doubtful, bad };

struct cell {
    cell(std::string content = {}, tint shade = tint::none)
        : text(std::move(content)), colour(shade) {}
    cell(const char* content) : text(content) {}

    std::string text;
    tint colour = tint::none;
};

// Whether escape sequences for colours may be written.
enum class colours { off, on };

// The text in its colour, or as it is.
[[nodiscard]] std::string tinted(const std::string& text, tint shade, colours use);

class table {
public:
    explicit table(std::vector<std::string> header) : header_(std::move(header)) {}

    // Precondition: as many cells as the header has columns.
    void add(std::vector<cell> row);

    // " a | b " lines with a "---+---" rule below the header; no blanks at line ends.
    [[nodiscard]] std::string text(colours use) const;

    // RFC 4180, but with '\n' as line end, as COPY ... CSV and every Unix tool have it.
    [[nodiscard]] std::string csv() const;

private:
    std::vector<std::string> header_;
    std::vector<std::vector<cell>> rows_;
};

// One CSV field, quoted where RFC 4180 asks for it.
[[nodiscard]] std::string csv_field(const std::string& text);

}  // namespace repld::cli
