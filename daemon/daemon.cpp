#include "daemon.hpp"

#include "config/endpoint.hpp"
#include "config/server_files.hpp"
#include "net/spawn.hpp"
#include "platform/boottime.hpp"
#include "platform/files.hpp"
#include "platform/host.hpp"
#include "postgres/conninfo.hpp"
#include "protocol/message_codec.hpp"
#include "protocol/state_codec.hpp"

namespace repld {

namespace {

constexpr std::size_t events_max = 200;
constexpr std::size_t decisions_max = 64;

logging::level level_of(net::log_level l) {
    switch (l) {
        case net::log_level::debug: return logging::level::debug;
        case net::log_level::info:
        case net::log_level::notice: return logging::level::info;
        case net::log_level::warning: return logging::level::warning;
        case net::log_level::error: return logging::level::error;
    }
    return logging::level::info;
}

logging::level level_of(postgres::note_level l) {
    switch (l) {
        case postgres::note_level::debug: return logging::level::debug;
        case postgres::note_level::info: return logging::level::info;
        case postgres::note_level::warning: return logging::level::warning;
        case postgres::note_level::error: return logging::level::error;
    }
    return logging::level::info;
}

logging::level level_of(severity s) {
    switch (s) {
        case severity::info:
        case severity::notice: return logging::level::info;
        case severity::warning: return logging::level::warning;
        case severity::error: return logging::level::error;
    }
    return logging::level::info;
}

postgres::server_settings server_settings_of(const config::host_config& c, logging::logger& log) {
    const config::postgres_section& p = *c.postgres;
    postgres::server_settings s;
    s.data_directory = p.data_directory;
    s.bin_directory = p.bin_directory;
    if (!p.local_conninfo.empty()) s.local_conninfo = p.local_conninfo;
    s.service.start = p.service.start;
    s.service.stop = p.service.stop;
    s.service.restart = p.service.restart;
    s.service.reload = p.service.reload;
    s.service.promote = p.service.promote;
    s.note = [&log](postgres::note_level l, const std::string& text) {
        log.log(level_of(l), text);
    };
    return s;
}

node_config core_config_of(const config::host_config& c, const std::string& machine_id) {
    node_config n;
    n.id = c.node.id;
    n.role = c.node.role == config::node_role::witness ? node_role::witness : node_role::data;
    n.machine_id = machine_id;
    n.seed = platform::random_nonce();
    return n;
}

}  // namespace

node_daemon::node_daemon(asio::io_context& loop, daemon_start start, logging::logger& log)
    : loop_(loop),
      config_(std::move(start.config)),
      log_(log),
      secrets_(std::move(start.secrets)),
      machine_id_(std::move(start.machine_id)),
      program_version_(std::move(start.program_version)),
      process_nonce_(platform::random_nonce()),
      started_(platform::boot_now()),
      core_(loop.get_executor(), core_config_of(config_, machine_id_), std::move(start.durable),
            std::move(start.store),
            {[this](const repld::send& m) { send_register(m); },
             [this](std::uint64_t id, const server_task& what) {
                 if (server_) server_->run(id, what);
             },
             [this] {
                 if (server_) server_->observe_soon();
             },
             [this](const note& n) { tell(n); }, [this] { core_changed(); }}),
      mesh_(loop.get_executor(), net::mesh_settings{},
            {[this] { return own_hello(); },
             [this]() -> std::optional<net::psk> {
                 if (!secrets_.key()) return std::nullopt;
                 return net::make_psk(*secrets_.key());
             },
             [this](std::string_view identity) -> std::optional<net::secret_bytes> {
                 if (auto secret = tokens_.find(identity, platform::boot_now())) return secret;
                 if (!secrets_.key()) return std::nullopt;
                 net::psk own = net::make_psk(*secrets_.key());
                 if (own.identity != identity) return std::nullopt;
                 return own.key;
             },
             [this](const net::hello& who, const net::link_origin& origin) {
                 return admit(who, origin);
             },
             [this](node_id from, const json& body) { on_peer_message(from, body); },
             [this](node_id, bool up, const net::hello&) {
                 if (up) publish_status();
             },
             [this](json request, net::request_origin origin, net::progress_sink progress) {
                 return handle(std::move(request), std::move(origin), std::move(progress));
             },
             [this](net::log_level l, const std::string& text) { log_.log(level_of(l), text); }}),
      control_(
          loop.get_executor(),
          [this](json request, net::request_origin origin, net::progress_sink progress) {
              return handle(std::move(request), std::move(origin), std::move(progress));
          },
          [this](net::log_level l, const std::string& text) { log_.log(level_of(l), text); }),
      status_timer_(loop),
      metadata_timer_(loop),
      slots_timer_(loop),
      upstream_timer_(loop) {
    if (!config_.postgres) return;
    server_host_context context;
    context.feed = [this](event e) { core_.feed(std::move(e)); };
    context.upstream_conninfo = [this](node_id id) { return upstream_conninfo(id); };
    context.whose_server = [this](const std::string& text) { return whose_server(text); };
    context.policy = [this] { return state() ? state()->settings.rejoin : rejoin_policy::follow; };
    context.leader = [this] { return leader(); };
    context.interval = [this] { return std::min<duration>(interval(), std::chrono::seconds(1)); };
    context.last_timeline = [this] { return state() ? state()->last_timeline() : timeline_id{0}; };
    context.state_directory = config_.paths.state;
    context.self = config_.node.id;
    context.log = &log_;
    server_.emplace(loop.get_executor(), server_settings_of(config_, log_),
                    config_.postgres->conninfo, std::move(context));
    make_metadata_writer();
}

result<void> node_daemon::start() {
    if (auto r = mesh_.listen(config_.peer.listen.host, config_.peer.listen.port); !r) return r;
    if (auto r = control_.listen((config_.paths.run / "repld.sock").string()); !r) return r;
    if (auto r = core_.start(); !r) return r;
    if (server_) server_->start();
    net::spawn(loop_.get_executor(), periodic());
    if (server_) {
        net::spawn(loop_.get_executor(), metadata_loop());
        net::spawn(loop_.get_executor(), slots_loop());
        net::spawn(loop_.get_executor(), upstream_loop());
    }
    return {};
}

task<void> node_daemon::leave(std::string why) {
    if (leaving_) co_return;
    leaving_ = true;
    // Nobody watches the lease once this process has ended, so nothing may stay writable under it.
    step_down order{std::move(why)};  // named: g++ 12 destroys an unnamed aggregate twice here
    const auto left = co_await core_.request(std::move(order), std::chrono::seconds(25));
    if (!left) log_.warning("ends before its PostgreSQL was up again: " + left.error().message);
    // The release has been handed to the links; give them one turn to leave.
    asio::steady_timer last(loop_, std::chrono::milliseconds(50));
    co_await last.async_wait(as_result);
    stop();
}

void node_daemon::stop() {
    if (stopped_) return;
    stopped_ = true;
    for (auto* timer : {&status_timer_, &metadata_timer_, &slots_timer_, &upstream_timer_})
        timer->cancel();
    control_.stop();
    mesh_.stop();
    if (server_) server_->stop();
    core_.stop();
    disk_.join();
    loop_.stop();
}

void node_daemon::reload(const result<config::host_config>& fresh) {
    if (!fresh) {
        log_.error("the configuration was not reloaded, the old one stays in force: " +
                   fresh.error().message + " " + fresh.error().detail);
        return;
    }
    log_.set_level(fresh->log.level);
    config::host_config comparable = *fresh;
    comparable.log = config_.log;
    const auto before = config::describe(config_);
    const auto after = config::describe(comparable);
    std::string later;
    for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i)
        if (before[i].value != after[i].value) later += (later.empty() ? "" : ", ") + after[i].key;
    log_.log(later.empty() ? logging::level::info : logging::level::warning,
             later.empty() ? "configuration reloaded"
                           : "configuration reloaded; takes effect at the next start: " + later);
}

