"""How long clients wait: after a killed postmaster, after a host is cut off, and at best."""
import time

from lab.host import Host
from lab.lab import wait_for
from lab.sql import Connection


# A promotion that is asked for while the startup process starts a walreceiver for the second time sleeps the
# rest of wal_retrieve_retry_interval first: 5 s by default in about every third run here. (A standby whose
# primary_conninfo has been emptied before is not affected.) The floor shall not contain that.
RETRY = {"wal_retrieve_retry_interval": "20ms"}


def _writes(record, count=200):
    wait_for(lambda: len(record.acknowledged()) > count, 30, "writers write")


def floor(lab, report, arguments):
    """Plain streaming replication, and somebody who knows at once and only has to promote. Two figures: from
    pg_ctl promote to the first write, and from SIGKILL to the first write with nothing decided by anybody."""
    promoted, total = [], []
    for number in range(arguments.runs):
        a, b = (lab.add(f"{name}{number}", 2 * number + place, postgres=RETRY)
                for place, name in ((1, "a"), (2, "b")))
        a.initdb()
        a.start_server()
        b.pg("pg_basebackup", "-h", a.address, "-p", str(a.port), "-U", "postgres", "-D", b.data, "-R",
             "-c", "fast", "-X", "stream")
        if not lab.network.can_cut:   # on loopback the clone has the port and address of its source
            with open(f"{b.data}/postgresql.conf", "a", encoding="utf-8") as file:
                file.write(f"port = {b.port}\nlisten_addresses = '{b.address}'\n")
        b.start_server()
        with lab.writers([a]) as record:
            _writes(record)
            wait_for(lambda: b.sql("select 1 from pg_stat_wal_receiver where status = 'streaming'"), 20, "streams")
            link = Connection(b.local_dsn)
            moment = a.kill_postmaster()
            begin = time.monotonic_ns()
            # -W: the first write tells when it is done, not pg_ctl's polling.
            b.pg("pg_ctl", "promote", "-D", b.data, "-W", "-s")
            first = _first_write(link)
            link.close()
        promoted.append((first - begin) / 1e6)
        total.append((first - moment) / 1e6)
        lab.each(Host.close, (a, b))
    report.title("floor: PostgreSQL alone, no decision to take")
    report.distribution("floor_promote", "pg_ctl promote to first write", promoted)
    report.distribution("floor_total", "SIGKILL to first write", total)


def _first_write(link):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if not link.execute("select pg_is_in_recovery()")[0][0]:
            link.execute("insert into lab_written values ('first', 1)")
            return time.monotonic_ns()
        time.sleep(0.001)
    raise RuntimeError("not promoted within 30 s")


def kill(lab, report, arguments):
    gaps, lost, back = [], [], []
    for _ in range(arguments.runs):
        old = lab.primary()
        with lab.writers() as record:
            _writes(record)
            moment = old.kill_postmaster()
            wait_for(lambda: record.reigns()[-1].node != old.name, 60, "another host acknowledges")
            new = lab.wait_healthy(90)
            back.append((time.monotonic_ns() - moment) / 1e6)
        gaps.append(record.longest_gap(since=moment).seconds * 1e3)
        lost.append(len(record.lost(new)))
    report.title("kill: SIGKILL of the primary's postmaster, a writer on every host")
    report.distribution("kill_gap", "longest gap between acknowledged writes", gaps)
    report.distribution("kill_lost", "acknowledged writes lost", lost, "writes")
    report.distribution("kill_back", "all standbys streaming again", back)


def cut(lab, report, arguments):
    gaps, last, first, lost = [], [], [], []
    for _ in range(arguments.runs):
        old = lab.primary()
        with lab.writers() as record:
            _writes(record)
            moment = time.monotonic_ns()
            lab.network.cut(old.name, "drop")
            wait_for(lambda: record.reigns()[-1].node != old.name, 60, "another host acknowledges")
            new = lab[record.reigns()[-1].node]
            time.sleep(0.5)
            lab.network.heal(old.name)
            lab.wait_healthy(90)
        gaps.append(record.longest_gap(since=moment).seconds * 1e3)
        last.append((record.last(old.name) - moment) / 1e6)
        first.append((record.first(new.name) - moment) / 1e6)
        lost.append(len(record.lost(new)))
    report.title("cut: the primary's host cut off, lease_duration 2 s, a writer on every host")
    report.distribution("cut_gap", "longest gap between acknowledged writes", gaps)
    report.distribution("cut_last", "last acknowledgement of the cut-off primary", last)
    report.distribution("cut_first", "first acknowledgement of the new primary", first)
    report.distribution("cut_lost", "acknowledged writes lost", lost, "writes")
