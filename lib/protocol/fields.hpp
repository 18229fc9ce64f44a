// Reading JSON without trust: every field is asked for by name and type, and a wrong one is named.
// The readers throw `bad_field`; the codecs catch it at their border.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include <nlohmann/json.hpp>

namespace repld::protocol {

using json = nlohmann::json;

struct bad_field {
    std::string text;
};

[[nodiscard]] const json& field(const json& object, const char* key);
[[nodiscard]] std::string text_field(const json& object, const char* key);
[[nodiscard]] bool bool_field(const json& object, const char* key);
[[nodiscard]] const json& array_field(const json& object, const char* key, std::size_t most);
[[nodiscard]] std::uint64_t unsigned_value(const json& value, const char* key, std::uint64_t most);
[[nodiscard]] std::int64_t signed_value(const json& value, const char* key, std::int64_t least,
                                        std::int64_t most);

// A whole number that fits T.
template <class T>
[[nodiscard]] T number_field(const json& object, const char* key) {
    if constexpr (std::is_unsigned_v<T>)
        return static_cast<T>(
            unsigned_value(field(object, key), key, std::numeric_limits<T>::max()));
    else
        return static_cast<T>(signed_value(field(object, key), key, std::numeric_limits<T>::min(),
                                           std::numeric_limits<T>::max()));
}

}  // namespace repld::protocol
