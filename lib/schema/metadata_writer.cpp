#include "schema/metadata_writer.hpp"

#include <sys/random.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "platform/boottime.hpp"
#include "postgres/connection.hpp"
#include "schema/migrations.hpp"
#include "schema/row_json.hpp"
#include "schema/session.hpp"

namespace repld::schema {

namespace {

constexpr std::size_t events_per_statement = 200;

constexpr const char* write_nodes = R"sql(
INSERT INTO repld.nodes AS t (node_id, node_name, role, active, voter, location, priority,
                              upstream_node_id, address, conninfo, slot_name)
SELECT r.node_id, r.node_name, r.role, r.active, r.voter, r.location, r.priority,
       r.upstream_node_id, r.address, r.conninfo, r.slot_name
FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb) AS r(
     node_id integer, node_name text, role text, active boolean, voter boolean, location text,
     priority integer, upstream_node_id integer, address text, conninfo text, slot_name text)
ON CONFLICT (node_id) DO UPDATE SET (node_name, role, active, voter, location, priority,
     upstream_node_id, address, conninfo, slot_name)
   = (EXCLUDED.node_name, EXCLUDED.role, EXCLUDED.active, EXCLUDED.voter, EXCLUDED.location,
      EXCLUDED.priority, EXCLUDED.upstream_node_id, EXCLUDED.address, EXCLUDED.conninfo,
      EXCLUDED.slot_name)
)sql";

constexpr const char* write_status = R"sql(
INSERT INTO repld.status AS t (node_id, role, state, upstream_node_id, timeline, receive_lsn,
                               replay_lsn, lag_bytes, lag_seconds, term, last_seen, reason)
SELECT r.node_id, r.role, r.state, r.upstream_node_id, r.timeline, r.receive_lsn, r.replay_lsn,
       r.lag_bytes, r.lag_seconds, r.term, pg_catalog.now() - r.age * interval '1 second', r.reason
FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb) AS r(
     node_id integer, role text, state text, upstream_node_id integer, timeline bigint,
     receive_lsn pg_lsn, replay_lsn pg_lsn, lag_bytes bigint, lag_seconds double precision,
     term bigint, age double precision, reason text)
ON CONFLICT (node_id) DO UPDATE SET (role, state, upstream_node_id, timeline, receive_lsn,
     replay_lsn, lag_bytes, lag_seconds, term, last_seen, reason)
   = (EXCLUDED.role, EXCLUDED.state, EXCLUDED.upstream_node_id, EXCLUDED.timeline,
      EXCLUDED.receive_lsn, EXCLUDED.replay_lsn, EXCLUDED.lag_bytes, EXCLUDED.lag_seconds,
      EXCLUDED.term, EXCLUDED.last_seen, EXCLUDED.reason)
)sql";

constexpr const char* write_events = R"sql(
INSERT INTO repld.events (event_time, node_id, event, successful, details, evidence, source,
                          source_number)
SELECT COALESCE(r.event_time, pg_catalog.now()), r.node_id, r.event, r.successful, r.details,
       r.evidence, r.source, r.source_number
FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb) AS r(
     event_time timestamp with time zone, node_id integer, event text, successful boolean,
     details text, evidence jsonb, source bigint, source_number bigint)
ORDER BY r.source_number
ON CONFLICT (source, source_number) DO NOTHING
)sql";

std::int64_t random_source() {
    std::int64_t source = 0;
    // A failure leaves 0: then an event that is sent twice may be taken for one of another daemon.
    if (::getrandom(&source, sizeof source, 0) != static_cast<ssize_t>(sizeof source)) source = 0;
    return source;
}

template <class Row>
std::string id_array(const std::vector<Row>& rows) {
    std::string text = "{";
    for (const auto& row : rows) {
        if (text.size() > 1) text += ',';
        text += std::to_string(row.id);
    }
    return text + "}";
}

// The content was refused, not the moment: sending it again would be refused again.
bool refuses_content(const error& e) {
    const auto state = postgres::sqlstate_of(e).substr(0, 2);
    return state == "22" || state == "23" || state == "54";
}

struct written_status {
    status_row row{};  // without last_seen_age
    std::optional<boot_time> last_seen{};
};

