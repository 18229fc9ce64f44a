// Requests of replctl and of other daemons. The contract with replctl is in cli/README.md.
#include "config/endpoint.hpp"
#include "daemon.hpp"
#include "platform/boottime.hpp"
#include "protocol/state_codec.hpp"
#include "schema/event_reader.hpp"

namespace repld {

namespace {

constexpr duration forward_limit = std::chrono::seconds(15);
constexpr duration commit_limit = std::chrono::seconds(10);
constexpr std::int64_t token_seconds_default = 3600;
constexpr std::int64_t token_seconds_max = 7 * 24 * 3600;

bool may(const net::request_origin& origin, const std::string& command) {
    using channel = net::request_origin::channel;
    const bool joining = command == "join.begin" || command == "join.finish";
    switch (origin.from) {
        case channel::local: return !joining;
        case channel::peer:
            return joining || command == "cluster settings" || command == "cluster show";
        case channel::client:
            // The bearer of a join token may join and do nothing else.
            if (origin.psk_identity.rfind("join:", 0) == 0) return joining;
            return joining || command == "cluster show" || command == "cluster event" ||
                   command == "daemon status";
    }
    return false;
}

}  // namespace

int exit_code_of(errc code) {
    switch (code) {
        case errc::usage:
        case errc::configuration: return 1;
        case errc::refused: return 2;
        case errc::unreachable: return 3;
        case errc::timed_out: return 4;
        case errc::failed_undone: return 5;
        case errc::needs_person:
        case errc::corrupt:
        case errc::io:
        case errc::protocol:
        case errc::postgres:
        case errc::internal: return 6;
    }
    return 6;
}

json answer(json result, int exit_code) {
    return {{"exit_code", exit_code}, {"result", std::move(result)}, {"notices", json::array()}};
}

json refuse(const error& e) {
    return {{"exit_code", exit_code_of(e.code)},
            {"notices", json::array()},
            {"error",
             {{"code", to_string(e.code)},
              {"message", e.message},
              {"detail", e.detail},
              {"hint", e.hint}}}};
}

task<json> node_daemon::handle(json request, net::request_origin origin,
                               net::progress_sink progress) {
    const std::string command = request.is_object() ? request.value("command", std::string()) : "";
    json args = request.is_object() && request.contains("args") ? request["args"] : json::object();
    if (!may(origin, command))
        co_return refuse({errc::refused, "unknown or forbidden request \"" + command + "\""});
    std::string wrong;
    try {
        co_return co_await dispatch(command, std::move(args), std::move(origin),
                                    std::move(progress));
    } catch (const json::exception& e) {
        wrong = e.what();  // an argument of the wrong kind
    }
    co_return refuse({errc::usage, "invalid arguments of \"" + command + "\"", wrong});
}

task<json> node_daemon::dispatch(std::string command, json args, net::request_origin origin,
                                 net::progress_sink progress) {
    if (command == "cluster show") co_return show_response();
    if (command == "daemon status") co_return answer(daemon_status());
    if (command == "cluster event") co_return co_await api_events(std::move(args));
    if (command == "cluster create") co_return co_await api_create(std::move(args));
    if (command == "cluster token") co_return co_await api_token(std::move(args));
    if (command == "node join")
        co_return co_await api_join(std::move(args), node_role::data, std::move(progress));
    if (command == "witness join")
        co_return co_await api_join(std::move(args), node_role::witness, std::move(progress));
    if (state() == nullptr) co_return refuse(not_in_a_cluster());
    // Reading is answered from here; changes are the leader's.
    if (command == "cluster settings" && args.value("value", json()).is_null())
        co_return co_await api_settings(std::move(args));
    const bool joins = command == "join.begin" || command == "join.finish";
    if (joins && origin.psk_identity.rfind("join:", 0) == 0 && !args.value("dry_run", false)) {
        // Here, where the token was made; the leader may be another node.
        const auto asking = protocol::decode_member(args.at("member"));
        if (!asking) co_return refuse(asking.error());
        if (!tokens_.use(origin.psk_identity, asking->identity))
            co_return refuse({errc::refused, "this join token was used by another host", "",
                              "Make one for each host."});
    }
    if (!leads()) co_return co_await on_leader(std::move(command), std::move(args));
    if (command == "cluster settings") co_return co_await api_settings(std::move(args));
    if (command == "join.begin") co_return co_await join_begin(std::move(args));
    if (command == "join.finish") co_return co_await join_finish(std::move(args));
    co_return refuse({errc::usage, "unknown request \"" + command + "\""});
}

// The leader decides; the answer comes back as it is.
task<json> node_daemon::on_leader(std::string command, json args) {
    const node_id to = leader();
    if (to == 0 || to == config_.node.id)
        co_return refuse({errc::unreachable, "no node holds the lease at present",
                          core_.core().view().state, "See \"replctl cluster show\"."});
    if (args.value("forwarded", false))
        co_return refuse({errc::unreachable, "the leader changed while the request was on its way",
                          "", "Try again."});
    args["forwarded"] = true;
    json request = {{"command", std::move(command)}, {"args", std::move(args)}};
    auto reply = co_await mesh_.call(to, std::move(request), forward_limit, {});
    if (!reply) co_return refuse(reply.error());
    co_return std::move(*reply);
}

task<json> node_daemon::api_settings(json args) {
    const auto key = args.value("key", std::string());
    const json value = args.value("value", json());
    if (value.is_null()) {
        json rows = json::array();
        for (const setting_row& row : list_settings(state()->settings))
            if (key.empty() || key == row.key)
                rows.push_back({{"key", row.key},
                                {"value", row.value},
                                {"default", row.default_value},
                                {"meaning", row.meaning}});
        if (rows.empty()) {
            const auto unknown = with_setting(state()->settings, key, "");
            co_return refuse(unknown ? error{errc::usage, "unknown setting"} : unknown.error());
        }
        co_return answer({{"settings", std::move(rows)}});
    }
    const cluster_settings before = state()->settings;
    const auto changed = with_setting(before, key, value.get<std::string>());
    if (!changed) co_return refuse(changed.error());
    if (auto relations = check_relations(*changed); !relations) co_return refuse(relations.error());
    std::string old_text;
    std::string new_text;
    for (const setting_row& row : list_settings(before))
        if (row.key == key) old_text = row.value;
    for (const setting_row& row : list_settings(*changed))
        if (row.key == key) new_text = row.value;
    const bool dry_run = args.value("dry_run", false);
    if (!dry_run) {
        change_settings change;
        change.changes = {{key, value.get<std::string>()}};
        const auto done = co_await core_.request(std::move(change), commit_limit);
        if (!done) co_return refuse(done.error());
    }
    co_return answer({{"key", key},
                      {"old", old_text},
                      {"new", new_text},
                      {"dry_run", dry_run},
                      {"settings", json::array({json{{"key", key}, {"value", new_text}}})}});
}

error node_daemon::not_in_a_cluster() const {
    return {errc::refused, "this node is not in a cluster yet", "",
            server_ ? "Run \"replctl cluster create\" or \"replctl node join\" first."
                    : "Run \"replctl witness join\" first."};
}

task<json> node_daemon::api_token(json args) {
    if (!core_.core().durable().in_cluster() || !secrets_.key())
        co_return refuse(not_in_a_cluster());
    const auto lifetime = args.value("expires_seconds", token_seconds_default);
    if (lifetime < 1 || lifetime > token_seconds_max)
        co_return refuse({errc::usage, "a join token may live between 1s and 7d"});
    auto token = tokens_.make(std::chrono::seconds(lifetime), platform::boot_now());
    if (!token) co_return refuse(token.error());
    log_.info("made a join token that expires in " + std::to_string(lifetime) + " s");
    co_return answer({{"token", *token},
                      {"address", config::to_string(config_.peer.advertise)},
                      {"expires_seconds", lifetime}});
}

task<json> node_daemon::api_events(json args) {
    if (!core_.core().durable().in_cluster()) co_return refuse(not_in_a_cluster());
    if (!server_) {
        // A witness has no database: any data node has the table.
        for (const auto& link : mesh_.links()) {
            const member* m = state() ? state()->find(link.peer) : nullptr;
            if (!link.up || m == nullptr || m->role != node_role::data) continue;
            error why{errc::refused, "a witness has no metadata schema",
                      "Ask on \"" + m->name + "\" (" + m->address + ")."};
            co_return refuse(why);
        }
        co_return refuse({errc::unreachable, "no data node can be reached"});
    }
    schema::event_filter filter;
    filter.limit = args.value("limit", 20);
    filter.all = args.value("all", false);
    if (args.contains("node_id") && !args["node_id"].is_null())
        filter.node = args["node_id"].get<node_id>();
    if (args.contains("node_name") && !args["node_name"].is_null())
        filter.node_name = args["node_name"].get<std::string>();
    if (args.contains("event") && !args["event"].is_null())
        filter.event = args["event"].get<std::string>();
    auto opened = co_await postgres::connection::open(metadata_conninfo(), std::chrono::seconds(2));
    if (!opened) co_return refuse(opened.error());
    const auto rows =
        co_await schema::read_events(**opened, std::move(filter), std::chrono::seconds(5));
    if (!rows) co_return refuse(rows.error());
    json events = json::array();
    for (const schema::event_row& e : *rows) {
        const json evidence = json::parse(e.evidence, nullptr, false);
        events.push_back({{"id", e.id},
                          {"time", e.time},
                          {"node_id", e.node},
                          {"node_name", e.node_name},
                          {"event", e.event},
                          {"successful", e.successful},
                          {"details", e.details},
                          {"evidence", evidence.is_discarded() ? json(nullptr) : evidence}});
    }
    co_return answer({{"events", std::move(events)}});
}

}  // namespace repld
