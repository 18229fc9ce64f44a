#include "schema/metadata_writer.hpp"

#include "platform/boottime.hpp"
#include "postgres/connection.hpp"
#include "run_scenario.hpp"
#include "schema/event_reader.hpp"
#include "test_server.hpp"

using namespace repld;
using namespace repld::schema;
using namespace std::chrono_literals;

namespace {

constexpr auto limit = 5s;

snapshot three_nodes() {
    snapshot s;
    for (node_id id = 1; id <= 3; ++id) {
        node_row n;
        n.id = id;
        n.name = "n" + std::to_string(id);
        n.role = id == 1 ? "primary" : id == 2 ? "standby" : "witness";
        n.voter = true;
        n.address = "10.0.0.1" + std::to_string(id) + ":7432";
        n.conninfo = id == 3 ? "" : "host=10.0.0.11 user=repld password=geheim dbname=repld";
        if (id == 2) n.upstream = 1;
        s.nodes.push_back(n);
        status_row r;
        r.id = id;
        r.role = n.role;
        r.state = "running";
        r.term = 7;
        r.last_seen_age = 100ms;
        if (id != 3) r.timeline = 1;
        s.status.push_back(r);
    }
    s.status[0].receive_lsn = lsn{0x3000148};
    s.status[0].replay_lsn = lsn{0x3000148};
    s.status[1].receive_lsn = lsn{0x3000048};
    s.status[1].replay_lsn = lsn{0x3000000};
    s.status[1].lag_seconds = 1.5;
    s.status[1].lag_bytes = 328;
    return s;
}

event_row some_event(std::string name) {
    event_row e;
    e.time = wall_clock_text(platform::realtime_since_epoch());
    e.node = 2;
    e.event = std::move(name);
    e.details = "why";
    e.evidence = evidence_json({{"votes", "2 of 3"}});
    return e;
}

class probe {
public:
    static task<std::unique_ptr<probe>> open(std::string conninfo) {
        auto opened = co_await postgres::connection::open(std::move(conninfo), limit);
        REQUIRE(opened);
        auto made = std::make_unique<probe>();
        made->link_ = std::move(*opened);
        co_return made;
    }
    task<std::string> ask(std::string sql) {
        const auto answer = co_await link_->query_simple(std::move(sql), limit);
        if (!answer) co_return "error: " + answer.error().message;
        co_return answer->at(0, std::size_t{0}).value_or("NULL");
    }
    postgres::connection& link() { return *link_; }

private:
    std::unique_ptr<postgres::connection> link_;
};

writer_options options_for(const testing::test_server& server) {
    writer_options o;
    o.conninfo = server.conninfo();
    o.reader_role = "repld";
    return o;
}

task<void> rows_arrive(const testing::test_server& server) {
    metadata_writer writer(options_for(server));
    auto sql = co_await probe::open(server.conninfo());
    snapshot now = three_nodes();
    writer.add_event(some_event("repld_start"));
    writer.add_event(some_event("promote"));
    const auto first = co_await writer.write(1, now, limit);
    if (!first) FAIL(to_string(first.error()));
    CHECK(writer.waiting_events() == 0);
    CHECK(co_await sql->ask(
              "SELECT string_agg(node_name, ',' ORDER BY node_id) FROM repld.nodes") == "n1,n2,n3");
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.nodes WHERE conninfo LIKE '%geheim%'") ==
          "0");
    CHECK(co_await sql->ask("SELECT now() - last_seen BETWEEN '0' AND '10s' FROM repld.status "
                            "WHERE node_id = 2") == "t");

    // repmgr's dashboards read these columns.
    CHECK(co_await sql->ask("SELECT primary_node_id || ' ' || standby_name || ' ' || node_type || "
                            "' ' || last_wal_primary_location || ' ' || replication_lag || ' ' || "
                            "replication_time_lag || ' ' || apply_lag || ' ' || active "
                            "FROM repld.replication_status WHERE standby_node_id = 2") ==
          "1 n2 standby 0/3000148 256 bytes 00:00:01.5 72 bytes true");
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.replication_status WHERE node_type = "
                            "'witness' AND replication_lag IS NULL") == "1");

    // A node that left is gone; its events stay.
    now.nodes.erase(now.nodes.begin() + 1);
    now.status.erase(now.status.begin() + 1);
    const auto second = co_await writer.write(1, now, limit);
    CHECK(second);
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.nodes") == "2");
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.status") == "2");
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.events WHERE event = 'promote'") == "1");
}

