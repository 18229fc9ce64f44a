// The modelled PostgreSQL of a host: what the tasks of the core do to it, and what it shows.
#include <algorithm>

#include "world.hpp"

namespace repld::test {

namespace {

using condition = modelled_server::condition;

// Whether `own` holds nothing but a beginning of what `other` holds.
bool is_beginning_of(const modelled_server& own, const modelled_server& other) {
    const std::size_t shared = own.history.size();
    if (shared > other.history.size() ||
        !std::equal(own.history.begin(), own.history.end(), other.history.begin()))
        return false;
    return own.end <= (shared < other.history.size() ? other.history[shared].begin : other.end);
}

}  // namespace

void world::crash_postmaster(node_id id) {
    host& h = at(id);
    ++h.server_instance;
    h.server.is = condition::stopped;
    h.server.streaming = false;
    observe(h, 1ms);
}

void world::promote_by_hand(node_id id) {
    host& h = at(id);
    // PostgreSQL takes the next number by itself.
    h.server.history.push_back({h.server.history.back().timeline + 1, h.server.end});
    h.server.is = condition::primary;
    h.server.streaming = false;
}

void world::observe(host& h, duration after) {
    if (h.config.role == node_role::witness) return;
    schedule(now_ + after, [this, id = h.config.id, instance = h.instance] {
        if (at(id).instance == instance) feed(id, server_seen{look(at(id))});
    });
}

void world::observe_regularly(node_id id, std::uint64_t instance) {
    schedule(now_ + at(id).observe_interval, [this, id, instance] {
        if (at(id).instance != instance) return;
        feed(id, server_seen{look(at(id))});
        observe_regularly(id, instance);
    });
}

server_observation world::look(const host& h) const {
    server_observation seen;
    switch (h.server.is) {
        case condition::stopped: seen.state = server_state::stopped; return seen;
        case condition::starting: seen.state = server_state::starting; return seen;
        case condition::standby: seen.state = server_state::standby; break;
        case condition::promoting:
        case condition::primary: seen.state = server_state::primary; break;
    }
    seen.position = h.server.position();
    seen.streaming = h.server.streaming;
    seen.upstream = h.server.upstream;
    return seen;
}

bool world::can_stream(const host& h) const {
    if (h.server.is != condition::standby || h.server.upstream == 0) return false;
    const auto up = hosts_.find(h.server.upstream);
    return up != hosts_.end() && up->second.server.is == condition::primary &&
           linked(h.config.id, up->first) && linked(up->first, h.config.id) &&
           is_beginning_of(h.server, up->second.server);
}

void world::pulse() {
    for (auto& [id, h] : hosts_)
        if (h.server.is == condition::primary && !h.suspended) h.server.end.value += write_bytes;
    for (auto& [id, h] : hosts_) {
        if (h.config.role == node_role::witness || h.suspended) continue;
        h.server.streaming = can_stream(h);
        if (!h.server.streaming) continue;
        const modelled_server& up = at(h.server.upstream).server;
        h.server.history = up.history;
        h.server.end = up.end;
    }
    schedule(now_ + 5ms, [this] { pulse(); });
}

// --- tasks ------------------------------------------------------------------------------------

duration world::time_of(const host& h, const server_task& what) const {
    if (std::holds_alternative<freeze_server>(what)) return h.times.freeze;
    if (const auto* fence = std::get_if<fence_server>(&what)) {
        // The stop becomes an immediate one at the deadline; that still takes a moment.
        const duration left = std::max<duration>(fence->deadline - clock(h.config.id), 5ms);
        return std::min(h.times.fence, left);
    }
    if (std::holds_alternative<start_standby>(what)) return h.times.start;
    if (std::holds_alternative<restart_server>(what)) return h.times.restart;
    if (std::holds_alternative<promote_server>(what)) return h.times.promote;
    if (std::holds_alternative<follow_upstream>(what)) return h.times.follow;
    return h.times.rejoin;
}

void world::carry_out(host& h, const run_server_task& t) {
    const node_id id = h.config.id;
    tasks.emplace_back(id, t.what);
    h.task = t.task;  // ends the one before
    const bool starts = std::holds_alternative<start_standby>(t.what) ||
                        std::holds_alternative<restart_server>(t.what);
    if (starts && h.server.is == condition::stopped) h.server.is = condition::starting;
    if (std::holds_alternative<promote_server>(t.what) && h.server.is == condition::standby)
        h.server.is = condition::promoting;
    schedule(now_ + time_of(h, t.what), [this, id, t, instance = h.instance] {
        host& where = at(id);
        if (where.instance == instance && where.task == t.task) finish(where, t.task, t.what);
    });
}

void world::finish(host& h, std::uint64_t task, const server_task& what) {
    server_task_done done{task, true, {}, {}};
    modelled_server& s = h.server;
    const auto fail = [&](const char* why) {
        done.ok = false;
        done.text = why;
    };
    if (std::holds_alternative<freeze_server>(what)) {
        if (s.is == condition::standby) {
            s.upstream = 0;
            s.streaming = false;
            done.position = s.position();
        } else if (s.is == condition::stopped) {
            s.upstream = 0;  // in its configuration, for whoever starts it
        } else {
            fail("the server is not a running standby");
        }
    } else if (std::holds_alternative<fence_server>(what)) {
        s.is = condition::stopped;
        s.streaming = false;
    } else if (std::holds_alternative<start_standby>(what) ||
               std::holds_alternative<restart_server>(what)) {
        const bool standby = std::holds_alternative<start_standby>(what);
        if (s.fails_to_start) {
            s.is = condition::stopped;
            fail("the server did not start");
        } else if (s.is == condition::starting) {
            s.is = standby ? condition::standby : condition::primary;
            if (standby) s.upstream = 0;
        }
    } else if (const auto* promote = std::get_if<promote_server>(&what)) {
        end_promotion(h, promote->timeline, done);
    } else if (const auto* follow = std::get_if<follow_upstream>(&what)) {
        if (s.is == condition::standby)
            s.upstream = follow->upstream;
        else
            fail("the server is not a running standby");
    } else if (const auto* rejoin = std::get_if<rejoin_server>(&what)) {
        end_rejoin(h, *rejoin, done);
    }
    feed(h.config.id, done);
}

void world::end_promotion(host& h, timeline_id timeline, server_task_done& done) {
    modelled_server& s = h.server;
    if (s.is != condition::promoting) {
        done.ok = false;
        done.text = "the server died during its promotion";
        return;
    }
    if (s.fails_to_promote) {
        s.is = condition::standby;
        done.ok = false;
        done.text = "the server did not become writable";
        return;
    }
    done.position = s.position();
    s.is = condition::primary;
    s.upstream = 0;
    s.history.push_back({timeline, s.end});
    if (const auto [it, first] = writers_.emplace(timeline, h.config.id); !first)
        violations.push_back("timeline " + std::to_string(timeline) + " is written twice");
}

void world::end_rejoin(host& h, const rejoin_server& what, server_task_done& done) {
    const host& up = at(what.upstream);
    if (up.server.is != condition::primary || !linked(h.config.id, what.upstream)) {
        done.ok = false;
        done.text = "the source is not a running primary";
        return;
    }
    h.server.history = up.server.history;
    h.server.end = up.server.end;
    h.server.is = condition::standby;
    h.server.upstream = 0;
    done.text = "was rewound";
}

}  // namespace repld::test
