"""Two data nodes, first without a witness, then with; lease_duration 1 s; wal_log_hints off, no checksums.

One cluster for the whole file, in this order: the tests tell its story.
"""
import os
import time

import pytest

from conftest import Shelf, needs_product
from lab.lab import copy_key, wait_for

LEASE = 1.0
SETTINGS = {"lease_duration": "1s", "heartbeat_interval": "200ms", "failover_limit": "off"}
STABLE_SECONDS = float(os.environ.get("LAB_STABLE_SECONDS", "30"))


@pytest.fixture(scope="module")
def shelf():
    needs_product()

    def build(lab):
        first = lab.add("n1", 1, hints=False)
        lab.add("n2", 2)
        lab.add("w", 9, role="witness")
        first.initdb()
        first.start_server()
        lab.start_daemon(first)
        lab.create("n1", **SETTINGS)
    held = Shelf(build)
    yield held
    held.drop()


@pytest.fixture
def pair(shelf):
    lab = shelf.take()
    if not lab.network.can_cut:
        pytest.skip("on loopback addresses a clone has the port of its source")
    return lab


def test_clone_into_an_empty_directory_by_key_file(pair):
    n1, n2 = pair["n1"], pair["n2"]
    copy_key(n1, n2)
    pair.start_daemon(n2)
    outcome = pair.join(n2, n1, token=False)
    assert outcome.code == 0
    assert pair.wait_healthy(members=[n1, n2]) is n1
    assert n2.value("select pg_is_in_recovery()")


def test_second_data_node_without_witness_does_not_vote(pair):
    n1, n2 = pair["n1"], pair["n2"]
    nodes = {node["name"]: node for node in pair.show(n1)["nodes"]}
    assert nodes["n1"]["voter"] and not nodes["n2"]["voter"]
    with pair.writers([n1]) as record:
        wait_for(lambda: len(record.acknowledged()) > 100, 20, "writes")
        moment = time.monotonic_ns()
        n2.stop_daemon()
        n2.stop_server()
        time.sleep(3 * LEASE)
        until = time.monotonic_ns()
        pair.start_daemon(n2)
        assert pair.wait_healthy(members=[n1, n2]) is n1
    assert record.longest_gap(since=moment, until=until).seconds < 0.5


def test_witness_makes_three_voters(pair):
    w = pair["w"]
    pair.start_daemon(w)
    pair.join(w, pair["n1"])
    pair.wait_healthy()

    def all_vote():
        shown = pair.show(pair["n1"])
        return shown["quorum"]["voters"] == 3 and all(node["voter"] for node in shown["nodes"])
    wait_for(all_vote, 15, "n1, n2 and w vote")


def test_short_lease_is_stable(pair):
    primary = pair.primary()
    term = pair.show(primary)["term"]
    with pair.writers([primary], pace=0.01) as record:
        end = time.monotonic() + STABLE_SECONDS
        while time.monotonic() < end:
            assert pair.primaries() == [primary]
            time.sleep(min(2.0, max(0.0, end - time.monotonic())))
    assert [reign.node for reign in record.reigns()] == [primary.name]
    assert record.longest_gap().seconds < 1 and record.lost(primary) == []
    assert pair.show(primary)["term"] == term, "nobody was elected"


def test_without_hints_and_checksums_says_why_it_cannot_rewind(pair):
    """Diverged WAL and a server that pg_rewind refuses: nothing is thrown away, and the reason is told."""
    old = pair.primary()
    with pair.writers() as record:
        wait_for(lambda: len(record.acknowledged(old.name)) > 100, 20, "writes")
        pair.network.cut(old.name)
        wait_for(lambda: record.reigns()[-1].node != old.name, 20, "the other host acknowledges writes")
        pair.network.heal()

        def told():
            words = str(pair.show(old)["warnings"]) + old.log_text()
            return "wal_log_hints" in words and "checksums" in words
        wait_for(told, 60, "says that wal_log_hints and data checksums are off")
    new = pair.primary()
    assert new is not old
    assert old.daemon_runs() and os.path.exists(os.path.join(old.data, "PG_VERSION"))
    assert [reign.node for reign in record.reigns()] == [old.name, new.name]
    shown = old.replctl("cluster", "show", check=False)
    assert shown.code == 25 and "wal_log_hints" in shown.out + shown.err, shown
