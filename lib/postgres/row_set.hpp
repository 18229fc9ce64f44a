// The answer to a query, as text. Owns its memory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repld::postgres {

struct row_set {
    using value = std::optional<std::string>;  // nullopt is SQL NULL

    std::vector<std::string> columns{};
    std::vector<std::vector<value>> rows{};
    std::string command_tag{};  // "SELECT 1", "INSERT 0 1"

    [[nodiscard]] bool empty() const noexcept { return rows.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return rows.size(); }

    // nullopt for NULL, and for a row or column that is not there.
    [[nodiscard]] value at(std::size_t row, std::string_view column) const;
    [[nodiscard]] value at(std::size_t row, std::size_t column) const;
    // The text, or "" where at() has nothing.
    [[nodiscard]] std::string text(std::size_t row, std::string_view column) const;
    // True for "t".
    [[nodiscard]] bool flag(std::size_t row, std::string_view column) const;
    // nullopt also when the text is not wholly a decimal number that fits.
    [[nodiscard]] std::optional<long long> number(std::size_t row, std::string_view column) const;
};

}  // namespace repld::postgres
