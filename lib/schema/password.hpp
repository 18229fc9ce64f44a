// Passwords of database roles.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace repld::schema {

// 32 characters of letters and digits from the kernel's generator (190 bits). Error: io.
[[nodiscard]] result<std::string> random_password();

// "SCRAM-SHA-256$4096:...", which PostgreSQL takes in the place of a password. Computed here (some
// milliseconds of processor time). Errors: usage (an empty password, or one with a NUL), internal.
[[nodiscard]] result<std::string> scram_verifier(const std::string& role,
                                                 const std::string& password);

}  // namespace repld::schema
