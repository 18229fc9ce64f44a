// The one error value of the project. Four parts: a code for programs, and message, detail and hint
// for people, in PostgreSQL's message style (doc/src/sgml/sources.sgml, "Error Message Style
// Guide"): the message is short, lower case and without full stop; detail and hint are sentences.
#pragma once

#include <string>
#include <utility>

namespace repld {

// Why something failed, coarse enough to choose an exit code or a retry; never shown alone.
enum class errc {
    usage,          // the person typed something that cannot be meant
    configuration,  // a file or a setting is wrong
    refused,        // a check said no; nothing was changed
    unreachable,    // nobody answered
    timed_out,      // a deadline passed; the operation may go on elsewhere
    failed_undone,  // it failed and everything is as before
    needs_person,   // it failed and left something that a person must finish
    io,             // the operating system refused
    protocol,       // the other side sent what may not be sent
    postgres,       // the server answered with an error
    corrupt,        // stored data fails its own check
    internal        // a defect of ours
};

struct [[nodiscard]] error {
    errc code = errc::internal;
    std::string message;
    std::string detail{};
    std::string hint{};
};

// "ERROR: message\nDETAIL: ...\nHINT: ...", without a trailing newline; absent parts are left out.
[[nodiscard]] std::string to_string(const error& e);
[[nodiscard]] const char* to_string(errc code) noexcept;

}  // namespace repld
