"""The primary's postmaster dies; the old primary comes back by itself."""
import time

from lab.lab import wait_for


def crash(lab, record):
    """SIGKILL to the primary's postmaster. Returns (old, new, ns of the kill); the cluster is whole again."""
    old = lab.primary()
    wait_for(lambda: record.acknowledged(old.name)[-100:-99], 20, "writes on the primary")
    moment = old.kill_postmaster()
    wait_for(lambda: record.reigns(since=moment)[-1:] and record.reigns()[-1].node != old.name, 20,
             "another host acknowledges writes")
    new = lab.wait_healthy(60)
    assert new is not old
    return old, new, moment


def judge(record, kills, new):
    """No overlap, and nothing lost but what was acknowledged right before a kill and not yet sent."""
    chain = [kills[0][0].name] + [each[1].name for each in kills]
    assert [reign.node for reign in record.reigns()] == chain
    for write in record.lost(new):
        assert any(0 <= moment + 50_000_000 - write.end < 500_000_000 for _, _, moment in kills), write


def test_crash_failover(trio):
    term = trio.show()["term"]
    with trio.writers() as record:
        kills = [crash(trio, record)]
    old, new, moment = kills[0]
    judge(record, kills, new)
    print(f"longest gap {record.longest_gap(since=moment).seconds * 1000:.0f} ms, lost {len(record.lost(new))}")
    assert record.longest_gap(since=moment).seconds < 5
    shown = trio.show(old)
    assert shown["leader"] == new.name and shown["term"] > term


def test_three_in_a_row(trio):
    with trio.writers() as record:
        kills = [crash(trio, record) for _ in range(3)]
    judge(record, kills, kills[-1][1])
    timelines = {node["timeline"] for node in trio.show()["nodes"] if node["role"] in ("primary", "standby")}
    assert len(timelines) == 1


def test_rejoin_needs_no_rewind_when_nothing_diverged(trio):
    """Nobody writes: the old primary's WAL does not go beyond the fork, so it starts as it is."""
    old = trio.primary()
    for host in trio.data_hosts():
        host.sql("select 1")
    time.sleep(1.0)   # not for a state: lets checkpoints and status writes of the set-up come to an end
    identity = _inode(old)
    old.kill_postmaster()
    new = trio.wait_healthy(60)
    assert new is not old
    assert _inode(old) == identity, "the data directory is the same one"


def _inode(host):
    import os
    return os.stat(host.data).st_ino


def test_a_backend_that_dies_is_no_failover(trio):
    import os
    import signal
    primary = trio.primary()
    term = trio.show(primary)["term"]
    with trio.writers([primary]) as record:
        wait_for(lambda: len(record.acknowledged()) > 50, 20, "writes")
        victim = primary.value("select pid from pg_stat_activity where application_name like 'n%%\\_%%' limit 1")
        os.kill(victim, signal.SIGKILL)
        moment = time.monotonic_ns()
        wait_for(lambda: record.first(primary.name, after=moment + 10**8), 20, "writes again on the same server")
    assert trio.wait_healthy() is primary
    assert [reign.node for reign in record.reigns()] == [primary.name] and record.lost(primary) == []
    assert trio.show(primary)["term"] == term


def test_primary_host_loses_power(trio):
    old = trio.primary()
    with trio.writers() as record:
        wait_for(lambda: len(record.acknowledged(old.name)) > 100, 20, "writes")
        moment = time.monotonic_ns()
        old.power_off()
        wait_for(lambda: record.reigns()[-1].node != old.name, 20, "another host acknowledges writes")
        trio.start_daemon(old)
        new = trio.wait_healthy(60)
    assert new is not old
    assert [reign.node for reign in record.reigns()] == [old.name, new.name]
    print(f"longest gap {record.longest_gap(since=moment).seconds:.2f} s")
