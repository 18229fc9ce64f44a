#include "net/envelope.hpp"

#include <array>
#include <optional>
#include <utility>

namespace repld::net {
namespace {

constexpr std::array all_types{
    envelope_type::hello,   envelope_type::accept,   envelope_type::refuse,
    envelope_type::goodbye, envelope_type::ping,     envelope_type::message,
    envelope_type::request, envelope_type::progress, envelope_type::response};

constexpr std::array all_codes{
    errc::usage,     errc::configuration, errc::refused,      errc::unreachable,
    errc::timed_out, errc::failed_undone, errc::needs_person, errc::io,
    errc::protocol,  errc::postgres,      errc::corrupt,      errc::internal};

repld::error malformed(std::string detail) {
    return repld::error{
        .code = errc::protocol, .message = "malformed message", .detail = std::move(detail)};
}

bool nested_too_deeply(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > json_depth_max) return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return false;
}

std::optional<envelope_type> parse_type(const std::string& name) {
    for (const auto type : all_types) {
        if (name == to_string(type)) return type;
    }
    return std::nullopt;
}

std::string text_of(const json& body, const char* key) {
    const auto found = body.find(key);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

const char* to_string(envelope_type type) noexcept {
    switch (type) {
        case envelope_type::hello: return "hello";
        case envelope_type::accept: return "accept";
        case envelope_type::refuse: return "refuse";
        case envelope_type::goodbye: return "goodbye";
        case envelope_type::ping: return "ping";
        case envelope_type::message: return "message";
        case envelope_type::request: return "request";
        case envelope_type::progress: return "progress";
        case envelope_type::response: return "response";
    }
    return "unknown";
}

std::string encode_envelope(const envelope& e) {
    json whole = json::object();
    whole["v"] = envelope_version;
    whole["t"] = to_string(e.type);
    whole["id"] = e.id;
    whole["b"] = e.body;
    return whole.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<envelope> decode_envelope(std::string_view text) {
    if (nested_too_deeply(text)) return malformed("The JSON text is nested too deeply.");
    json whole = json::parse(text.begin(), text.end(), nullptr, false);
    if (whole.is_discarded() || !whole.is_object()) return malformed("It is not a JSON object.");
    const auto version = whole.find("v");
    if (version == whole.end() || !version->is_number_integer()) {
        return malformed("It has no version.");
    }
    if (*version != envelope_version) {
        return repld::error{.code = errc::protocol,
                            .message = "unknown message version " + version->dump(),
                            .detail = {},
                            .hint = "Upgrade repld on the host with the older version."};
    }
    const auto type_name = text_of(whole, "t");
    const auto type = parse_type(type_name);
    if (!type) {
        return repld::error{.code = errc::protocol,
                            .message = "unknown message type",
                            .detail = "The type is \"" + type_name.substr(0, 40) + "\".",
                            .hint = "Upgrade repld on the host with the older version."};
    }
    const auto id = whole.find("id");
    if (id == whole.end() || !id->is_number_unsigned()) return malformed("It has no id.");
    envelope e;
    e.type = *type;
    e.id = id->get<std::uint64_t>();
    if (const auto body = whole.find("b"); body != whole.end()) e.body = std::move(*body);
    return e;
}

json encode_error(const repld::error& e) {
    json body = json::object();
    body["code"] = to_string(e.code);
    body["message"] = e.message;
    body["detail"] = e.detail;
    body["hint"] = e.hint;
    return body;
}

repld::error decode_error(const json& body) {
    repld::error e{.code = errc::internal, .message = "unknown error"};
    if (!body.is_object()) return e;
    const auto name = text_of(body, "code");
    for (const auto code : all_codes) {
        if (name == to_string(code)) e.code = code;
    }
    if (auto message = text_of(body, "message"); !message.empty()) e.message = std::move(message);
    e.detail = text_of(body, "detail");
    e.hint = text_of(body, "hint");
    return e;
}

}  // namespace repld::net
