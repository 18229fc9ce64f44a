// libpq connection strings as values: "keyword=value ..." or "postgresql://...".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace repld::postgres {

// An ordered list of keywords and values; each keyword once. Keeps the order it was written in.
class conninfo {
public:
    conninfo() = default;

    // Accepts what libpq accepts, unknown keywords refused. Error: configuration; its text holds no
    // password.
    [[nodiscard]] static result<conninfo> parse(std::string_view text);

    [[nodiscard]] std::optional<std::string> get(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const;
    void set(std::string_view key, std::string_view value);          // replaces in place or appends
    void set_default(std::string_view key, std::string_view value);  // only when not there
    void remove(std::string_view key);
    [[nodiscard]] conninfo with(std::string_view key, std::string_view value) const;
    [[nodiscard]] conninfo without(std::string_view key) const;

    // keyword=value form, quoted where necessary; parse() gives the same list back.
    [[nodiscard]] std::string to_string() const;
    // The same with secrets as "***": for logs, events and people.
    [[nodiscard]] std::string redacted() const;

    using entry = std::pair<std::string, std::string>;
    [[nodiscard]] const std::vector<entry>& entries() const noexcept { return entries_; }
    bool operator==(const conninfo&) const = default;

private:
    std::vector<entry> entries_{};
};

// Hides the value after every "password" (also sslpassword, PGPASSWORD; followed by =, : or a
// quoted SQL string) and the password of every URI in any text. Hides too much rather than too
// little.
[[nodiscard]] std::string redact_text(std::string_view text);

}  // namespace repld::postgres
