#include "host.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "config/loader.hpp"
#include "json_view.hpp"

namespace repld::cli {
namespace {

// A list of as many members as a cluster can have is far smaller.
constexpr std::size_t members_file_bytes_max = 1024 * 1024;
constexpr std::size_t members_max = 64;
constexpr std::uint16_t default_peer_port = 7432;

error members_error(errc code, const std::string& file, std::string detail) {
    return {code, "could not read the list of members \"" + file + "\"", std::move(detail), {}};
}

bool has_port(const std::string& text) {
    if (text.starts_with("[")) return !text.ends_with("]");
    return text.find(':') != std::string::npos;
}

}  // namespace

std::string config_file_name(const std::string& given) {
    return config::find_file(given.empty() ? std::nullopt : std::optional(given)).string();
}

result<host_settings> load_host_settings(const std::string& config_file) {
    // The connection strings are the daemon's business: a wrong one must not keep a person from
    // asking that daemon what is the matter.
    auto loaded = config::load(config_file);
    if (!loaded) return std::move(loaded).error();
    host_settings host;
    host.config_file = config_file;
    host.node_name = loaded->node.name;
    host.control_socket = (loaded->paths.run / "repld.sock").string();
    host.members_file = (loaded->paths.state / "peers.json").string();
    host.key_file = loaded->peer.key_file.string();
    return host;
}

result<member_list> load_members(const std::string& members_file) {
    std::ifstream file(members_file, std::ios::binary);
    if (!file)
        return members_error(errc::io, members_file, std::string(std::strerror(errno)) + ".");
    std::string text(members_file_bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    const json list = json::parse(text, nullptr, false);
    if (!list.is_object()) return members_error(errc::corrupt, members_file, "It is not JSON.");
    member_list found;
    found.cluster = text_of(list, "cluster");
    for (const auto& entry : array_of(list, "peers")) {
        auto address = parse_address(text_of(entry, "address"));
        if (!address || found.members.size() == members_max) continue;
        address->name = text_of(entry, "name");
        const json& id = member(entry, "id");
        if (id.is_number_unsigned()) address->id = id.get<node_id>();
        found.members.push_back(std::move(*address));
    }
    return found;
}

result<member_address> parse_address(const std::string& text) {
    const std::string whole =
        has_port(text) ? text : text + ":" + std::to_string(default_peer_port);
    auto parsed = config::parse_endpoint(whole);
    if (!parsed) {
        return error{errc::usage,
                     "invalid address \"" + text + "\"",
                     {},
                     "Give the peer address of a member, such as 10.0.0.11:7432."};
    }
    return member_address{0, {}, parsed->host, parsed->port};
}

}  // namespace repld::cli
