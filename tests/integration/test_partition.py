"""Cut cables. Clients sit on every host, so a primary that is cut off is written to all the time."""
import os
import time

import pytest

from conftest import LEASE
from lab.lab import wait_for


def read(host, name):
    with open(os.path.join(host.data, name), encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("how", ["link", "drop"])
def test_primary_is_cut_off_and_comes_back(trio, how):
    old = trio.primary()
    old.sql("alter system set work_mem = '5432kB'")
    kept = {name: read(old, name) for name in ("postgresql.conf", "pg_hba.conf")}
    with trio.writers() as record:
        wait_for(lambda: len(record.acknowledged(old.name)) > 100, 20, "writes")
        moment = time.monotonic_ns()
        trio.network.cut(old.name, how)
        wait_for(lambda: record.reigns()[-1].node != old.name, 20, "another host acknowledges writes")
        time.sleep(2 * LEASE)   # the time in which a cut-off primary that still takes writes would be caught
        assert old.postmaster() is None or old.value("select pg_is_in_recovery()")
        trio.network.heal(old.name)
        new = trio.wait_healthy(90)
    assert new is not old
    assert [reign.node for reign in record.reigns()] == [old.name, new.name]
    assert record.last(old.name) < record.first(new.name)
    assert record.last(old.name) < moment + LEASE * 1e9
    gap = record.longest_gap(since=moment)
    print(f"longest gap {gap.seconds:.2f} s, last of the old one {(record.last(old.name) - moment) / 1e9:+.2f} s, "
          f"acknowledged and lost {len(record.lost(new))}")
    assert gap.seconds < LEASE + 1.5
    for write in record.lost(new):
        assert write.node == old.name and write.end > moment - 5e8, "only what the cut kept from being sent"
    for name, text in kept.items():
        assert read(old, name) == text, f"{name} is the host's own"
    assert "work_mem = '5432kB'" in read(old, "postgresql.auto.conf")
    assert _rows(old) == _rows(new), "the rewound server has the new primary's rows"


def _rows(host):
    return host.value("select count(*) from lab_written")


def test_standby_is_cut_off(trio):
    primary = trio.primary()
    standby = next(host for host in trio.data_hosts() if host is not primary)
    term = trio.show(primary)["term"]
    with trio.writers() as record:
        wait_for(lambda: len(record.acknowledged()) > 100, 20, "writes")
        moment = time.monotonic_ns()
        trio.network.cut(standby.name)

        def noticed():
            nodes = {node["name"]: node for node in trio.show(primary)["nodes"]}
            return not nodes[standby.name]["reachable"]
        wait_for(noticed, 15, "cluster show says that it is unreachable")
        outcome = primary.replctl("cluster", "show", check=False)
        assert outcome.code == 25 and outcome.seconds < 1 and "?" in outcome.out
        alone = standby.replctl("cluster", "show", form="json", check=False)
        assert alone.code == 25 and alone.seconds < 1 and not alone.json["quorum"]["has_quorum"]
        trio.network.heal(standby.name)
        assert trio.wait_healthy() is primary
    assert record.longest_gap(since=moment).seconds < 0.5
    assert trio.show(primary)["term"] == term, "who comes back from a partition disturbs nobody (R19)"


def test_bridge_partition(trio):
    """Primary and one standby do not see each other, all others see both: nothing must happen."""
    primary = trio.primary()
    standby = next(host for host in trio.data_hosts() if host is not primary)
    term = trio.show(primary)["term"]
    with trio.writers() as record:
        wait_for(lambda: len(record.acknowledged()) > 100, 20, "writes")
        moment = time.monotonic_ns()
        trio.network.cut_pair(primary.name, standby.name)
        time.sleep(3 * LEASE)
        trio.network.heal()
        assert trio.wait_healthy() is primary
    assert [reign.node for reign in record.reigns()] == [primary.name]
    assert record.longest_gap(since=moment).seconds < 0.5
    assert trio.show(primary)["term"] == term


def test_one_way_cut(trio):
    """Nothing the primary sends arrives: it must not go on because it still hears the others."""
    old = trio.primary()
    with trio.writers() as record:
        wait_for(lambda: len(record.acknowledged(old.name)) > 100, 20, "writes")
        moment = time.monotonic_ns()
        for host in trio.hosts.values():
            if host is not old:
                trio.network.cut_one_way(old.name, host.name)
        wait_for(lambda: record.reigns()[-1].node != old.name, 20, "another host acknowledges writes")
        trio.network.heal()
        new = trio.wait_healthy(90)
    assert [reign.node for reign in record.reigns()] == [old.name, new.name]
    assert record.last(old.name) < moment + LEASE * 1e9


def test_lost_quorum(trio):
    """All other daemons stop: the primary takes no writes when its lease ends, says why, and goes on by itself
    when one voter is back."""
    primary = trio.primary()
    others = [host for host in trio.hosts.values() if host is not primary]
    voters = {node["name"] for node in trio.show(primary)["nodes"] if node["voter"]}
    with trio.writers() as record:
        wait_for(lambda: len(record.acknowledged()) > 100, 20, "writes")
        moment = time.monotonic_ns()
        trio.each(lambda host: host.stop_daemon(), others)
        stopped = time.monotonic_ns()
        time.sleep(2 * LEASE)
        seen = time.monotonic_ns()
        assert record.last(primary.name) < stopped + LEASE * 1e9
        outcome = primary.replctl("cluster", "show", form="json", check=False)
        assert outcome.code == 25 and not outcome.json["quorum"]["has_quorum"] and outcome.json["warnings"]
        assert "lease" in primary.log_text() or "quorum" in primary.log_text()
        back = next(host for host in others if host.name in voters)
        trio.start_daemon(back)
        wait_for(lambda: record.acknowledged(since=seen), 30, "writes again with two of three voters")
        again = record.acknowledged(since=seen)[0].end
        for host in others:
            if host is not back:
                trio.start_daemon(host)
        trio.wait_healthy()
    held = [write for write in record.acknowledged() if stopped + LEASE * 1e9 <= write.end < seen]
    assert held == [], "no write between the end of the lease and the voter's return"
    before = max(write.end for write in record.acknowledged() if write.end < seen)
    print(f"last write {(before - moment) / 1e9:+.2f} s, again {(again - seen) / 1e9:.2f} s after the voter's start")