// --- the core's effects -------------------------------------------------------------------------

void node_daemon::send_register(const repld::send& outgoing) {
    mesh_.send(outgoing.to, json{{"register", protocol::encode(outgoing.from, outgoing.body)}});
}

void node_daemon::on_peer_message(node_id from, const json& body) {
    board_.heard(from, platform::boot_now());
    if (!body.is_object()) return;
    if (const auto it = body.find("register"); it != body.end()) {
        auto received = protocol::decode_message(*it);
        if (!received) {
            log_.warning("refused a message of node " + std::to_string(from) + ": " +
                         received.error().detail);
            return;
        }
        if (received->from.from == from) core_.feed(std::move(*received));
    } else if (const auto status = body.find("status"); status != body.end()) {
        if (const auto s = decode_status(*status); s && s->id == from)
            board_.put(*s, platform::boot_now());
    } else if (const auto told = body.find("event"); told != body.end() && told->is_object()) {
        // Told by another node: any field may be of the wrong kind.
        const auto text = [&](const char* key) {
            const auto found = told->find(key);
            return found != told->end() && found->is_string() ? found->get<std::string>()
                                                              : std::string();
        };
        schema::event_row row;
        row.time = text("time");
        row.node = from;
        row.event = text("event");
        row.successful = !told->contains("successful") || (*told)["successful"] != false;
        row.details = text("details");
        row.evidence = text("evidence");
        if (metadata_ && leads()) metadata_->add_event(std::move(row));
    }
}

