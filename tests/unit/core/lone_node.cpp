#include "lone_node.hpp"

namespace repld::test {

namespace {

node_config config_of(const durable_state& durable, std::uint64_t seed) {
    node_config config;
    config.id = durable.id;
    config.role = durable.id == 3 ? node_role::witness : node_role::data;
    config.machine_id = "machine-" + std::to_string(durable.id);
    config.seed = seed;
    return config;
}

}  // namespace

wal_position at_lsn(std::uint64_t end, timeline_id timeline) {
    return {timeline, lsn{end}};
}

cluster_state agreed(version_number version, node_id leader) {
    cluster_state value;
    value.cluster = "main";
    value.system_identifier = 4711;
    value.version = version;
    value.leader = leader;
    for (node_id id = 1; id <= 5; ++id) {
        member m;
        m.id = id;
        m.identity = 1000 + id;
        m.machine_id = "machine-" + std::to_string(id);
        m.name = "n" + std::to_string(id);
        m.role = id == 3 ? node_role::witness : node_role::data;
        m.address = "10.0.0." + std::to_string(id) + ":7432";
        value.members.push_back(std::move(m));
    }
    value.voters = {1, 2, 3};
    value.timelines = {{1, 0, lsn{}, {1, 1}}};
    return value;
}

durable_state stored(node_id id, cluster_state value) {
    durable_state d;
    d.id = id;
    d.identity = 1000 + id;
    d.machine_id = "machine-" + std::to_string(id);
    d.cluster = "main";
    d.system_identifier = 4711;
    d.promise = {{1, 1}, lone_node::attempt_of_1};
    d.accepted = accepted_value{{1, 1}, std::move(value)};
    return d;
}

lone_node::lone_node(durable_state durable, std::uint64_t seed)
    : id(durable.id), daemon(config_of(durable, seed), durable, now) {
    take(daemon.start(now));
    if (id != 3) see_standby(5000, 1);
}

void lone_node::take(std::vector<action> actions) {
    std::vector<std::uint64_t> written;
    for (action& a : actions) {
        if (const auto* p = std::get_if<persist>(&a))
            written.push_back(p->sequence);
        else if (auto* s = std::get_if<send>(&a))
            sent.push_back(std::move(*s));
        else if (auto* t = std::get_if<run_server_task>(&a))
            tasks.push_back(std::move(*t));
        else if (auto* n = std::get_if<note>(&a))
            notes.push_back(std::move(*n));
        else if (auto* r = std::get_if<reply>(&a))
            replies.push_back(std::move(*r));
    }
    for (const std::uint64_t sequence : written) {
        if (disk_held_)
            held_.push_back(sequence);
        else
            feed(disk_done{sequence, true, {}});
    }
}

void lone_node::feed(const event& e) {
    take(daemon.step(now, e));
}

void lone_node::receive(node_id sender, message body) {
    receive(from(sender), std::move(body));
}

void lone_node::release_disk(bool ok) {
    disk_held_ = false;
    const auto held = std::move(held_);
    held_.clear();
    for (const std::uint64_t sequence : held) feed(disk_done{sequence, ok, ok ? "" : "broken"});
}

void lone_node::pass(duration d) {
    while (d > duration::zero()) {
        const duration some = std::min<duration>(d, 10ms);
        d -= some;
        now += some;
        wall += some;
        feed(tick{wall});
    }
}

void lone_node::see_standby(std::uint64_t end, node_id upstream) {
    server_observation seen;
    seen.state = server_state::standby;
    seen.position = at_lsn(end);
    seen.upstream = upstream;
    seen.streaming = upstream != 0;
    see(seen);
}

void lone_node::see_primary(std::uint64_t end, timeline_id timeline) {
    server_observation seen;
    seen.state = server_state::primary;
    seen.position = at_lsn(end, timeline);
    see(seen);
}

void lone_node::task_done(bool ok, std::optional<wal_position> position) {
    feed(server_task_done{tasks.back().task, ok, ok ? "" : "failed", position});
}

void lone_node::campaign(const voter_set& voters, std::optional<accepted_value> promised) {
    const auto asked = [this](auto kind) -> const auto* {
        using kind_type = decltype(kind);
        for (const member& m : daemon.state()->members)
            if (const auto* found = last<kind_type>(m.id)) return found;
        return static_cast<const kind_type*>(nullptr);
    };
    forget();
    for (int i = 0; i < 1000 && asked(prevote_request{}) == nullptr; ++i) {
        pass(10ms);
        if (daemon.view().role == "candidate") see_standby(5000, daemon.server().upstream);
    }
    const nonce question = asked(prevote_request{})->attempt;
    for (const node_id voter : voters)
        if (voter != id) receive(voter, prevote_answer{question, true, "", {1, 1}, {}, false});
    pass(60ms);
    task_done(true, at_lsn(5000));
    const prepare request = *asked(prepare{});
    for (const node_id voter : voters) {
        if (voter == id) continue;
        promise_answer answer;
        answer.under = request.under;
        answer.attempt = request.attempt;
        answer.promised = true;
        answer.promised_to = request.under;
        answer.accepted = promised ? promised : accepted_value{{1, 1}, agreed()};
        receive(voter, answer);
    }
}

void lone_node::grant_as(node_id voter) {
    grant_answer answer;
    answer.granted = true;
    answer.figure = daemon.state()->settings.lease_duration;
    for (auto it = sent.rbegin(); it != sent.rend(); ++it) {
        if (it->to != voter) continue;
        if (const auto* a = std::get_if<accept>(&it->body)) {
            answer.under = a->under;
            answer.round = a->round;
            answer.version = a->value.version;
            break;
        }
        if (const auto* h = std::get_if<heartbeat>(&it->body)) {
            answer.under = h->under;
            answer.round = h->round;
            answer.version = std::max(h->version, daemon.state()->version);
            break;
        }
    }
    answer.promised_to = answer.under;
    answer.accepted_under = answer.under;
    answer.accepted_leader = id;
    receive(voter, answer);
}

void lone_node::lead(const voter_set& voters) {
    campaign(voters);
    for (const node_id voter : voters)
        if (voter != id) grant_as(voter);
    task_done(true, at_lsn(5000));
    see_primary(5000, daemon.state()->last_timeline());
}

envelope lone_node::from(node_id sender) {
    return {sender, "main", 4711, 1000 + sender, 1, 1, 0};
}

accept lone_node::accept_of(node_id leader, term_number term, round_number round,
                            cluster_state value) {
    value.leader = leader;
    return {{term, leader},
            leader == 1 && term == 1 ? attempt_of_1 : 77,
            round,
            100 + leader,
            std::move(value),
            {}};
}

heartbeat lone_node::heartbeat_of(node_id leader, term_number term, round_number round,
                                  bool writable) {
    return {{term, leader},
            leader == 1 && term == 1 ? attempt_of_1 : 77,
            round,
            100 + leader,
            5,
            {writable, at_lsn(5000)}};
}

}  // namespace repld::test
