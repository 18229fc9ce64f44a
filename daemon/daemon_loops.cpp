// What a node does again and again beside its events: tells its status, writes the metadata schema,
// keeps the replication slots, asks its upstream.
#include "daemon.hpp"
#include "net/spawn.hpp"
#include "platform/boottime.hpp"
#include "postgres/conninfo.hpp"

namespace repld {

namespace {

constexpr duration slots_interval = std::chrono::seconds(10);

}  // namespace

task<void> node_daemon::periodic() {
    while (!stopped_) {
        publish_status();
        status_timer_.expires_after(interval());
        co_await status_timer_.async_wait(as_result);
    }
}

void node_daemon::make_metadata_writer() {
    metadata_through_ = metadata_conninfo();
    schema::writer_options writer;
    writer.conninfo = metadata_through_;
    if (const auto own = postgres::conninfo::parse(config_.postgres->conninfo))
        writer.reader_role = own->get("user").value_or("");
    metadata_ = std::make_unique<schema::metadata_writer>(std::move(writer));
}

task<void> node_daemon::metadata_loop() {
    while (!stopped_) {
        const auto& node = core_.core();
        const node_view v = node.view();
        if (leads() && v.writable && state() != nullptr) {
            if (!metadata_error_.empty() && metadata_through_ != metadata_conninfo())
                make_metadata_writer();
            while (!events_.empty()) {
                metadata_->add_event(std::move(events_.front()));
                events_.pop_front();
            }
            auto rows = board_.snapshot(*state(), config_.node.id, platform::boot_now());
            const auto written = co_await metadata_->write(
                config_.node.id, std::move(rows),
                std::max<duration>(2 * interval(), std::chrono::seconds(2)));
            const std::string now_wrong =
                written ? "" : written.error().message + " " + written.error().detail;
            if (now_wrong != metadata_error_ && !now_wrong.empty())
                log_.warning("could not write the metadata schema: " + now_wrong);
            metadata_error_ = now_wrong;
        } else {
            metadata_->disconnect();
            // Events of this node reach the schema through the leader.
            while (!events_.empty() && v.leader != 0 && v.leader != config_.node.id && v.writable) {
                const schema::event_row& e = events_.front();
                json body = {{"event",
                              {{"time", e.time},
                               {"event", e.event},
                               {"successful", e.successful},
                               {"details", e.details},
                               {"evidence", e.evidence}}}};
                if (!mesh_.send(v.leader, body)) break;
                events_.pop_front();
            }
        }
        metadata_timer_.expires_after(interval());
        co_await metadata_timer_.async_wait(as_result);
    }
}

// Slots on every data node for every other, so that whoever is promoted has kept the WAL that the
// others need.
task<void> node_daemon::slots_loop() {
    while (!stopped_) {
        const cluster_state* s = state();
        const auto server = server_->last().core.state;
        const bool up = server == server_state::primary || server == server_state::standby;
        if (s != nullptr && up && s->find(config_.node.id) != nullptr && !joining_) {
            if (server == server_state::primary)
                co_await give_up_slots(s->settings.slot_retention_bytes);
            std::map<std::string, lsn> advance;
            for (const member& m : s->members)
                if (const node_status* other = board_.find(m.id);
                    other != nullptr && other->replay.valid())
                    advance[postgres::slot_name(m.id)] = other->replay;
            const auto done =
                co_await server_->server().ensure_slots(wanted_slots(), std::move(advance));
            const std::string now_wrong =
                done ? "" : done.error().message + " " + done.error().detail;
            if (now_wrong != slots_error_ && !now_wrong.empty())
                log_.warning("could not keep the replication slots: " + now_wrong);
            slots_error_ = now_wrong;
        }
        slots_timer_.expires_after(slots_error_.empty() ? slots_interval
                                                        : duration(std::chrono::seconds(1)));
        co_await slots_timer_.async_wait(as_result);
    }
}

// A member that is away for too long must not fill the disk of the primary: its slot is dropped,
// and made anew at the present position by ensure_slots().
task<void> node_daemon::give_up_slots(std::uint64_t bytes) {
    const postgres::observation seen = server_->last();
    for (const postgres::slot_facts& slot : seen.slots) {
        const bool ours = slot.name.rfind("repld_", 0) == 0;
        if (!ours || slot.active || !slot.restart.valid() ||
            seen.wal_end.value < slot.restart.value ||
            seen.wal_end.value - slot.restart.value <= bytes)
            continue;
        const auto gone = co_await server_->server().query_value(
            "SELECT pg_catalog.pg_drop_replication_slot(" + postgres::quote_literal(slot.name) +
                ")::text",
            std::chrono::seconds(5));
        note n{gone ? severity::warning : severity::error, "slot_dropped", "", {}};
        n.text = gone ? "dropped slot \"" + slot.name +
                            "\", which kept more WAL than slot_retention; its node must be cloned "
                            "again if it needs that WAL"
                      : "could not drop slot \"" + slot.name + "\": " + gone.error().message;
        tell(n);
    }
}

std::vector<std::string> node_daemon::wanted_slots() const {
    std::vector<std::string> names;
    for (const member& m : state()->members)
        if (m.role == node_role::data && m.id != config_.node.id)
            names.push_back(postgres::slot_name(m.id));
    for (const auto& [id, until] : joiners_)
        if (platform::boot_now() < until && state()->find(id) == nullptr)
            names.push_back(postgres::slot_name(id));
    return names;
}

// A standby's one connection to its upstream: whether it answers, as evidence for people.
task<void> node_daemon::upstream_loop() {
    std::unique_ptr<postgres::connection> to_upstream;
    node_id connected_to = 0;
    while (!stopped_) {
        const node_id upstream = server_->last().core.upstream;
        const bool wanted = server_->last().core.state == server_state::standby && upstream != 0 &&
                            upstream != UINT32_MAX && !joining_;
        if (!wanted || upstream != connected_to) {
            to_upstream.reset();
            connected_to = wanted ? upstream : 0;
            upstream_answers_ = false;
        }
        if (wanted) {
            const std::string before = upstream_error_;
            if (!to_upstream || !to_upstream->usable()) {
                auto opened = co_await postgres::connection::open(upstream_conninfo(upstream),
                                                                  std::chrono::seconds(2));
                if (opened)
                    to_upstream = std::move(*opened);
                else
                    upstream_error_ = opened.error().message + " " + opened.error().detail;
            }
            if (to_upstream && to_upstream->usable()) {
                const auto answered =
                    co_await to_upstream->query("SELECT 1", {}, std::chrono::seconds(2));
                upstream_error_ = answered ? "" : answered.error().message;
                upstream_answers_ = answered.has_value();
            } else {
                upstream_answers_ = false;
            }
            if (upstream_error_ != before && !upstream_error_.empty())
                log_.warning("the upstream does not answer queries: " + upstream_error_);
        }
        upstream_timer_.expires_after(std::max<duration>(interval(), std::chrono::seconds(1)));
        co_await upstream_timer_.async_wait(as_result);
    }
}

}  // namespace repld
