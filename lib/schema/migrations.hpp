// The versions of schema `repld` and how one becomes the next. Internal to this folder.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "net/asio.hpp"
#include "postgres/connection.hpp"
#include "schema/session.hpp"

namespace repld::schema {

// Element n brings a database from version n to n + 1; a fresh one has version 0. A step that was
// released is never edited: a change is a new step. A step grants what it creates.
using migration_steps = std::vector<std::string>;
[[nodiscard]] const migration_steps& all_migrations();

struct schema_state {
    bool exists = false;
    int version = 0;
};

// Reads only. Errors: refused (the server is a standby; the schema belongs to a role that is no
// superuser, who could have put triggers there that would run with our rights; its version cannot
// be read), and those of connection::query.
[[nodiscard]] task<result<schema_state>> look_at_schema(postgres::connection& on,
                                                        time_budget budget);

// Brings the schema to the last step, in one transaction, and sees to it that `reader_role` (empty:
// nobody) may read. Nothing is written when there is nothing to do. Errors: refused (as above, or
// the schema is newer), and those of connection::query; afterwards the connection may be in a
// failed transaction and is to be dropped.
[[nodiscard]] task<result<void>> migrate_schema(postgres::connection& on,
                                                const migration_steps& steps,
                                                std::string reader_role, time_budget budget);

}  // namespace repld::schema
