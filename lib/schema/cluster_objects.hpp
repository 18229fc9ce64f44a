// What `cluster create` makes in the PostgreSQL that it adopts: the role by which other hosts reach
// this server, the metadata database and its schema, and the rights that pg_rewind needs. Every
// step looks first, so that doing it again changes nothing. pg_hba.conf is never touched: the lines
// that it needs are printed (hba_lines.hpp).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/asio.hpp"

namespace repld::schema {

struct cluster_objects {
    std::string local_conninfo{};  // superuser, local; its dbname is used to make the others
    std::string role = "repld";
    std::string database = "repld";
    // Set for the role when given, also when the role is there already. It leaves this process as a
    // SCRAM verifier only: neither the server nor its log ever sees the password.
    std::optional<std::string> password{};
};

struct objects_plan {
    bool role_exists = false;
    bool role_has_password = false;
    bool database_exists = false;
    bool schema_exists = false;
    // In order, one SQL statement each, secrets as ***; what is there already is left out. The
    // tables stand as one comment line.
    std::vector<std::string> statements{};
};

// Looks and changes nothing: `--dry-run`.
// Errors: refused (the server is a standby, the local role is no superuser, the schema is newer
// than this program), unreachable, timed_out, postgres, configuration.
[[nodiscard]] task<result<objects_plan>> plan_cluster_objects(cluster_objects wanted,
                                                              duration limit);

// Plans and does it; returns what was done. Each statement commits by itself (CREATE DATABASE
// cannot be part of a transaction), so a failure in the middle leaves what came before it, and the
// error says at which statement; doing it again goes on from there. CREATE DATABASE writes a
// checkpoint: allow 30 s.
[[nodiscard]] task<result<objects_plan>> create_cluster_objects(cluster_objects wanted,
                                                                duration limit);

}  // namespace repld::schema