struct statement {
    const char* sql = nullptr;
    std::string parameter{};
    std::uint64_t last_event = 0;  // 0: not about events
};

}  // namespace

struct metadata_writer::state {
    writer_options options{};
    std::unique_ptr<postgres::connection> link{};
    bool migrated = false;  // over this link
    bool busy = false;
    bool disconnect_wanted = false;

    // What the tables hold, as far as this link has written them; both empty: write everything.
    std::map<node_id, node_row> nodes{};
    std::map<node_id, written_status> status{};

    std::deque<queued_event> events{};
    std::uint64_t next_number = 1;
    std::int64_t source = random_source();
    std::uint64_t lost = 0;

    void drop_link() {
        link.reset();
        migrated = false;
        nodes.clear();
        status.clear();
        disconnect_wanted = false;
    }

    void forget_events_up_to(std::uint64_t number) {
        while (!events.empty() && events.front().number <= number) events.pop_front();
    }

    // The new state of the tables, as it will be when `out` has been committed.
    struct target {
        std::map<node_id, node_row> nodes{};
        std::map<node_id, written_status> status{};
    };
    void add_node_changes(const snapshot& now, target& to, std::vector<statement>& out) const;
    void add_status_changes(node_id self, const snapshot& now, target& to,
                            std::vector<statement>& out) const;
    void add_events(std::vector<statement>& out) const;
    [[nodiscard]] bool is_written(const written_status& was, const written_status& is) const;

    task<result<void>> ensure_schema(time_budget budget);
    task<result<void>> run(const std::vector<statement>& work, time_budget budget);

    // One call at a time. A call that failed, or whose coroutine was destroyed in the middle,
    // leaves the link in an unknown state.
    class call {
    public:
        explicit call(state& of) : of_(&of) { of.busy = true; }
        call(const call&) = delete;
        call& operator=(const call&) = delete;
        ~call() {
            of_->busy = false;
            if (!succeeded_ || of_->disconnect_wanted) of_->drop_link();
        }
        void succeeded() { succeeded_ = true; }

    private:
        state* of_;
        bool succeeded_ = false;
    };
};

namespace {

error call_under_way() {
    return error{errc::internal, "a write of the metadata schema is under way already"};
}

}  // namespace

void metadata_writer::state::add_node_changes(const snapshot& now, target& to,
                                              std::vector<statement>& out) const {
    std::vector<node_row> changed;
    for (const auto& row : now.nodes) {
        const auto was = nodes.find(row.id);
        if (was == nodes.end() || was->second != row) changed.push_back(row);
        to.nodes.insert_or_assign(row.id, row);
    }
    const bool somebody_left =
        nodes.empty() || std::any_of(nodes.begin(), nodes.end(), [&to](const auto& entry) {
            return !to.nodes.contains(entry.first);
        });
    if (somebody_left) {
        out.push_back({"DELETE FROM repld.nodes WHERE NOT (node_id = ANY ($1::integer[]))",
                       id_array(now.nodes)});
    }
    if (!changed.empty()) out.push_back({write_nodes, nodes_json(changed)});
}

bool metadata_writer::state::is_written(const written_status& was, const written_status& is) const {
    if (was.row != is.row || was.last_seen.has_value() != is.last_seen.has_value()) return false;
    if (!is.last_seen) return true;
    const duration moved = *is.last_seen - *was.last_seen;
    return moved < options.last_seen_step && -moved < options.last_seen_step;
}

void metadata_writer::state::add_status_changes(node_id self, const snapshot& now, target& to,
                                                std::vector<statement>& out) const {
    const boot_time clock = platform::boot_now();
    std::vector<status_row> changed;
    for (const auto& row : now.status) {
        written_status is{.row = row, .last_seen = {}};
        is.row.last_seen_age.reset();
        if (row.last_seen_age) is.last_seen = clock - *row.last_seen_age;
        const auto was = status.find(row.id);
        if (row.id != self && was != status.end() && is_written(was->second, is)) {
            to.status.insert_or_assign(row.id, was->second);
            continue;
        }
        changed.push_back(row);
        to.status.insert_or_assign(row.id, std::move(is));
    }
    const bool somebody_left =
        status.empty() || std::any_of(status.begin(), status.end(), [&to](const auto& entry) {
            return !to.status.contains(entry.first);
        });
    if (somebody_left) {
        out.push_back({"DELETE FROM repld.status WHERE NOT (node_id = ANY ($1::integer[]))",
                       id_array(now.status)});
    }
    if (!changed.empty()) out.push_back({write_status, status_json(changed)});
}

