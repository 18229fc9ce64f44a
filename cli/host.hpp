// What replctl needs to know of its own host, taken from repld.yaml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"

namespace repld::cli {

struct host_settings {
    std::string config_file;
    std::string node_name;
    std::string control_socket;  // <paths.run>/repld.sock
    std::string members_file;    // <paths.state>/peers.json, kept by the daemon
    std::string key_file;        // peer.key_file
};

// --config, then $REPLD_CONFIG, then /etc/repld/repld.yaml. `given` is empty without --config.
[[nodiscard]] std::string config_file_name(const std::string& given);

// Errors: configuration; the detail lists every finding.
[[nodiscard]] result<host_settings> load_host_settings(const std::string& config_file);

// A member as the local daemon last wrote it down.
struct member_address {
    node_id id = 0;
    std::string name;
    std::string host;
    std::uint16_t port = 0;
};

struct member_list {
    std::string cluster;
    std::vector<member_address> members;
};

// Errors: io or corrupt; there is no file before the node is in a cluster.
[[nodiscard]] result<member_list> load_members(const std::string& members_file);

// "10.0.0.11:7432", "db1:7432", "[fd00::1]:7432"; the port may be left out (7432). Errors: usage.
[[nodiscard]] result<member_address> parse_address(const std::string& text);

}  // namespace repld::cli
