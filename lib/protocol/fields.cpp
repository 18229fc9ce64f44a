#include "protocol/fields.hpp"

namespace repld::protocol {

const json& field(const json& object, const char* key) {
    if (!object.is_object())
        throw bad_field{"found no object where \"" + std::string(key) + "\" was expected"};
    const auto it = object.find(key);
    if (it == object.end()) throw bad_field{"field \"" + std::string(key) + "\" is missing"};
    return *it;
}

std::string text_field(const json& object, const char* key) {
    const json& value = field(object, key);
    if (!value.is_string()) throw bad_field{"field \"" + std::string(key) + "\" is no text"};
    return value.get<std::string>();
}

bool bool_field(const json& object, const char* key) {
    const json& value = field(object, key);
    if (!value.is_boolean())
        throw bad_field{"field \"" + std::string(key) + "\" is neither true nor false"};
    return value.get<bool>();
}

const json& array_field(const json& object, const char* key, std::size_t most) {
    const json& value = field(object, key);
    if (!value.is_array()) throw bad_field{"field \"" + std::string(key) + "\" is no list"};
    if (value.size() > most) throw bad_field{"list \"" + std::string(key) + "\" is too long"};
    return value;
}

std::uint64_t unsigned_value(const json& value, const char* key, std::uint64_t most) {
    if (!value.is_number_unsigned())
        throw bad_field{"field \"" + std::string(key) + "\" is no whole number"};
    const auto number = value.get<std::uint64_t>();
    if (number > most) throw bad_field{"field \"" + std::string(key) + "\" is too large"};
    return number;
}

std::int64_t signed_value(const json& value, const char* key, std::int64_t least,
                          std::int64_t most) {
    if (!value.is_number_integer())
        throw bad_field{"field \"" + std::string(key) + "\" is no whole number"};
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() >
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw bad_field{"field \"" + std::string(key) + "\" is too large"};
    const auto number = value.get<std::int64_t>();
    if (number < least || number > most)
        throw bad_field{"field \"" + std::string(key) + "\" is out of range"};
    return number;
}

}  // namespace repld::protocol