void metadata_writer::state::add_events(std::vector<statement>& out) const {
    for (std::size_t from = 0; from < events.size(); from += events_per_statement) {
        const std::size_t count = std::min(events_per_statement, events.size() - from);
        const auto first = events.begin() + static_cast<std::ptrdiff_t>(from);
        const std::vector<queued_event> batch(first, first + static_cast<std::ptrdiff_t>(count));
        out.push_back({write_events, events_json(batch, source), batch.back().number});
    }
}

task<result<void>> metadata_writer::state::ensure_schema(time_budget budget) {
    if (link && !link->usable()) drop_link();
    if (!link) {
        std::string conninfo = options.conninfo;
        auto opened = co_await open_session(std::move(conninfo), std::string(), budget);
        if (!opened) co_return opened.error();
        link = std::move(*opened);
    }
    if (migrated) co_return result<void>{};
    std::string reader = options.reader_role;
    const auto done = co_await migrate_schema(*link, all_migrations(), std::move(reader), budget);
    if (!done) co_return done.error();
    migrated = true;
    co_return result<void>{};
}

task<result<void>> metadata_writer::state::run(const std::vector<statement>& work,
                                               time_budget budget) {
    const auto begun = co_await begin(*link, budget);
    if (!begun) co_return begun.error();
    for (const auto& one : work) {
        std::vector<std::optional<std::string>> parameters{one.parameter};
        const auto done = co_await link->query(one.sql, std::move(parameters), budget.left());
        if (done) continue;
        if (one.last_event != 0 && refuses_content(done.error())) {
            // Without this they would hold up every write from now on.
            const auto before = events.size();
            forget_events_up_to(one.last_event);
            lost += before - events.size();
        }
        co_return done.error();
    }
    const auto committed = co_await link->query_simple("COMMIT", budget.left());
    co_return outcome_of(committed);
}

metadata_writer::metadata_writer(writer_options options) : state_(std::make_unique<state>()) {
    state_->options = std::move(options);
    state_->options.events_max = std::max<std::size_t>(1, state_->options.events_max);
}

metadata_writer::~metadata_writer() = default;

task<result<void>> metadata_writer::migrate(duration limit) {
    if (state_->busy) co_return call_under_way();
    state::call guard(*state_);
    const time_budget budget(limit);
    state_->migrated = false;
    const auto done = co_await state_->ensure_schema(budget);
    if (!done) co_return done.error();
    guard.succeeded();
    co_return result<void>{};
}

task<result<void>> metadata_writer::write(node_id self, snapshot now, duration limit) {
    if (state_->busy) co_return call_under_way();
    state::call guard(*state_);
    const time_budget budget(limit);
    const auto ready = co_await state_->ensure_schema(budget);
    if (!ready) co_return ready.error();

    state::target to;
    std::vector<statement> work;
    state_->add_node_changes(now, to, work);
    state_->add_status_changes(self, now, to, work);
    state_->add_events(work);
    const std::uint64_t last_event = state_->events.empty() ? 0 : state_->events.back().number;
    const auto done = co_await state_->run(work, budget);
    if (!done) co_return done.error();
    state_->nodes = std::move(to.nodes);
    state_->status = std::move(to.status);
    state_->forget_events_up_to(last_event);
    guard.succeeded();
    co_return result<void>{};
}

void metadata_writer::add_event(event_row event) {
    if (state_->events.size() >= state_->options.events_max) {
        state_->events.pop_front();
        ++state_->lost;
    }
    queued_event queued{.number = state_->next_number++, .event = made_fit(std::move(event))};
    state_->events.push_back(std::move(queued));
}

std::size_t metadata_writer::waiting_events() const noexcept {
    return state_->events.size();
}
std::uint64_t metadata_writer::lost_events() const noexcept {
    return state_->lost;
}

void metadata_writer::disconnect() {
    if (state_->busy) {
        state_->disconnect_wanted = true;
    } else {
        state_->drop_link();
    }
}

}  // namespace repld::schema
