#include "platform/host.hpp"

#include <sys/random.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "platform/files.hpp"
#include "platform/os_error.hpp"

namespace repld::platform {
namespace {

bool is_lower_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

}  // namespace

result<std::string> machine_id(const std::filesystem::path& root) {
    for (const char* name : {"etc/machine-id", "var/lib/dbus/machine-id"}) {
        auto text = read_file(root / name, 4096);
        if (!text) continue;
        // "uninitialized" (first boot of an image) and empty files are the same on many hosts.
        std::string id = trimmed(std::move(*text));
        if (id.size() == 32 && std::all_of(id.begin(), id.end(), is_lower_hex)) return id;
    }
    utsname name{};
    if (::uname(&name) != 0) return os_error("could not read the name of this host", errno);
    return "host:" + std::string(name.nodename);
}

result<std::string> boot_id() {
    auto text = read_file("/proc/sys/kernel/random/boot_id", 4096);
    if (!text) return text;
    std::string id = trimmed(std::move(*text));
    const auto in_uuid = [](char c) { return is_lower_hex(c) || c == '-'; };
    if (id.size() != 36 || !std::all_of(id.begin(), id.end(), in_uuid)) {
        return error{errc::corrupt, "boot id of the kernel is not understood: \"" + id + "\""};
    }
    return id;
}

void random_bytes(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t n = ::getrandom(out.data(), out.size(), 0);
        if (n < 0) {
            // Identity and tokens rest on these numbers; there is no second source to fall back to.
            if (errno != EINTR) std::abort();
            continue;
        }
        out = out.subspan(static_cast<std::size_t>(n));
    }
}

nonce random_nonce() {
    nonce n = 0;
    while (n == 0) random_bytes(std::as_writable_bytes(std::span(&n, 1)));
    return n;
}

}  // namespace repld::platform
