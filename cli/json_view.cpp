#include "json_view.hpp"

#include "text.hpp"

namespace repld::cli {

const json& member(const json& object, const char* key) {
    static const json nothing;
    if (!object.is_object()) return nothing;
    const auto found = object.find(key);
    return found == object.end() ? nothing : *found;
}

std::string text_of(const json& value) {
    if (value.is_string()) return printable(value.get_ref<const std::string&>());
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_number()) return value.dump();
    return {};
}

std::string text_of(const json& object, const char* key) {
    return text_of(member(object, key));
}

std::string csv_text_of(const json& object, const char* key) {
    if (const auto truth = bool_of(object, key)) return *truth ? "t" : "f";
    return text_of(object, key);
}

std::optional<double> number_of(const json& object, const char* key) {
    const json& value = member(object, key);
    if (!value.is_number()) return std::nullopt;
    return value.get<double>();
}

std::optional<bool> bool_of(const json& object, const char* key) {
    const json& value = member(object, key);
    if (!value.is_boolean()) return std::nullopt;
    return value.get<bool>();
}

const json& array_of(const json& object, const char* key) {
    static const json empty = json::array();
    const json& value = member(object, key);
    return value.is_array() ? value : empty;
}

std::string pretty(const json& value) {
    return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace repld::cli
