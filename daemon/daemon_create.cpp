// `replctl cluster create`: adopts the PostgreSQL that runs here as the primary of a new cluster,
// without a restart. Everything before the register's first write can be done again.
#include "config/endpoint.hpp"
#include "daemon.hpp"
#include "platform/boottime.hpp"
#include "postgres/conninfo.hpp"
#include "schema/cluster_objects.hpp"
#include "schema/password.hpp"

namespace repld {

member node_daemon::own_member() const {
    member m;
    m.id = config_.node.id;
    m.identity = core_.core().durable().identity;
    m.machine_id = machine_id_;
    m.name = config_.node.name;
    m.role = server_ ? node_role::data : node_role::witness;
    m.address = config::to_string(config_.peer.advertise);
    if (config_.postgres) {
        // Known to every member: a password in it would be, too.
        if (const auto parsed = postgres::conninfo::parse(config_.postgres->conninfo))
            m.conninfo = parsed->without("password").to_string();
    }
    m.location = config_.node.location;
    m.priority = config_.node.priority;
    return m;
}

task<json> node_daemon::api_create(json args) {
    const bool dry_run = args.value("dry_run", false);
    if (core_.core().durable().in_cluster())
        co_return refuse({errc::refused, "this node is in cluster \"" +
                                             core_.core().durable().cluster + "\" already"});
    if (!server_)
        co_return refuse({errc::refused, "a witness cannot create a cluster", "",
                          "Run \"replctl cluster create\" on the host of the PostgreSQL primary."});
    if (joining_)
        co_return refuse({errc::refused, "this node is joining a cluster at this moment"});
    cluster_settings settings;
    if (const auto it = args.find("settings"); it != args.end() && it->is_object())
        for (const auto& [key, value] : it->items()) {
            auto changed = with_setting(settings, key, value.get<std::string>());
            if (!changed) co_return refuse(changed.error());
            settings = *changed;
        }
    if (auto relations = check_relations(settings); !relations) co_return refuse(relations.error());
    const std::string name =
        args.value("name", json()).is_string() ? args["name"].get<std::string>() : "main";
    if (name.empty() || name.size() > 63)
        co_return refuse({errc::usage, "a cluster name has 1 to 63 characters"});

    const auto seen = co_await server_->look();
    if (seen.core.state != server_state::primary || !seen.core.position) {
        const bool standby = seen.core.state == server_state::standby;
        co_return refuse({errc::refused,
                          standby ? "the PostgreSQL of this host is a standby"
                                  : "the PostgreSQL of this host does not run as a primary",
                          seen.core.reason.empty() ? seen.core.position_unknown : seen.core.reason,
                          standby ? "Create the cluster on the primary's host."
                                  : "Start it, then try again; its data directory is " +
                                        config_.postgres->data_directory.string() + "."});
    }
    if (seen.wal_level == "minimal" || seen.max_wal_senders < 2)
        co_return refuse(
            {errc::refused, "this PostgreSQL cannot have standbys",
             "wal_level is \"" + seen.wal_level + "\" and max_wal_senders is " +
                 std::to_string(seen.max_wal_senders) + ".",
             "Set wal_level = replica and max_wal_senders = 10, restart PostgreSQL, try again."});
    const auto own = postgres::conninfo::parse(config_.postgres->conninfo);
    if (!own) co_return refuse(own.error());
    schema::cluster_objects objects;
    objects.local_conninfo = local_conninfo();
    objects.role = own->get("user").value_or("repld");
    objects.database = own->get("dbname").value_or("repld");
    auto plan = co_await schema::plan_cluster_objects(objects, std::chrono::seconds(10));
    if (!plan) co_return refuse(plan.error());
    // The hosts that will join are not known yet; samenet stands for the networks of this server.
    json hba =
        json::array({"host " + objects.database + " " + objects.role + " samenet scram-sha-256",
                     "host replication " + objects.role + " samenet scram-sha-256"});
    if (dry_run)
        co_return answer({{"cluster", name},
                          {"dry_run", true},
                          {"system_identifier", std::to_string(seen.system_identifier)},
                          {"steps", plan->statements},
                          {"pg_hba", std::move(hba)}});

    if (auto key = secrets_.ensure_key(); !key) co_return refuse(key.error());
    // A password that somebody has set is theirs, and reaches the hosts by their own passfiles.
    if (!plan->role_has_password && !own->has("password") && !own->has("passfile")) {
        const auto password = schema::random_password();
        if (!password) co_return refuse(password.error());
        objects.password = *password;
        if (auto kept = secrets_.take_password(objects.role, *password); !kept)
            co_return refuse(kept.error());
    }
    auto made = co_await schema::create_cluster_objects(objects, std::chrono::seconds(60));
    if (!made) co_return refuse(made.error());
    create_cluster create;
    create.cluster = name;
    create.system_identifier = seen.system_identifier;
    create.self = own_member();
    create.settings = settings;
    create.position = *seen.core.position;
    const auto created = co_await core_.request(std::move(create), std::chrono::seconds(10));
    if (!created) co_return refuse(created.error());
    json steps = made->statements;
    json result = {{"cluster", name},
                   {"system_identifier", std::to_string(seen.system_identifier)},
                   {"steps", std::move(steps)},
                   {"pg_hba", std::move(hba)}};
    json response = answer(std::move(result));
    if (!secrets_.password() && !own->has("passfile") && plan->role_has_password)
        response["notices"].push_back(
            "role \"" + objects.role +
            "\" has a password that repld does not know: put it into the passfile (~/.pgpass) of "
            "the "
            "operating system user of repld on every data host, or drop the role before");
    for (std::string& notice : co_await check_own_address(seen.system_identifier))
        response["notices"].push_back(std::move(notice));
    co_return response;
}

// The address that others will use is only worth something if it leads to this very server.
task<std::vector<std::string>> node_daemon::check_own_address(std::uint64_t system_identifier) {
    std::vector<std::string> notices;
    auto check = postgres::conninfo::parse(config_.postgres->conninfo);
    if (!check) co_return notices;
    if (const auto passfile = secrets_.passfile(); !passfile.empty())
        check->set_default("passfile", passfile);
    auto opened = co_await postgres::connection::open(check->to_string(), std::chrono::seconds(2));
    if (!opened) {
        notices.push_back("could not connect to this server by postgres.conninfo (" +
                          opened.error().message + " " + opened.error().detail +
                          "); other hosts will need that: check listen_addresses and pg_hba.conf");
        co_return notices;
    }
    const auto id = co_await (*opened)->query(
        "SELECT system_identifier::text FROM pg_control_system()", {}, std::chrono::seconds(2));
    if (id && !id->empty() && id->text(0, "system_identifier") != std::to_string(system_identifier))
        notices.push_back("postgres.conninfo leads to another server than the one of this host");
    co_return notices;
}

}  // namespace repld
