// One-time join tokens: "<id>-<secret>", both hexadecimal. They live in the memory of the daemon
// that made them, until they expire; a token serves one node (which may try again with it).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/types.hpp"
#include "net/tls.hpp"

namespace repld {

inline constexpr std::size_t join_tokens_max = 64;

// What a token opens on the wire: identity "join:<id>", key = the secret's bytes.
[[nodiscard]] result<net::psk> psk_of_token(std::string_view token);

class join_tokens {
public:
    // errc::refused when too many are open.
    result<std::string> make(duration lifetime, boot_time now);
    [[nodiscard]] std::optional<net::secret_bytes> find(std::string_view psk_identity,
                                                        boot_time now);
    // False when the token was used by another installation already.
    bool use(std::string_view psk_identity, nonce identity);

private:
    struct entry {
        net::secret_bytes secret;
        boot_time expires{};
        nonce used_by = 0;
    };
    std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace repld
