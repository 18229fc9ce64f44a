"""What a daemon costs while nothing happens, per node, at default settings."""
import os
import time

from lab import processes


def _pss(pid):
    """Proportional set size in MB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024


def _ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _programs(host):
    """The daemon and its children that stay (the guard, when there is one)."""
    pid = host.daemon.pid
    return {"repld": pid, **{f"repld-child-{child}": child for child in processes.children(pid)}}


def _connections(host):
    return host.value("select count(*) from pg_stat_activity where backend_type = 'client backend'"
                      " and application_name <> 'lab'")


def idle(lab, report, arguments):
    seconds = arguments.seconds
    primary = lab.primary()
    standby = next(host for host in lab.data_hosts() if host is not primary)
    watched = {"primary": primary, "standby": standby,
               **{"witness": host for host in lab.hosts.values() if host.role == "witness"}}
    time.sleep(5)   # the set-up's own checkpoints and retries are not idling
    ticks = {label: _ticks(host.daemon.pid) for label, host in watched.items()}
    traffic = {label: _traffic(lab, host) for label, host in watched.items()}
    wal = primary.value("select pg_current_wal_lsn()")
    begin = time.monotonic()
    time.sleep(seconds)
    span = time.monotonic() - begin
    written = float(primary.value("select pg_current_wal_lsn() - %s::pg_lsn", (wal,)))
    report.title(f"idle: {span:.0f} s at default settings, 3 data nodes and a witness")
    per_second = os.sysconf("SC_CLK_TCK")
    for label, host in watched.items():
        for program, pid in _programs(host).items():
            report.value(f"idle_pss_{label}_{program}", f"{label}: memory (PSS) of {program}", _pss(pid), "MB")
        share = (_ticks(host.daemon.pid) - ticks[label]) / per_second / span * 100
        report.value(f"idle_cpu_{label}", f"{label}: CPU", share, "% of a core")
        if host.role == "data":
            report.value(f"idle_connections_{label}", f"{label}: PostgreSQL connections", _connections(host), "")
        after = _traffic(lab, host)
        if after is not None:
            received, sent = ((new - old) / span for new, old in zip(after, traffic[label]))
            report.value(f"idle_received_{label}", f"{label}: bytes received, replication included", received, "B/s")
            report.value(f"idle_sent_{label}", f"{label}: bytes sent, replication included", sent, "B/s")
    report.value("idle_wal", "WAL written on the primary", written / span, "B/s")


def _traffic(lab, host):
    return lab.network.traffic(host.name) if lab.network.can_cut else None
