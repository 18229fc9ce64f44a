#include "world.hpp"

#include <algorithm>
#include <sstream>

namespace repld::test {

namespace {

constexpr duration pulse_interval = 5ms;
constexpr std::uint64_t system_identifier = 4711;

std::string seconds(duration d) {
    std::ostringstream text;
    text << std::fixed;
    text.precision(3);
    text << std::chrono::duration<double>(d).count() << "s";
    return text.str();
}

}  // namespace

bool holds_and_is_needed(rule r, const std::function<bool()>& violated) {
    if (violated()) return false;
    const rule_off off(r);
    return violated();
}

world::world(world_options options) : options_(std::move(options)) {
    for (node_id id = 1; id <= options_.data + options_.witnesses; ++id) {
        host& h = hosts_[id];
        h.config.id = id;
        h.config.role = id <= options_.data ? node_role::data : node_role::witness;
        h.config.machine_id = "machine-" + std::to_string(id);
        h.disk.id = id;
        h.disk.identity = 1000 + id;
        h.disk.machine_id = h.config.machine_id;
        // Clocks of different hosts have nothing in common.
        h.boot_base = boot_time{std::chrono::seconds(5000 * id)};
        h.wall_offset = std::chrono::hours(24 * 365 * id);
    }
    at(1).server.history = {{1, lsn{0}}};
    at(1).server.end = lsn{0x3000000};
    at(1).server.is = modelled_server::condition::primary;
    writers_[1] = 1;
    for (auto& [id, h] : hosts_) start_daemon(id);
    pulse();
}

// --- time -------------------------------------------------------------------------------------

void world::schedule(duration at_time, std::function<void()> what) {
    agenda_.emplace(std::max(at_time, now_), std::move(what));
}

void world::run_for(duration d) {
    const duration end = now_ + d;
    while (!agenda_.empty() && agenda_.begin()->first <= end) {
        auto next = agenda_.extract(agenda_.begin());
        now_ = next.key();
        next.mapped()();
        check();
    }
    now_ = end;
}

bool world::run_until(const std::function<bool()>& done, duration limit) {
    const duration end = now_ + limit;
    while (!done()) {
        if (now_ >= end) return false;
        run_for(std::min<duration>(1ms, end - now_));
    }
    return true;
}

boot_time world::clock(node_id id) const {
    const host& h = at(id);
    if (h.suspended) return h.boot_base;
    const auto passed = static_cast<double>((now_ - h.base_at).count()) * h.rate;
    return h.boot_base + duration(static_cast<std::int64_t>(passed));
}

void world::set_rate(node_id id, double rate) {
    host& h = at(id);
    h.boot_base = clock(id);
    h.base_at = now_;
    h.rate = rate;
    tick_later(h);
}

void world::tick_later(host& h) {
    if (!h.daemon || h.suspended) return;
    const node_id id = h.config.id;
    const duration wait = std::max<duration>(h.daemon->next_deadline() - clock(id), 0s);
    const auto true_wait =
        duration(static_cast<std::int64_t>(static_cast<double>(wait.count()) / h.rate));
    // One microsecond more, so that rounding never wakes a node before its deadline.
    schedule(now_ + true_wait + 1us, [this, id, number = ++h.tick_number] {
        if (at(id).tick_number == number)
            feed(id, tick{at(id).wall_offset + clock(id).time_since_epoch()});
    });
}

// --- daemons ----------------------------------------------------------------------------------

void world::start_daemon(node_id id) {
    host& h = at(id);
    ++h.instance;
    // Another seed at each start: a daemon that came back knows nothing of its former random
    // numbers.
    h.config.seed = options_.seed * 1000003 + id * 101 + h.restarts++;
    h.daemon = std::make_unique<node>(h.config, h.disk, clock(id));
    perform(h, h.daemon->start(clock(id)));
    tick_later(h);
    if (h.config.role == node_role::data) observe_regularly(id, h.instance);
}

void world::stop_daemon(node_id id) {
    host& h = at(id);
    ++h.instance;
    ++h.server_instance;  // its child processes end with it
    ++h.tick_number;
    h.daemon.reset();
    h.backlog.clear();
    if (h.server.is == modelled_server::condition::starting)
        h.server.is = modelled_server::condition::stopped;
    if (h.server.is == modelled_server::condition::promoting)
        h.server.is = modelled_server::condition::standby;
}

void world::restart_daemon(node_id id) {
    stop_daemon(id);
    start_daemon(id);
}

void world::power_off(node_id id) {
    stop_daemon(id);
    at(id).server.is = modelled_server::condition::stopped;
    at(id).server.streaming = false;
}

void world::power_on(node_id id) {
    start_daemon(id);
}

void world::suspend(node_id id) {
    host& h = at(id);
    h.boot_base = clock(id);
    h.base_at = now_;
    h.suspended = true;
    ++h.tick_number;
}

void world::resume(node_id id) {
    host& h = at(id);
    h.suspended = false;
    h.wall_offset += now_ - h.base_at;
    h.base_at = now_;
    feed(id, tick{h.wall_offset + clock(id).time_since_epoch()});
    std::vector<event> late = std::move(h.backlog);
    h.backlog.clear();
    for (const event& e : late) feed(id, e);
}

void world::feed(node_id id, const event& e) {
    host& h = at(id);
    if (!h.daemon) return;
    if (h.suspended) {
        h.backlog.push_back(e);
        return;
    }
    perform(h, h.daemon->step(clock(id), e));
    tick_later(h);
}

void world::perform(host& h, std::vector<action> actions) {
    const node_id id = h.config.id;
    for (action& a : actions) {
        if (const auto* p = std::get_if<persist>(&a))
            write(h, *p);
        else if (const auto* s = std::get_if<send>(&a))
            deliver(id, *s);
        else if (const auto* t = std::get_if<run_server_task>(&a))
            carry_out(h, *t);
        else if (std::holds_alternative<observe_now>(a))
            observe(h, 2ms);
        else if (const auto* n = std::get_if<note>(&a))
            story.push_back({now_, id, *n});
        else if (const auto* r = std::get_if<reply>(&a))
            answers_.insert_or_assign(r->request, r->outcome);
    }
}

void world::write(host& h, const persist& p) {
    const node_id id = h.config.id;
    schedule(now_ + h.disk_delay, [this, id, p, instance = h.instance] {
        host& writer = at(id);
        if (writer.instance != instance) return;  // the crash came first
        if (writer.disk_broken)
            return feed(id, disk_done{p.sequence, false, "no space left on device"});
        writer.disk = p.state;
        check_committed(p.state);
        feed(id, disk_done{p.sequence, true, {}});
    });
}

bool world::linked(node_id from, node_id to) const {
    return !cuts_.contains({from, to});
}

void world::deliver(node_id from, const send& s) {
    if (!hosts_.contains(s.to) || !linked(from, s.to)) return;
    const std::optional<duration> takes =
        route ? route(from, s.to, s.body) : std::optional<duration>(1ms);
    if (!takes) return;
    schedule(now_ + *takes, [this, from, s] {
        if (linked(from, s.to)) feed(s.to, message_received{s.from, s.body});
    });
}

// --- faults -----------------------------------------------------------------------------------

void world::cut_one_way(node_id from, node_id to) {
    cuts_.insert({from, to});
}

void world::cut(node_id a, node_id b) {
    cut_one_way(a, b);
    cut_one_way(b, a);
}

void world::cut(node_id a) {
    for (const node_id id : ids())
        if (id != a) cut(a, id);
}

void world::heal() {
    cuts_.clear();
}

// --- the cluster ------------------------------------------------------------------------------

std::uint64_t world::ask(node_id id, decltype(operator_request::what) what) {
    const std::uint64_t request = ++requests_;
    feed(id, operator_request{request, std::move(what)});
    check();
    return request;
}

const result<void>* world::answer(std::uint64_t request) const {
    const auto it = answers_.find(request);
    return it == answers_.end() ? nullptr : &it->second;
}

member world::member_of(node_id id) const {
    member m;
    m.id = id;
    m.identity = 1000 + id;
    m.machine_id = at(id).config.machine_id;
    m.name = "n" + std::to_string(id);
    m.role = at(id).config.role;
    m.address = "10.0.0." + std::to_string(id) + ":7432";
    return m;
}

void world::create(node_id id) {
    run_for(20ms);  // the server has been looked at
    const auto request = ask(id, create_cluster{"main", system_identifier, member_of(id),
                                                options_.settings, at(id).server.position()});
    run_until([&] { return answer(request) != nullptr; });
}

void world::join(node_id id) {
    host& h = at(id);
    if (h.config.role == node_role::data) {
        h.server = at(leader()).server;
        h.server.is = modelled_server::condition::standby;
        observe(h, 0ms);
        run_for(1ms);
    }
    ask(id, enter_cluster{"main", system_identifier});
    const auto request = ask(leader(), add_member{member_of(id)});
    run_until([&] { return answer(request) != nullptr; });
}

void world::create_and_join_all() {
    create(1);
    for (const node_id id : ids())
        if (id != 1) join(id);
    const std::size_t votes = (hosts_.size() - 1) / 2 * 2 + 1;
    run_until(
        [&] { return voters().size() == votes && !value(leader()).next_voters && all_stream(); });
    run_for(3s);
}

bool world::set(const std::string& key, const std::string& text) {
    const auto request = ask(leader(), change_settings{{{key, text}}});
    return run_until([&] { return answer(request) != nullptr; }) && answer(request)->has_value();
}

// --- what to expect ---------------------------------------------------------------------------

std::vector<node_id> world::ids() const {
    std::vector<node_id> all;
    for (const auto& [id, h] : hosts_) all.push_back(id);
    return all;
}

std::vector<node_id> world::writable() const {
    std::vector<node_id> those;
    for (const auto& [id, h] : hosts_)
        if (h.server.is == modelled_server::condition::primary) those.push_back(id);
    return those;
}

node_id world::leader() const {
    for (const auto& [id, h] : hosts_)
        if (h.daemon && h.daemon->view().role == "leader" && h.daemon->view().writable &&
            h.server.is == modelled_server::condition::primary)
            return id;
    return 0;
}

bool world::streams_from(node_id id, node_id upstream) const {
    const modelled_server& s = at(id).server;
    return s.is == modelled_server::condition::standby && s.streaming && s.upstream == upstream;
}

bool world::all_stream() const {
    const node_id lead = leader();
    if (lead == 0) return false;
    return std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
        const auto& [id, h] = entry;
        return id == lead || h.config.role == node_role::witness || streams_from(id, lead);
    });
}

