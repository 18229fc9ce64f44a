// The cluster state and the durable state as JSON: the first travels in messages and answers, the
// second is the payload of the register file. Settings are written as in `cluster settings`, so
// that a file can be read by a person. Encoding and decoding are inverse; README.md lists the
// fields.
#pragma once

#include <nlohmann/json.hpp>

#include "core/durable_state.hpp"
#include "core/result.hpp"

namespace repld::protocol {

[[nodiscard]] nlohmann::json encode(const cluster_state& state);
[[nodiscard]] nlohmann::json encode(const member& m);
[[nodiscard]] nlohmann::json encode(const accepted_value& value);
[[nodiscard]] nlohmann::json encode(const ballot& b);
[[nodiscard]] nlohmann::json encode(const wal_position& p);
[[nodiscard]] std::string encode_durable(const durable_state& state);

// errc::protocol: a field is missing, of the wrong kind or out of range (DETAIL names it).
[[nodiscard]] result<member> decode_member(const nlohmann::json& body);
[[nodiscard]] result<cluster_state> decode_cluster_state(const nlohmann::json& body);
// errc::corrupt, likewise.
[[nodiscard]] result<durable_state> decode_durable(const std::string& text);

// For the message codec: these throw bad_field.
[[nodiscard]] cluster_state read_cluster_state(const nlohmann::json& body);
[[nodiscard]] accepted_value read_accepted(const nlohmann::json& body);
[[nodiscard]] ballot read_ballot(const nlohmann::json& object, const char* key);
[[nodiscard]] wal_position read_position(const nlohmann::json& object, const char* key);

}  // namespace repld::protocol
