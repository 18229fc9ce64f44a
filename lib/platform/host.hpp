// Who this host is: identity of the installation, of this boot, and random numbers.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/result.hpp"
#include "core/types.hpp"

namespace repld::platform {

// 32 lower-case hexadecimal digits from /etc/machine-id, else /var/lib/dbus/machine-id; a host that
// has neither (a container image without systemd) is "host:<name from uname>". `root` is a folder
// that stands for "/" in tests.
// Errors: io when not even the host name can be read.
[[nodiscard]] result<std::string> machine_id(const std::filesystem::path& root = "/");

// The kernel's random id of this boot, a UUID in lower case. Errors: io, corrupt.
[[nodiscard]] result<std::string> boot_id();

// From getrandom(2); never 0. A kernel that cannot give random numbers ends the process.
[[nodiscard]] nonce random_nonce();
void random_bytes(std::span<std::byte> out);

}  // namespace repld::platform
