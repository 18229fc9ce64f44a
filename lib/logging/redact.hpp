// Hides secrets in text that is about to be shown: log lines, events, the listing of a
// configuration. It is the last line of defence; whoever holds a secret does not log it in the
// first place.
//
// Hidden are the values of password=, sslpassword=, PGPASSWORD=, passphrase=, secret=, psk=, token=
// and
// --token (conninfo, URI parameter, environment and JSON spellings), the password of a URI
// (postgresql://user:...@host), PASSWORD '...' of SQL, SCRAM and md5 verifiers, PEM private keys,
// and runs that look like raw keys: 64 or more hexadecimal digits, or 40 or more base64 digits with
// padding.
#pragma once

#include <string>
#include <string_view>

namespace repld::logging {

// Linear in the length of the text. Applying it twice changes nothing more.
[[nodiscard]] std::string redact(std::string_view text);

// Whether a value under this name is a secret by its name alone (a log field "password").
[[nodiscard]] bool names_secret(std::string_view name);

}  // namespace repld::logging
