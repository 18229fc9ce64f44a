// The bytes of the register file: one header line, then the payload.
//
//   repld-register <format version> <payload length> <SHA-256 of the payload in
//   hexadecimal>\n<payload>
//
// Every header that is accepted is, byte for byte, the one that encode() writes for the payload
// that follows, so that no bit of the file can change unnoticed. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::storage {

inline constexpr int format_version = 1;
// The register is a few kilobytes; whatever is much larger is not a register.
inline constexpr std::size_t payload_size_max = 1024 * 1024;
inline constexpr std::size_t file_size_max = payload_size_max + 256;

// errc::internal: the payload is larger than payload_size_max, or the hash is not to be had.
[[nodiscard]] result<std::string> encode(std::string_view payload);

// The payload. errc::corrupt with the exact reason as the detail.
[[nodiscard]] result<std::string> decode(std::string_view content);

}  // namespace repld::storage
