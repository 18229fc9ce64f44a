"""The lab itself, with plain PostgreSQL: a fault that is not real would make every other test worthless."""
import time

import pytest

from conftest import Shelf
from lab import judge, processes
from lab.host import Host
from lab.lab import wait_for


@pytest.fixture(scope="module")
def shelf():
    def build(lab):
        hosts = [lab.add("n1", 1), lab.add("n2", 2)]
        lab.each(Host.initdb, hosts)
        lab.each(Host.start_server, hosts)
    held = Shelf(build)
    yield held
    held.drop()


@pytest.fixture
def servers(shelf):
    """Two servers that know nothing of each other; started when the last test left them down."""
    lab = shelf.take()
    for host in lab.data_hosts():
        if host.postmaster() is None:
            host.start_server()
    yield lab.data_hosts()
    lab.network.heal()


def reaches(a, b):
    return a.run(f"{a.lab.bin_dir}/pg_isready", "-h", b.address, "-p", str(b.port), "-t", "1", check=False).code == 0


def test_cuts_and_heals(servers):
    a, b = servers
    network = a.lab.network
    assert reaches(a, b) and reaches(b, a)
    for cut in (lambda: network.cut("n1"), lambda: network.cut("n1", "drop"),
                lambda: network.cut_pair("n1", "n2"), lambda: network.cut_one_way("n2", "n1")):
        cut()
        assert not reaches(a, b)
        assert reaches(a, a), "a client on a host that is cut off still reaches it"
        network.heal()
        wait_for(lambda: reaches(a, b), 5, "healed")


def test_writer_goes_on_while_its_host_is_cut_off(servers):
    a, _ = servers
    with a.lab.writers([a]) as record:
        wait_for(lambda: len(record.acknowledged()) > 100, 10, "writes")
        a.lab.network.cut("n1")
        moment = time.monotonic_ns()
        wait_for(lambda: len(record.acknowledged(since=moment)) > 100, 10, "writes while cut off")
        a.lab.network.heal()
    assert [reign.node for reign in record.reigns()] == ["n1"]
    assert record.lost(a) == []


def test_judge_sees_losses_and_overlaps(servers):
    a, b = servers
    record = judge.Record()
    judge.prepare(a)
    # Two unrelated servers that both take writes are what a split brain looks like to clients.
    with a.lab.writers([a]) as first, b.lab.writers([b]) as second:
        wait_for(lambda: len(first.acknowledged()) > 50 and len(second.acknowledged()) > 50, 10, "writes")
    for write in sorted(first.acknowledged() + second.acknowledged(), key=lambda each: each.end):
        record._acknowledged.append(write)
    assert len(record.reigns()) > 2
    assert len(record.lost(a)) == len(second.acknowledged())


def test_power_off_and_kill(servers):
    a, b = servers
    old = a.pids()
    a.power_off()
    assert not any(processes.alive(pid) for pid in old) and b.postmaster()
    a.start_server()
    assert a.value("select 1") == 1
    b.kill_postmaster()
    wait_for(lambda: not b.pids(), 10, "backends notice the death of their postmaster")


def test_longest_gap(servers):
    a, _ = servers
    with a.lab.writers([a]) as record:
        wait_for(lambda: len(record.acknowledged()) > 100, 10, "writes")
        moment = a.kill_postmaster()
        wait_for(lambda: not a.backends() and not a.pids(), 10, "ended")
        a.start_server()
        wait_for(lambda: record.first("n1", after=moment + 10**7), 10, "writes again")
    gap = record.longest_gap(since=moment)
    assert 0.01 < gap.seconds < 10 and (gap.before, gap.after) == ("n1", "n1")
