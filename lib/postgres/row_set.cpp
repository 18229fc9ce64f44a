#include "postgres/row_set.hpp"

#include <algorithm>
#include <charconv>

namespace repld::postgres {

row_set::value row_set::at(std::size_t row, std::size_t column) const {
    if (row >= rows.size() || column >= rows[row].size()) return std::nullopt;
    return rows[row][column];
}

row_set::value row_set::at(std::size_t row, std::string_view column) const {
    const auto found = std::find(columns.begin(), columns.end(), column);
    return at(row, static_cast<std::size_t>(found - columns.begin()));
}

std::string row_set::text(std::size_t row, std::string_view column) const {
    return at(row, column).value_or("");
}

bool row_set::flag(std::size_t row, std::string_view column) const {
    return text(row, column) == "t";
}

std::optional<long long> row_set::number(std::size_t row, std::string_view column) const {
    const auto digits = at(row, column);
    if (!digits) return std::nullopt;
    long long n = 0;
    const char* const end = digits->data() + digits->size();
    const auto [stop, code] = std::from_chars(digits->data(), end, n);
    if (code != std::errc{} || stop != end || digits->empty()) return std::nullopt;
    return n;
}

}  // namespace repld::postgres