task<void> only_changes_are_written(const testing::test_server& server) {
    metadata_writer writer(options_for(server));
    auto sql = co_await probe::open(server.conninfo());
    snapshot now = three_nodes();
    const auto first = co_await writer.write(1, now, limit);
    REQUIRE(first);
    const std::string mark = "SELECT string_agg(xmin::text, ',' ORDER BY node_id) FROM repld.nodes";
    const std::string rest =
        "SELECT string_agg(xmin::text, ',' ORDER BY node_id) FROM repld.status WHERE node_id <> 1";
    const std::string own = "SELECT xmin FROM repld.status WHERE node_id = 1";
    const auto nodes = co_await sql->ask(mark);
    const auto others = co_await sql->ask(rest);
    const auto self = co_await sql->ask(own);

    const auto same = co_await writer.write(1, now, limit);
    REQUIRE(same);
    CHECK(co_await sql->ask(mark) == nodes);
    CHECK(co_await sql->ask(rest) == others);
    CHECK(co_await sql->ask(own) != self);

    now.status[1].last_seen_age = 1h;
    const auto unseen = co_await writer.write(1, now, limit);
    REQUIRE(unseen);
    CHECK(co_await sql->ask(mark) == nodes);
    CHECK(co_await sql->ask(rest) != others);
    CHECK(co_await sql->ask("SELECT now() - last_seen > '59 min' FROM repld.status WHERE node_id = "
                            "2") == "t");

    // After a reconnect everything is written, whatever somebody did to the tables meanwhile.
    co_await sql->ask("DELETE FROM repld.nodes; DELETE FROM repld.status");
    co_await sql->ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
    const auto broken = co_await writer.write(1, now, limit);
    CHECK_FALSE(broken);
    const auto whole = co_await writer.write(1, now, limit);
    REQUIRE(whole);
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.nodes") == "3");
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.status") == "3");
}

task<void> does_not_wait_for_standbys(const testing::test_server& server) {
    auto sql = co_await probe::open(server.conninfo());
    co_await sql->ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    co_await sql->ask("SELECT pg_reload_conf()");
    metadata_writer writer(options_for(server));
    const auto begun = platform::boot_now();
    const auto done = co_await writer.write(1, three_nodes(), limit);
    if (!done) FAIL(to_string(done.error()));
    CHECK(platform::boot_now() - begun < 3s);
}

task<void> lock_is_waited_for_with_a_limit(const testing::test_server& server) {
    metadata_writer writer(options_for(server));
    const auto first = co_await writer.write(1, three_nodes(), limit);
    REQUIRE(first);
    auto sql = co_await probe::open(server.conninfo());
    co_await sql->ask("BEGIN; LOCK TABLE repld.status");
    writer.add_event(some_event("kept"));
    const auto begun = platform::boot_now();
    const auto late = co_await writer.write(1, three_nodes(), 300ms);
    CHECK_FALSE(late);
    CHECK(platform::boot_now() - begun < 2s);
    CHECK(writer.waiting_events() == 1);
    co_await sql->ask("ROLLBACK");
    const auto again = co_await writer.write(1, three_nodes(), limit);
    CHECK(again);
    CHECK(writer.waiting_events() == 0);
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.events WHERE event = 'kept'") == "1");
}

task<void> events_are_read(const testing::test_server& server) {
    metadata_writer writer(options_for(server));
    auto sql = co_await probe::open(server.conninfo());
    const auto missing = co_await read_events(sql->link(), event_filter{}, limit);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == errc::refused);

    event_row odd = some_event("odd");
    odd.time = "some time";
    odd.details = std::string("zero\0 and \xff", 11);
    odd.evidence = "no json";
    odd.successful = false;
    odd.node = 1;
    writer.add_event(odd);
    for (int i = 0; i < 450; ++i) writer.add_event(some_event("many"));
    event_row timed = some_event("timed");
    timed.time = "2026-07-01T12:00:00.123456Z";
    writer.add_event(timed);
    const auto written = co_await writer.write(1, three_nodes(), limit);
    if (!written) FAIL(to_string(written.error()));
    CHECK(writer.lost_events() == 0);

    event_filter filter;
    filter.limit = 2;
    auto found = co_await read_events(sql->link(), filter, limit);
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    CHECK((*found)[0].event == "timed");
    CHECK((*found)[0].time == "2026-07-01 12:00:00.123456Z");
    CHECK((*found)[0].node_name == "n2");
    CHECK((*found)[0].evidence == R"({"votes": "2 of 3"})");
    CHECK((*found)[0].id > (*found)[1].id);

    filter.all = true;
    found = co_await read_events(sql->link(), filter, limit);
    REQUIRE(found);
    CHECK(found->size() == 452);

    filter.node_name = "n1";
    found = co_await read_events(sql->link(), filter, limit);
    REQUIRE(found);
    REQUIRE(found->size() == 1);
    CHECK(found->front().details.rfind("zero? and ", 0) == 0);
    CHECK_FALSE(found->front().successful);
    CHECK(found->front().evidence == R"("no json")");

    filter = event_filter{};
    filter.node = 2;
    filter.event = "timed";
    found = co_await read_events(sql->link(), filter, limit);
    REQUIRE(found);
    CHECK(found->size() == 1);
}

