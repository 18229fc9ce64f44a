#include "config/host_config.hpp"
#include "logging/redact.hpp"

namespace repld::config {

namespace {

void describe_postgres(const postgres_section& p, std::vector<setting>& list) {
    const auto or_else = [](const std::string& value, const char* otherwise) {
        return value.empty() ? std::string(otherwise) : value;
    };
    list.push_back({"postgres.data_directory", p.data_directory.string()});
    list.push_back(
        {"postgres.bin_directory", or_else(p.bin_directory.string(), "(found from PG_VERSION)")});
    list.push_back({"postgres.conninfo", p.conninfo});
    list.push_back(
        {"postgres.local_conninfo", or_else(p.local_conninfo, "(found from postmaster.pid)")});
    const auto& s = p.service;
    list.push_back({"postgres.service.start", or_else(s.start, "(pg_ctl)")});
    list.push_back({"postgres.service.stop", or_else(s.stop, "(pg_ctl)")});
    list.push_back({"postgres.service.restart", or_else(s.restart, "(pg_ctl)")});
    list.push_back({"postgres.service.reload", or_else(s.reload, "(pg_ctl)")});
    list.push_back({"postgres.service.promote", or_else(s.promote, "(pg_ctl)")});
}

}  // namespace

const char* to_string(node_role role) noexcept {
    switch (role) {
        case node_role::data: return "data";
        case node_role::witness: return "witness";
    }
    return "data";
}

std::vector<setting> describe(const host_config& c) {
    std::vector<setting> list;
    list.push_back({"node.id", std::to_string(c.node.id)});
    list.push_back({"node.name", c.node.name});
    list.push_back({"node.role", to_string(c.node.role)});
    list.push_back({"node.location", c.node.location});
    list.push_back({"node.priority", std::to_string(c.node.priority)});
    if (c.postgres) describe_postgres(*c.postgres, list);
    list.push_back({"peer.listen", to_string(c.peer.listen)});
    list.push_back({"peer.advertise", to_string(c.peer.advertise)});
    list.push_back({"peer.key_file", c.peer.key_file.string()});
    list.push_back({"http.listen", c.http ? to_string(c.http->listen) : "(off)"});
    list.push_back({"paths.state", c.paths.state.string()});
    list.push_back({"paths.run", c.paths.run.string()});
    list.push_back({"log.level", logging::to_string(c.log.level)});
    list.push_back({"log.format", logging::to_string(c.log.format)});
    for (auto& s : list) s.value = logging::redact(s.value);
    return list;
}

}  // namespace repld::config
