// The register's messages as JSON, with the envelope that travels with each (R24). What is not
// known or not whole is refused as a whole: a message that is half understood could be half obeyed.
#pragma once

#include <nlohmann/json.hpp>

#include "core/event.hpp"
#include "core/result.hpp"

namespace repld::protocol {

[[nodiscard]] nlohmann::json encode(const envelope& from, const message& body);
// errc::protocol, with the field in DETAIL.
[[nodiscard]] result<message_received> decode_message(const nlohmann::json& body);

}  // namespace repld::protocol
