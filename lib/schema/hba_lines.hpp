// The pg_hba.conf lines that a server of the cluster needs, as text for a person.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace repld::schema {

// Two lines (the database, and replication) for each host: an address gets /32 or /128, a name
// stands as it is, a network ("10.0.0.0/24") too. A host that comes twice is listed once; what is
// none of these is left out, since it could change the meaning of the line.
[[nodiscard]] std::vector<std::string> hba_lines(std::string_view role, std::string_view database,
                                                 const std::vector<std::string>& hosts);

}  // namespace repld::schema
