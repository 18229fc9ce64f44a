// The way to the cluster when the local daemon is silent: all other members at once.
#include <memory>
#include <vector>

#include "client.hpp"
#include "net/call_peer.hpp"
#include "net/key_file.hpp"
#include "net/spawn.hpp"
#include "version.hpp"

namespace repld::cli {
namespace {

constexpr const char* way_out =
    "Start the daemon of this host (`systemctl start repld`), or ask on another one.";

struct survey {
    asio::io_context context{1};
    std::optional<response> first;
    std::vector<std::string> failures;
};

error nobody(std::string detail) {
    return {errc::unreachable, "could not reach any repld daemon of the cluster", std::move(detail),
            way_out};
}

task<void> ask_one(survey& all, member_address member, net::psk key, net::hello own, json body,
                   duration limit) {
    auto outcome =
        co_await net::call_peer(all.context.get_executor(), member.host, member.port,
                                std::move(key), std::move(own), std::move(body), limit, nullptr);
    auto answer = outcome ? parse_response(*outcome) : result<response>(outcome.error());
    if (all.first) co_return;
    if (answer && !answer->failure) {
        all.first = std::move(*answer);
        all.first->answered_by = member.name;
        all.context.stop();
        co_return;
    }
    const error& why = answer ? *answer->failure : answer.error();
    all.failures.push_back(member.name + ": " + why.message +
                           (why.detail.empty() ? "" : ": " + why.detail));
}

}  // namespace

result<response> ask_members(const host_settings& host, const request& question, duration limit) {
    const auto list = load_members(host.members_file);
    if (!list) {
        return nobody("The others are not known here: " + list.error().message + ": " +
                      list.error().detail);
    }
    if (list->members.empty()) return nobody("No other member is known here.");
    const auto key = net::load_cluster_key(host.key_file);
    if (!key) return nobody(key.error().message + ": " + key.error().detail);

    net::hello own;
    own.cluster = list->cluster;
    own.node_name = "replctl";
    own.program_version = program_version;
    own.client = true;
    const json body{{"command", question.command}, {"args", question.args}};
    try {
        survey all;
        for (const auto& member : list->members) {
            net::spawn(all.context.get_executor(),
                       ask_one(all, member, net::make_psk(*key), own, body, limit));
        }
        all.context.run();
        if (all.first) return std::move(*all.first);
        std::string detail;
        for (const auto& failure : all.failures) detail += (detail.empty() ? "" : "\n") + failure;
        return nobody(std::move(detail));
    } catch (const std::exception& failure) {
        return error{errc::internal, "could not ask the members of the cluster", failure.what()};
    }
}

}  // namespace repld::cli