void node_daemon::tell(const note& n) {
    logging::fields fields;
    for (const auto& [key, value] : n.evidence) fields.push_back({key, value});
    log_.log(level_of(n.level), n.text, fields);
    decisions_.emplace_back(platform::boot_now(), n.text);
    if (decisions_.size() > decisions_max) decisions_.pop_front();
    if (n.name.empty()) return;
    schema::event_row row;
    row.time = schema::wall_clock_text(platform::realtime_since_epoch());
    row.node = config_.node.id;
    row.event = n.name;
    row.successful = n.level != severity::error;
    row.details = n.text;
    row.evidence = schema::evidence_json(n.evidence);
    queue_event(std::move(row));
}

void node_daemon::queue_event(schema::event_row row) {
    events_.push_back(std::move(row));
    if (events_.size() > events_max) events_.pop_front();
}

void node_daemon::core_changed() {
    if (const cluster_state* s = state()) {
        const accepted_value& accepted = *core_.core().durable().accepted;
        if (accepted.under != peers_under_ || s->version != peers_version_) {
            peers_under_ = accepted.under;
            peers_version_ = s->version;
            update_peers(*s);
            slots_timer_.cancel();
        }
    }
    // A change that people see is told at once, not at the next interval.
    const node_view v = core_.core().view();
    const std::string key =
        v.role + std::to_string(v.leader) + (v.writable ? "w" : "") +
        (server_ ? std::to_string(static_cast<int>(server_->last().core.state)) +
                       (server_->last().core.streaming ? "s" : "") +
                       std::to_string(server_->last().core.upstream) + "t" +
                       std::to_string(server_->last().timeline)
                 : "");
    if (key != last_published_) {
        last_published_ = key;
        publish_status();
        metadata_timer_.cancel();
        slots_timer_.cancel();
    }
}

void node_daemon::update_peers(const cluster_state& s) {
    std::vector<net::peer_endpoint> endpoints;
    json file = {{"cluster", s.cluster}, {"peers", json::array()}};
    for (const member& m : s.members) {
        if (m.id == config_.node.id) continue;
        const auto at = config::parse_endpoint(m.address);
        if (!at) continue;
        endpoints.push_back({m.id, at->host, at->port});
        file["peers"].push_back({{"id", m.id}, {"name", m.name}, {"address", m.address}});
    }
    mesh_.set_peers(endpoints);
    mesh_.set_idle_limit(
        std::max<duration>(3 * s.settings.heartbeat_interval, std::chrono::seconds(1)));
    if (const std::string text = file.dump(); text != peers_written_) {
        peers_written_ = text;
        // For replctl when this daemon is down; no decision waits for it.
        asio::post(disk_, [path = config_.paths.state / "peers.json", content = file.dump(2) + "\n",
                           &log = log_] {
            if (auto written = platform::write_file_durably(path, content, 0600); !written)
                log.warning(written.error().message);
        });
    }
}

// --- identity -----------------------------------------------------------------------------------