task<void> queue_is_bounded(const testing::test_server& server) {
    writer_options options = options_for(server);
    options.events_max = 3;
    metadata_writer writer(std::move(options));
    for (int i = 0; i < 5; ++i) writer.add_event(some_event("e" + std::to_string(i)));
    CHECK(writer.waiting_events() == 3);
    CHECK(writer.lost_events() == 2);
    const auto done = co_await writer.write(1, three_nodes(), limit);
    REQUIRE(done);
    auto sql = co_await probe::open(server.conninfo());
    CHECK(co_await sql->ask("SELECT string_agg(event, ',' ORDER BY id) FROM repld.events "
                            "WHERE event LIKE 'e_'") == "e2,e3,e4");
}

// Something that the queue's own checks let through and the table refuses.
task<void> refused_events_do_not_block(const testing::test_server& server) {
    metadata_writer writer(options_for(server));
    const auto made = co_await writer.migrate(limit);
    REQUIRE(made);
    auto sql = co_await probe::open(server.conninfo());
    co_await sql->ask("ALTER TABLE repld.events ADD CHECK (event <> 'bad') NOT VALID");
    writer.add_event(some_event("bad"));
    const auto refused = co_await writer.write(1, three_nodes(), limit);
    CHECK_FALSE(refused);
    CHECK(writer.waiting_events() == 0);
    CHECK(writer.lost_events() == 1);
    writer.add_event(some_event("good"));
    const auto next = co_await writer.write(1, three_nodes(), limit);
    CHECK(next);
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.events WHERE event = 'good'") == "1");
}

task<void> stopped_server(metadata_writer& writer) {
    writer.add_event(some_event("while_down"));
    const auto down = co_await writer.write(1, three_nodes(), limit);
    CHECK_FALSE(down);
    CHECK(writer.waiting_events() == 1);
}

task<void> started_server(metadata_writer& writer, const testing::test_server& server) {
    const auto up = co_await writer.write(1, three_nodes(), limit);
    CHECK(up);
    CHECK(writer.waiting_events() == 0);
    auto sql = co_await probe::open(server.conninfo());
    CHECK(co_await sql->ask("SELECT count(*) FROM repld.events WHERE event = 'while_down'") == "1");
    co_await sql->ask("UPDATE repld.version SET version = 99");
    writer.disconnect();
    const auto newer = co_await writer.write(1, three_nodes(), limit);
    REQUIRE_FALSE(newer);
    CHECK(newer.error().code == errc::refused);
}

}  // namespace

TEST_CASE("writer: nodes, status and events arrive; the view has repmgr's columns") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(events_are_read(server));
    testing::run_scenario(rows_arrive(server));
    testing::run_scenario(only_changes_are_written(server));
    testing::run_scenario(queue_is_bounded(server));
    testing::run_scenario(refused_events_do_not_block(server));
}

TEST_CASE("writer: nothing hangs") {
    SERVER_OR_SKIP(server);
    testing::run_scenario(does_not_wait_for_standbys(server));
    testing::run_scenario(lock_is_waited_for_with_a_limit(server));
}

TEST_CASE("writer: a server that comes back gets what waited; a newer schema is left alone") {
    SERVER_OR_SKIP(server);
    metadata_writer writer(options_for(server));
    server.stop("fast");
    testing::run_scenario(stopped_server(writer));
    server.start();
    testing::run_scenario(started_server(writer, server));
    writer.disconnect();
}
