// Reading what a daemon sent. The daemon may be of another version, so a member that is missing or
// of another type is "not known" and never an exception.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace repld::cli {

using json = nlohmann::json;

// The member, or a null value. `object` may be of any type.
[[nodiscard]] const json& member(const json& object, const char* key);

// printable() text of a string, number or boolean; empty for everything else.
[[nodiscard]] std::string text_of(const json& value);
[[nodiscard]] std::string text_of(const json& object, const char* key);

// The same for programs: truth is "t" or "f", as in PostgreSQL's CSV.
[[nodiscard]] std::string csv_text_of(const json& object, const char* key);

[[nodiscard]] std::optional<double> number_of(const json& object, const char* key);
[[nodiscard]] std::optional<bool> bool_of(const json& object, const char* key);

// The member when it is an array, an empty array otherwise.
[[nodiscard]] const json& array_of(const json& object, const char* key);

// Indented text with a final newline; bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string pretty(const json& value);

}  // namespace repld::cli
