#include "postgres/clone_progress.hpp"

#include <charconv>

namespace repld::postgres {
namespace {

bool lists(std::string_view list, std::string_view wanted) {
    while (!list.empty()) {
        auto item = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), item.size() + 1));
        while (item.starts_with(' ')) item.remove_prefix(1);
        while (item.ends_with(' ')) item.remove_suffix(1);
        if (item == wanted) return true;
    }
    return false;
}

}  // namespace

std::optional<copy_progress> parse_progress(std::string_view line) {
    while (line.starts_with(' ')) line.remove_prefix(1);
    copy_progress out;
    const char* end = line.data() + line.size();
    const auto done = std::from_chars(line.data(), end, out.done);
    if (done.ec != std::errc() || done.ptr == end || *done.ptr != '/') return std::nullopt;
    const auto total = std::from_chars(done.ptr + 1, end, out.total);
    if (total.ec != std::errc() || !std::string_view(total.ptr, end).starts_with(" kB"))
        return std::nullopt;
    out.done *= 1024;
    out.total *= 1024;
    return out;
}

setting_changes adapt_settings(const source_settings& source, const conninfo& own,
                               const conninfo& local) {
    setting_changes out{{"primary_conninfo", ""}, {"primary_slot_name", ""}};
    if (const auto port = own.get("port"); port && *port != source.port) out["port"] = *port;
    if (const auto host = local.get("host"); host && host->starts_with('/')) {
        if (!lists(source.unix_socket_directories, *host)) out["unix_socket_directories"] = *host;
    }
    const auto host = own.get("host");
    if (host && !host->empty() && !host->starts_with('/') && !lists(source.listen_addresses, "*") &&
        !lists(source.listen_addresses, "0.0.0.0") && !lists(source.listen_addresses, *host))
        out["listen_addresses"] = "localhost," + *host;
    return out;
}

}  // namespace repld::postgres
