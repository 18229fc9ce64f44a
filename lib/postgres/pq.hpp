// libpq's handles as owners, and libpq's errors as ours. For the sources of this folder only.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace repld::postgres::pq {

struct finish {
    void operator()(PGconn* c) const noexcept { PQfinish(c); }
};
struct clear {
    void operator()(PGresult* r) const noexcept { PQclear(r); }
};
using connection_handle = std::unique_ptr<PGconn, finish>;
using result_handle = std::unique_ptr<PGresult, clear>;

// Of a result with an error: code postgres, with "(SQLSTATE ...)" at the end of the detail; or
// unreachable when the error is libpq's own, which means that the link is gone.
[[nodiscard]] error result_error(const PGresult* r);

// Of a failed connection attempt whose verbosity is PQERRORS_VERBOSE: that is how the SQLSTATE of a
// refusal is found, which libpq keeps to itself otherwise. `where` names the server for people.
[[nodiscard]] error connect_error(const char* libpq_text, const std::string& where);

// Of a connection that broke while it was used.
[[nodiscard]] error broken_error(const char* libpq_text);

}  // namespace repld::postgres::pq