voter_set world::voters() const {
    return leader() == 0 ? voter_set{} : value(leader()).voters;
}

unsigned world::count_said(const std::string& name, node_id by) const {
    return static_cast<unsigned>(std::count_if(story.begin(), story.end(), [&](const told& t) {
        return t.what.name == name && (by == 0 || t.by == by);
    }));
}

std::string world::tell() const {
    std::ostringstream text;
    for (const told& t : story)
        text << seconds(t.at) << " n" << t.by << " " << t.what.name << ": " << t.what.text << "\n";
    for (const std::string& v : violations) text << "VIOLATION " << v << "\n";
    for (const auto& [id, h] : hosts_)
        if (h.daemon)
            text << "n" << id << ": " << h.daemon->view().role << ", " << h.daemon->view().state
                 << "\n";
    return text.str();
}

// --- checks -----------------------------------------------------------------------------------

void world::check() {
    const auto violated = [this](const std::string& what) {
        if (violations.size() < 10) violations.push_back(seconds(now_) + " " + what);
    };
    if (writable().size() > 1) violated("two servers are writable");
    unsigned leases = 0;
    for (const auto& [id, h] : hosts_) {
        if (!h.daemon) continue;
        const auto end = h.daemon->lease_end();
        if (end && *end > clock(id)) ++leases;
    }
    if (leases > 1) violated("two nodes hold a valid lease");
}

// A value is committed when its voters' majority has it on disk; from then on its version is taken.
void world::check_committed(const durable_state& written) {
    if (!written.accepted) return;
    const accepted_value& candidate = *written.accepted;
    const auto has = [&](node_id id) {
        const auto it = hosts_.find(id);
        return it != hosts_.end() && it->second.disk.accepted == candidate ? ballot_answer::yes
                                                                           : ballot_answer::none;
    };
    if (count_votes(candidate.value, has) != tally::won) return;
    const auto [it, added] = committed_.emplace(candidate.value.version, candidate.value);
    if (!added && it->second != candidate.value && it->second.leader != candidate.value.leader)
        violations.push_back(seconds(now_) + " version " + std::to_string(candidate.value.version) +
                             " was committed twice");
}

}  // namespace repld::test
