// Joining: what the new host does (`node join`, `witness join`), and what the leader answers
// (`join.begin`, `join.finish`). A host that fails on the way is not a member and may try again.
#include <filesystem>

#include "config/endpoint.hpp"
#include "daemon.hpp"
#include "net/call_peer.hpp"
#include "platform/boottime.hpp"
#include "postgres/conninfo.hpp"
#include "postgres/controldata.hpp"
#include "protocol/state_codec.hpp"
#include "schema/hba_lines.hpp"

namespace repld {

namespace {

constexpr duration ask_limit = std::chrono::seconds(20);
constexpr duration stream_limit = std::chrono::seconds(60);
constexpr duration member_limit = std::chrono::seconds(10);
// A slot in use is never dropped; this covers the time between the clone and the first streaming.
constexpr duration joiner_patience = std::chrono::hours(24);

// Ends the "joining" state on every way out.
struct joining_mark {
    bool& flag;
    explicit joining_mark(bool& f) : flag(f) { flag = true; }
    ~joining_mark() { flag = false; }
    joining_mark(const joining_mark&) = delete;
    joining_mark& operator=(const joining_mark&) = delete;
};

bool empty_directory(const std::filesystem::path& path) {
    std::error_code ec;
    return !std::filesystem::exists(path, ec) || std::filesystem::is_empty(path, ec);
}

}  // namespace

void join_steps::operator()(std::string word, std::string text) {
    current = word;
    told.push_back(text);
    log.info("join: " + text);
    progress({{"step", std::move(word)}, {"text", std::move(text)}});
}

task<result<json>> node_daemon::ask_cluster(json request, const std::string& address,
                                            std::optional<std::string> token, duration limit) {
    const auto at = config::parse_endpoint(address);
    if (!at) co_return at.error();
    net::psk key;
    if (token) {
        auto opened = psk_of_token(*token);
        if (!opened) co_return opened.error();
        key = *opened;
    } else if (secrets_.key()) {
        key = net::make_psk(*secrets_.key());
    } else {
        co_return error{errc::usage, "joining needs a token or the cluster key",
                        "There is no key in \"" + config_.peer.key_file.string() + "\".",
                        "Run \"replctl cluster token\" on a member and pass it with --token."};
    }
    auto reply = co_await net::call_peer(loop_.get_executor(), at->host, at->port, std::move(key),
                                         own_hello(), std::move(request), limit, {});
    if (!reply && token && reply.error().code == errc::refused)
        co_return error{errc::refused, "the join token was not accepted by " + address,
                        "It is wrong, has expired, or was made by another member: " +
                            reply.error().message + ".",
                        "Run \"replctl cluster token\" on that very member and use its address."};
    if (!reply) co_return reply.error();
    if (const auto it = reply->find("error"); it != reply->end()) {
        error e{errc::refused, it->value("message", "refused"), it->value("detail", ""),
                it->value("hint", "")};
        if (it->value("code", "") == "unreachable") e.code = errc::unreachable;
        if (it->value("code", "") == "timed_out") e.code = errc::timed_out;
        co_return e;
    }
    co_return reply->value("result", json::object());
}

task<json> node_daemon::api_join(json args, node_role role, net::progress_sink progress) {
    const durable_state& d = core_.core().durable();
    const std::string address = args.value("address", std::string());
    const bool replace = args.value("replace", false);
    const bool dry_run = args.value("dry_run", false);
    std::optional<std::string> token;
    if (args.value("token", json()).is_string()) token = args["token"].get<std::string>();
    if ((role == node_role::data) != server_.has_value())
        co_return refuse(
            {errc::refused, server_ ? "this node has role data" : "this node has role witness", "",
             server_ ? "Use \"replctl node join\"." : "Use \"replctl witness join\"."});
    if (joining_) co_return refuse({errc::refused, "this node is joining already", join_step_});
    if (state() != nullptr && state()->find(d.id) != nullptr)
        co_return refuse(
            {errc::refused, "this node is a member of cluster \"" + d.cluster + "\" already"});
    joining_mark mark(joining_);
    join_steps step{join_step_, progress, log_};

    step("asking", "asks " + address + " for admission");
    json request = {{"command", "join.begin"},
                    {"args", {{"member", protocol::encode(own_member())}, {"dry_run", dry_run}}}};
    auto begun = co_await ask_cluster(std::move(request), address, token, ask_limit);
    if (!begun) co_return refuse(begun.error());
    const json begin = *begun;
    const std::string cluster = begin.at("cluster").get<std::string>();
    const std::string leader_address = begin.at("leader_address").get<std::string>();
    if (d.in_cluster() && d.cluster != cluster)
        co_return refuse({errc::refused, "this host belongs to cluster \"" + d.cluster + "\"",
                          "Its state directory is " + config_.paths.state.string() + "."});
    if (!dry_run) {
        if (auto kept = secrets_.take_key(begin.at("key").get<std::string>()); !kept)
            co_return refuse(kept.error());
        if (begin.contains("password"))
            if (auto kept = secrets_.take_password(begin.at("role").get<std::string>(),
                                                   begin.at("password").get<std::string>());
                !kept)
                co_return refuse(kept.error());
    }
    joined_from_ = {begin.at("leader_id").get<node_id>(), begin.at("conninfo").get<std::string>()};
    if (server_) {
        const auto ready = co_await prepare_server(begin, replace, dry_run, step);
        if (!ready) co_return refuse(ready.error());
    }
    if (dry_run)
        co_return answer({{"node", config_.node.name},
                          {"cluster", cluster},
                          {"dry_run", true},
                          {"steps", step.told}});

    step("registering", "registers with " + begin.at("leader").get<std::string>());
    enter_cluster enter;
    enter.cluster = cluster;
    enter.system_identifier = begin.at("system_identifier").get<std::uint64_t>();
    const auto entered = co_await core_.request(std::move(enter), member_limit);
    if (!entered) co_return refuse(entered.error());
    json finish = {{"command", "join.finish"},
                   {"args", {{"member", protocol::encode(own_member())}}}};
    auto finished =
        co_await ask_cluster(std::move(finish), leader_address, std::nullopt, ask_limit);
    if (!finished) co_return refuse(finished.error());
    // The leader's value arrives over the mesh; its link is dialed from both sides.
    if (const auto at = config::parse_endpoint(leader_address); at && state() == nullptr)
        mesh_.set_peers({{begin.at("leader_id").get<node_id>(), at->host, at->port}});
    asio::steady_timer poll(loop_);
    for (const boot_time until = platform::boot_now() + member_limit;
         (state() == nullptr || state()->find(config_.node.id) == nullptr) &&
         platform::boot_now() < until;) {
        poll.expires_after(std::chrono::milliseconds(20));
        co_await poll.async_wait(as_result);
    }
    if (state() == nullptr || state()->find(config_.node.id) == nullptr)
        co_return refuse({errc::timed_out,
                          "the leader has admitted this node and has not reached it yet",
                          "Its address is " + config::to_string(config_.peer.advertise) + ".",
                          "Check that other hosts reach that address; it goes on by itself."});
    json result = {{"node", config_.node.name},
                   {"cluster", cluster},
                   {"upstream", server_ ? begin.at("leader") : json(nullptr)},
                   {"text", server_ ? "node \"" + config_.node.name + "\" streams from \"" +
                                          begin.at("leader").get<std::string>() + "\""
                                    : "witness \"" + config_.node.name + "\" has joined"}};
    co_return answer(std::move(result));
}

// From whatever lies in the data directory to a standby that streams from the leader.
task<result<void>> node_daemon::prepare_server(const json& begin, bool replace, bool dry_run,
                                               join_steps& step) {
    const auto system_identifier = begin.at("system_identifier").get<std::uint64_t>();
    const std::string leader = begin.at("leader").get<std::string>();
    const std::string source_text = streaming_conninfo(begin.at("conninfo").get<std::string>());
    if (source_text.empty())
        co_return error{errc::protocol, "the primary's conninfo cannot be read"};
    const auto& directory = config_.postgres->data_directory;
    auto& server = server_->server();
    bool clone = empty_directory(directory);
    if (!clone) {
        const auto control = co_await postgres::read_control_data(
            config_.postgres->bin_directory, directory, std::chrono::seconds(10));
        const bool same = control && control->system_identifier == system_identifier;
        if (!same && !replace)
            co_return error{
                errc::refused,
                control ? "the data directory holds another PostgreSQL cluster"
                        : "the data directory is not empty and holds no PostgreSQL cluster that "
                          "can be read",
                "\"" + directory.string() + "\"" +
                    (control
                         ? " has system identifier " + std::to_string(control->system_identifier) +
                               ", the cluster has " + std::to_string(system_identifier) + "."
                         : ": " + control.error().message),
                "Use --replace to set it aside and clone; nothing in it is deleted."};
        clone = !same || replace;
    }
    if (dry_run) {
        step.told.push_back(clone ? "would clone from " + leader
                                  : "would follow " + leader + " with the data that is here");
        co_return result<void>{};
    }
    // The source must let us in before anything here is touched.
    auto reached = co_await postgres::connection::open(source_text, std::chrono::seconds(5));
    if (!reached) {
        std::string lines;
        if (const auto theirs = postgres::conninfo::parse(source_text))
            for (const auto& line : schema::hba_lines(theirs->get("user").value_or("repld"),
                                                      theirs->get("dbname").value_or("repld"),
                                                      {config_.peer.advertise.host}))
                lines += "\n  " + line;
        co_return error{errc::refused, "could not connect to the primary \"" + leader + "\"",
                        reached.error().message + " " + reached.error().detail,
                        "Its listen_addresses must include the address of its conninfo, and its "
                        "pg_hba.conf needs:" +
                            lines};
    }
    reached->reset();
    if (clone) {
        const auto before = co_await server_->look();
        const auto cloned = co_await clone_from(source_text, leader, before.postmaster != 0, step);
        if (!cloned) co_return cloned.error();
    }
    auto seen = co_await server_->look();
    if (seen.core.state == server_state::primary)
        co_return error{errc::refused,
                        "the PostgreSQL of this host is a primary of the same cluster",
                        "It may hold data that the cluster does not have.",
                        "Use --replace to set its data directory aside and clone."};
    if (seen.core.state == server_state::stopped) {
        step("starting", "starts PostgreSQL as a standby");
        const auto started = co_await server.start_as_standby(std::chrono::seconds(120));
        if (!started) co_return started.error();
    }
    step("following", "follows " + leader);
    const auto followed = co_await server.follow(source_text, postgres::slot_name(config_.node.id));
    if (!followed) co_return followed.error();
    asio::steady_timer poll(loop_);
    const boot_time until = platform::boot_now() + stream_limit;
    while (platform::boot_now() < until) {
        seen = co_await server_->look();
        if (seen.core.streaming) co_return result<void>{};
        poll.expires_after(std::chrono::milliseconds(50));
        co_await poll.async_wait(as_result);
    }
    co_return error{errc::failed_undone, "this node does not stream from \"" + leader + "\"",
                    seen.core.reason, "The log of its PostgreSQL tells why."};
}

task<result<void>> node_daemon::clone_from(std::string source, std::string leader, bool running,
                                           join_steps& step) {
    if (running) {
        step("stopping", "stops the PostgreSQL that runs here");
        const auto stopped =
            co_await server_->server().stop(postgres::stop_mode::fast, std::chrono::seconds(60));
        if (!stopped) co_return stopped.error();
    }
    step("cloning", "clones from " + leader);
    const auto& directory = config_.postgres->data_directory;
    postgres::clone_options options;
    options.bin_directory = config_.postgres->bin_directory;
    options.slot = postgres::slot_name(config_.node.id);
    if (!empty_directory(directory)) options.keep_config_from = directory;
    options.own_conninfo = config_.postgres->conninfo;
    options.local_conninfo = config_.postgres->local_conninfo;
    options.limit = std::chrono::hours(48);
    options.on_progress = [progress = step.progress](std::uint64_t done, std::uint64_t total,
                                                     const std::string& text) {
        json report = {
            {"step", "clone"}, {"text", text}, {"bytes_done", done}, {"bytes_total", total}};
        if (total > 0)
            report["percent"] = 100.0 * static_cast<double>(done) / static_cast<double>(total);
        progress(std::move(report));
    };
    co_return co_await postgres::clone(std::move(source), directory, std::move(options));
}

// --- the leader's half
// ------------------------------------------------------------------------------

task<json> node_daemon::join_begin(json args) {
    auto asking = protocol::decode_member(args.at("member"));
    if (!asking) co_return refuse(asking.error());
    if (const auto conflict = membership_conflict(*state(), *asking)) co_return refuse(*conflict);
    if (!core_.core().view().writable)
        co_return refuse({errc::unreachable, "the primary is not writable at present", "",
                          "Try again in a moment."});
    const bool dry_run = args.value("dry_run", false);
    if (asking->role == node_role::data && !dry_run) {
        // The slot keeps the WAL from now on, so that the clone can follow however long it takes.
        joiners_[asking->id] = platform::boot_now() + joiner_patience;
        const auto slots = co_await server_->server().ensure_slots(wanted_slots(), {});
        if (!slots) co_return refuse(slots.error());
    }
    const member self = own_member();
    json result = {{"cluster", state()->cluster},
                   {"system_identifier", state()->system_identifier},
                   {"leader", self.name},
                   {"leader_id", self.id},
                   {"leader_address", self.address},
                   {"conninfo", self.conninfo},
                   {"key", dry_run ? std::string() : secrets_.key_hex()}};
    if (const auto password = secrets_.password(); password && !dry_run) {
        const auto own = postgres::conninfo::parse(self.conninfo);
        result["password"] = *password;
        result["role"] = own ? own->get("user").value_or("repld") : "repld";
    }
    co_return answer(std::move(result));
}

task<json> node_daemon::join_finish(json args) {
    auto asking = protocol::decode_member(args.at("member"));
    if (!asking) co_return refuse(asking.error());
    add_member add;
    add.added = *asking;
    const auto added = co_await core_.request(std::move(add), member_limit);
    if (!added) co_return refuse(added.error());
    joiners_.erase(asking->id);
    co_return answer({{"version", state()->version}});
}

}  // namespace repld