net::hello node_daemon::own_hello() const {
    const durable_state& d = core_.core().durable();
    net::hello h;
    h.cluster = d.cluster;
    h.system_identifier = d.in_cluster() ? std::to_string(d.system_identifier) : "";
    h.node = config_.node.id;
    h.node_name = config_.node.name;
    h.identity = d.identity;
    h.boot = process_nonce_;
    h.machine_id = machine_id_;
    h.advertise = config::to_string(config_.peer.advertise);
    h.program_version = program_version_;
    return h;
}

result<void> node_daemon::admit(const net::hello& who, const net::link_origin& origin) const {
    const durable_state& d = core_.core().durable();
    if (who.client) return {};  // may only ask; dispatch() decides what
    if (origin.psk_identity.rfind("join:", 0) == 0)
        return error{errc::refused, "a join token does not make a peer"};
    if (!d.in_cluster()) return error{errc::refused, "this node is not in a cluster yet"};
    if (who.cluster != d.cluster)
        return error{errc::refused, "another cluster",
                     "This is cluster \"" + d.cluster + "\", you are of \"" + who.cluster + "\"."};
    if (who.system_identifier != std::to_string(d.system_identifier))
        return error{errc::refused, "another system identifier",
                     "This cluster's is " + std::to_string(d.system_identifier) + ", yours is " +
                         who.system_identifier + "."};
    const cluster_state* s = state();
    if (s == nullptr) return {};  // about to be told who is a member
    const member* m = s->find(who.node);
    if (m != nullptr && m->identity != who.identity)
        return error{errc::refused,
                     "node id " + std::to_string(who.node) + " belongs to another installation",
                     "Node \"" + m->name + "\" at " + m->address + " has it."};
    // A stranger may come with news of a membership that this node has not heard of yet: its values
    // are judged by the register, so that it may connect harms nothing.
    return {};
}

duration node_daemon::interval() const {
    return state() ? state()->settings.heartbeat_interval : cluster_settings{}.heartbeat_interval;
}

bool node_daemon::leads() const {
    return core_.core().is_leader();
}

node_id node_daemon::leader() const {
    return core_.core().view().leader;
}

std::string node_daemon::upstream_conninfo(node_id id) const {
    const member* m = state() ? state()->find(id) : nullptr;
    return m == nullptr || m->conninfo.empty() ? std::string() : streaming_conninfo(m->conninfo);
}

std::string node_daemon::streaming_conninfo(const std::string& theirs) const {
    auto parsed = postgres::conninfo::parse(theirs);
    if (!parsed) return {};
    parsed->set("application_name", config_.node.name);
    parsed->remove("fallback_application_name");
    if (const std::string passfile = secrets_.passfile(); !passfile.empty())
        parsed->set_default("passfile", passfile);
    parsed->set_default("connect_timeout", "2");
    return parsed->to_string();
}

node_id node_daemon::whose_server(const std::string& primary_conninfo) const {
    if (primary_conninfo.empty()) return 0;
    const auto theirs = postgres::conninfo::parse(primary_conninfo);
    if (!theirs) return UINT32_MAX;
    const auto same = [&theirs](const std::string& of_member) {
        const auto own = postgres::conninfo::parse(of_member);
        return own && !of_member.empty() && own->get("host") == theirs->get("host") &&
               own->get("hostaddr") == theirs->get("hostaddr") &&
               own->get("port").value_or("5432") == theirs->get("port").value_or("5432");
    };
    if (state() == nullptr) return same(joined_from_.second) ? joined_from_.first : UINT32_MAX;
    for (const member& m : state()->members)
        if (same(m.conninfo)) return m.id;
    return UINT32_MAX;
}

std::string node_daemon::local_conninfo() const {
    if (!config_.postgres->local_conninfo.empty()) return config_.postgres->local_conninfo;
    // Asked anew each time: the server may have been cloned, or started elsewhere, since.
    const auto found = config::find_local_conninfo(config_.postgres->data_directory);
    return found ? *found : std::string();
}

std::string node_daemon::metadata_conninfo() const {
    // The local superuser's way in, but into the metadata database that the remote conninfo names.
    std::string database = "repld";
    if (const auto own = postgres::conninfo::parse(config_.postgres->conninfo))
        database = own->get("dbname").value_or(database);
    auto local = postgres::conninfo::parse(local_conninfo());
    if (!local) return "dbname=" + database;
    local->set("dbname", database);
    return local->to_string();
}

}  // namespace repld
