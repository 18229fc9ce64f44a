// The settings of one host, as repld.yaml gives them; what belongs to the whole cluster lives in
// the register. Plain values with the defaults; loader.hpp makes them from a file, checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/endpoint.hpp"
#include "core/types.hpp"
#include "logging/log.hpp"

namespace repld::config {

enum class node_role { data, witness };
[[nodiscard]] const char* to_string(node_role role) noexcept;

struct node_section {
    node_id id = 0;      // > 0, unique in the cluster
    std::string name{};  // 1 to 63 of a-z 0-9 _ -, beginning with a letter or digit
    node_role role = node_role::data;
    std::string location = "default";
    int priority = 100;  // 0: never primary
};

// Commands that replace pg_ctl, run by the process adapter. Empty: pg_ctl.
struct service_commands {
    std::string start{};
    std::string stop{};
    std::string restart{};
    std::string reload{};
    std::string promote{};
};

struct postgres_section {
    std::filesystem::path data_directory{};
    std::filesystem::path bin_directory{};  // empty: find_bin_directory (server_files.hpp)
    std::string conninfo{};                 // how other hosts reach this server
    std::string local_conninfo{};           // empty: find_local_conninfo (server_files.hpp)
    service_commands service{};
};

struct peer_section {
    endpoint listen{"0.0.0.0", 7432};
    endpoint advertise{};  // what other hosts connect to; never a wildcard
    std::filesystem::path key_file = "/etc/repld/cluster.key";
};

struct http_section {
    endpoint listen{};
};

struct paths_section {
    std::filesystem::path state = "/var/lib/repld";
    std::filesystem::path run = "/run/repld";
};

struct host_config {
    std::filesystem::path file{};  // where it was read from
    node_section node{};
    std::optional<postgres_section> postgres{};  // present exactly when node.role is data
    peer_section peer{};
    std::optional<http_section> http{};  // absent: switched off
    paths_section paths{};
    logging::options log{};
};

// One effective value; `value` has no secrets in it.
struct setting {
    std::string key;  // dotted
    std::string value;
};
// Every setting in the order of the file, defaults included.
[[nodiscard]] std::vector<setting> describe(const host_config& c);

}  // namespace repld::config
