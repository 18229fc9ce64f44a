"""create, join, show, events, metadata; daemons and servers that restart."""
import time

import psycopg2
import pytest

from lab.lab import wait_for

NODE_KEYS = {"id", "name", "role", "state", "reachable", "upstream", "timeline", "receive_lsn", "replay_lsn",
             "lag_bytes", "lag_seconds", "location", "priority", "voter", "last_seen_seconds", "conninfo"}


def test_show_json(trio):
    for host in trio.hosts.values():
        outcome = host.replctl("cluster", "show", form="json", check=False)
        shown = outcome.json
        assert outcome.code == 0, outcome
        assert {"cluster", "term", "leader", "quorum", "paused", "nodes", "warnings"} <= set(shown)
        assert {"voters", "reached", "has_quorum"} <= set(shown["quorum"])
        nodes = {node["name"]: node for node in shown["nodes"]}
        assert set(nodes) == {"n1", "n2", "n3", "w"}
        for node in nodes.values():
            assert NODE_KEYS <= set(node), node
        leader = shown["leader"]
        assert nodes[leader]["role"] == "primary" and nodes[leader]["upstream"] is None
        for name in {"n1", "n2", "n3"} - {leader}:
            assert nodes[name]["role"] == "standby" and nodes[name]["upstream"] == leader
        assert nodes["w"]["role"] == "witness"
        assert shown["quorum"]["voters"] == sum(node["voter"] for node in nodes.values())
        assert shown["quorum"]["voters"] % 2 == 1 and not shown["paused"]


def test_show_table_and_csv(trio):
    table = trio["n2"].replctl("cluster", "show").out
    for word in ("ID", "Name", "Role", "Status", "Upstream", "Location", "Priority", "Timeline", "Lag",
                 "Connection string", "n1", "n2", "n3", "w", "* running"):
        assert word in table, table
    csv = trio["n2"].replctl("cluster", "show", form="csv").out.strip().splitlines()
    assert len(csv) >= 4 and all("," in line for line in csv[-4:])


def test_daemon_status_and_settings(trio):
    assert trio["w"].replctl("daemon", "status", form="json").json
    listed = trio["n1"].replctl("cluster", "settings").out
    assert "lease_duration" in listed and "2s" in listed
    assert "2s" in trio["n2"].replctl("cluster", "settings", "lease_duration").out
    refused = trio["n1"].replctl("cluster", "settings", "heartbeat_interval", "5s", check=False)
    assert refused.code in (1, 2) and "heartbeat_interval" in refused.err, refused
    refused = trio["n1"].replctl("cluster", "settings", "no_such_setting", "1", check=False)
    assert refused.code in (1, 2) and "no_such_setting" in refused.err, refused


def test_events(trio):
    events = trio["n3"].replctl("cluster", "event", form="json").json
    assert events


def test_metadata_schema(trio):
    primary = trio.primary()
    nodes = dict(primary.sql("select node_id, node_name from repld.nodes", database="repld")
                 if _has_column(primary, "nodes", "node_id") else
                 primary.sql("select id, name from repld.nodes", database="repld"))
    assert set(nodes.values()) == {"n1", "n2", "n3", "w"}
    assert primary.value("select count(*) from repld.status", database="repld") == 4
    assert primary.value("select count(*) from repld.events", database="repld") > 0
    standby = next(host for host in trio.data_hosts() if host is not primary)
    with pytest.raises(psycopg2.Error):
        standby.sql("delete from repld.nodes", database="repld")


def _has_column(host, table, column):
    return host.value("select count(*) from information_schema.columns where table_schema = 'repld'"
                      " and table_name = %s and column_name = %s", (table, column), database="repld") == 1


def test_slots_for_every_other_data_node(trio):
    def slots():
        return all(host.value("select count(*) from pg_replication_slots where slot_type = 'physical'") >= 2
                   for host in trio.data_hosts())
    wait_for(slots, 20, "physical slots for both other data nodes on each")


def test_standby_daemon_stops_and_starts(trio):
    standby = next(host for host in trio.data_hosts() if host is not trio.primary())
    postmaster = standby.postmaster()
    term = trio.show(trio.primary())["term"]
    assert standby.stop_daemon() == 0
    assert standby.postmaster() == postmaster, "PostgreSQL lives on without its daemon"
    trio.start_daemon(standby)
    assert standby.postmaster() == postmaster
    standby.stop_daemon(number=9)
    trio.start_daemon(standby)
    trio.wait_healthy()
    assert standby.postmaster() == postmaster and trio.show(standby)["term"] == term


def test_standby_server_restarts(trio):
    primary = trio.primary()
    standby = next(host for host in trio.data_hosts() if host is not primary)
    with trio.writers([primary]) as record:
        wait_for(lambda: len(record.acknowledged()) > 50, 20, "writes")
        moment = time.monotonic_ns()
        standby.kill_postmaster()
        trio.wait_healthy()
    assert trio.primary() is primary
    assert record.longest_gap(since=moment).seconds < 0.5, "a standby's death is nothing to writers"


def test_server_down_at_daemon_start(trio):
    standby = next(host for host in trio.data_hosts() if host is not trio.primary())
    standby.stop_daemon()
    standby.stop_server()
    trio.start_daemon(standby)   # answers although its server is down
    trio.wait_healthy()


def test_server_down_and_no_cluster(new_lab, trio_shelf):
    # Its own lab would need the bridge that the standing cluster has.
    trio_shelf.drop()
    host = new_lab("alone").add("n1", 1)
    host.initdb()
    host.lab.start_daemon(host)
    refused = host.replctl("cluster", "create", check=False)
    assert refused.code in (2, 3) and refused.err.startswith("ERROR:"), refused
    assert host.daemon_runs()
    host.start_server()
    wait_for(lambda: host.replctl("cluster", "create", check=False).code == 0, 20, "created once the server runs")
    assert host.lab.show(host)["leader"] == "n1"
    again = host.replctl("cluster", "create", check=False)
    assert again.code == 2, again
