// What a frame carries: {"v":1,"t":TYPE,"id":N,"b":BODY}. The table of types, who sends them and
// what their body is stands in README.md. An unknown version or type is refused, never skipped: a
// daemon that does not know a type cannot know whether it may ignore it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::net {

using json = nlohmann::json;

inline constexpr int envelope_version = 1;

enum class envelope_type {
    hello,
    accept,
    refuse,
    goodbye,
    ping,
    message,
    request,
    progress,
    response
};

struct envelope {
    envelope_type type = envelope_type::ping;
    // Numbers the requests of one side of one connection; 0 where no request is meant.
    std::uint64_t id = 0;
    json body{};
};

// Nesting beyond this is refused before parsing: copying and destroying deeply nested JSON
// recurses.
inline constexpr std::size_t json_depth_max = 64;

[[nodiscard]] const char* to_string(envelope_type type) noexcept;

// Invalid UTF-8 in strings is replaced by U+FFFD; this never fails.
[[nodiscard]] std::string encode_envelope(const envelope& e);
// errc::protocol for everything that is not exactly an envelope of this version.
[[nodiscard]] result<envelope> decode_envelope(std::string_view text);

// Errors travel in refuse and response bodies: {"code","message","detail","hint"}. Decoding is
// lenient (an unknown code is errc::internal), because an error must never hide behind another.
[[nodiscard]] json encode_error(const repld::error& e);
[[nodiscard]] repld::error decode_error(const json& body);

}  // namespace repld::net
