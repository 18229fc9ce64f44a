// errno as an error of ours.
#pragma once

#include <string>

#include "core/error.hpp"

namespace repld::platform {

// `number` is an errno; the message becomes "<what>: <the system's words>".
[[nodiscard]] error os_error(const std::string& what, int number, errc code = errc::io);

}  // namespace repld::platform
