// One libpq connection on the event loop; no call blocks, every call has a time limit.
//
// A connection is used until it breaks and is then replaced: after a time-out, a lost link or a
// cancelled coroutine usable() is false and every query is refused. A statement that ran out of
// time is also cancelled on the server, as far as that is possible (README.md): a write that has
// timed out may still take effect. One query at a time: a second one is refused with internal. The
// object must outlive its queries.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"
#include "postgres/row_set.hpp"

namespace repld::postgres {

struct connection_state;  // connection_state.hpp, for this folder only

class connection {
public:
    // `conninfo_text` in either form of libpq. Added unless given: fallback_application_name=repld,
    // gssencmode=disable (Kerberos calls block), client_encoding=UTF8. connect_timeout does not
    // count: `limit` is the one limit, for all hosts of a list together. Names are resolved off the
    // loop; a name that comes from a service file is not.
    // Errors: configuration (the string), timed_out, unreachable (nobody answered), postgres (the
    // server refused; sqlstate_of() says why: 53300 too many clients, 57P03 starting up,
    // 28xxx authentication).
    [[nodiscard]] static task<result<std::unique_ptr<connection>>> open(std::string conninfo_text,
                                                                        duration limit);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // With parameters ($1, $2, ..., sent as text; nullopt is NULL) one statement; without, the
    // simple protocol, where several statements may stand and the last one that returned rows, or
    // else the last one, is the answer.
    // Errors: postgres (the server refused; the connection stays usable unless the server closed
    // it), timed_out, unreachable, protocol (a COPY, or an answer above 32 MiB), internal (in use).
    [[nodiscard]] task<result<row_set>> query(std::string sql,
                                              std::vector<std::optional<std::string>> parameters,
                                              duration limit);
    // The simple protocol: for replication=true connections (IDENTIFY_SYSTEM) and for scripts.
    [[nodiscard]] task<result<row_set>> query_simple(std::string sql, duration limit);

    [[nodiscard]] bool usable() const noexcept;
    [[nodiscard]] int server_version() const noexcept;  // 150004; 0 when not known
    [[nodiscard]] int backend_pid() const noexcept;     // on the server's host
    // Of the last query() that failed with postgres; "" otherwise. Valid until the next query.
    [[nodiscard]] std::string_view last_sqlstate() const noexcept;
    // Texts of notices since the last call, oldest first, at most 32 kept.
    [[nodiscard]] std::vector<std::string> take_notices();

private:
    explicit connection(std::shared_ptr<connection_state> s);
    [[nodiscard]] static task<result<row_set>> run(
        std::shared_ptr<connection_state> s, std::string sql,
        std::vector<std::optional<std::string>> parameters, duration limit);
    std::shared_ptr<connection_state>
        state_;  // shared with handlers of the loop that may still be queued
};

// The SQLSTATE that came with an error of this adapter, else "". (It stands at the end of the
// detail.)
[[nodiscard]] std::string_view sqlstate_of(const error& e) noexcept;

// A literal or identifier for statements that take no parameters (ALTER SYSTEM, replication
// commands): quoted with standard_conforming_strings on, correct for every content without NUL.
[[nodiscard]] std::string quote_literal(std::string_view text);
[[nodiscard]] std::string quote_identifier(std::string_view text);

}  // namespace repld::postgres
