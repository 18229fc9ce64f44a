"""A lab: hosts, the network between them, clients, and waiting for what must come true."""
import contextlib
import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2

from . import judge, network, sandbox, settings
from .client import Client
from .host import Host

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Seconds that anything in a lab may take before a test calls it failed; slow machines may raise it.
PATIENCE = float(os.environ.get("LAB_PATIENCE", "1"))


class NotInTime(AssertionError):
    pass


def find_bin_dir():
    """LAB_PG_BIN, or the newest PostgreSQL installed."""
    forced = os.environ.get("LAB_PG_BIN")
    if forced:
        return forced
    base = "/usr/lib/postgresql"
    versions = [name for name in (os.listdir(base) if os.path.isdir(base) else [])
                if os.access(f"{base}/{name}/bin/initdb", os.X_OK)]
    if versions:
        return f"{base}/{max(versions, key=float)}/bin"
    found = shutil.which("initdb")
    if found:
        return os.path.dirname(os.path.realpath(found))
    raise RuntimeError("no PostgreSQL server programs found; set LAB_PG_BIN")


def wait_for(condition, limit, what):
    """Polls until condition() is true and returns its value; errors of servers that are not there yet count
    as "not yet". Raises NotInTime with what was last seen."""
    end = time.monotonic() + limit * PATIENCE
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (psycopg2.Error, OSError, ValueError, KeyError, RuntimeError, subprocess.TimeoutExpired) as error:
            seen = error
        if time.monotonic() > end:
            raise NotInTime(f"not within {limit:g} s: {what}; last seen: {str(seen)[:600]}")
        time.sleep(0.03)


class Lab:
    """Use it as a context manager: whatever happens inside, everything that was started is ended.
    One lab per sandbox at a time in namespaces (it owns their bridge)."""

    def __init__(self, label="lab", bin_dir=None):
        self.dir = os.path.join(sandbox.directory(), label)
        os.mkdir(self.dir, 0o755)
        sandbox.give(self.dir)
        self.bin_dir = bin_dir or find_bin_dir()
        self.network = network.Loopback() if sandbox.mode() == "loopback" else network.Namespaces()
        self.hosts = {}
        self._clients = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(keep=kind is not None and sandbox.keep_on_failure())

    def close(self, keep=False):
        """Once more after an interruption, so that a second Ctrl-C leaves nothing either."""
        try:
            for client in list(self._clients):
                client.stop()
        finally:
            for host in self.hosts.values():
                host.close()
            self.network.close()
            if not keep:
                shutil.rmtree(self.dir, ignore_errors=True)

    # ---- hosts ----------------------------------------------------------------------------------------

    def add(self, name, number, /, role="data", **options):
        host = self.hosts[name] = Host(self, name, number, role, options)
        # For lab.inspect, which looks into a lab that was left standing.
        known = [{"name": each.name, "role": each.role, "address": each.address, "port": each.port,
                  "dir": each.dir, "config": each.config} for each in self.hosts.values()]
        with open(os.path.join(self.dir, "hosts.json"), "w", encoding="utf-8") as file:
            json.dump({"bin_dir": self.bin_dir, "hosts": known}, file)
        return host

    def __getitem__(self, name):
        return self.hosts[name]

    def data_hosts(self):
        return [host for host in self.hosts.values() if host.role == "data"]

    def each(self, action, hosts):
        """action(host) for all of them at once; the first exception is raised."""
        hosts = list(hosts)
        if not hosts:
            return []
        with ThreadPoolExecutor(len(hosts)) as pool:
            return list(pool.map(action, hosts))

    def binary(self, name):
        """The program under test, copied once to where the servers' user may execute it (a checkout may lie
        in a home folder that is closed to it)."""
        folder = os.path.join(sandbox.directory(), "bin")
        copy = os.path.join(folder, name)
        if not os.path.exists(copy):
            os.makedirs(folder, 0o755, exist_ok=True)
            for program in ("repld", "replctl", "repld-guard"):
                found = find_program(program)
                if found:
                    shutil.copy(found, os.path.join(folder, program))
                    os.chmod(os.path.join(folder, program), 0o755)
            if not os.path.exists(copy):
                raise RuntimeError(f"{name} is not built; build it, or set REPLD_BUILD")
        return copy

    # ---- clusters -------------------------------------------------------------------------------------

    def build(self, data=3, witness=True, settings_=None, options=None):
        """initdb on n1..nN, repld everywhere, then one replctl command per host."""
        for number in range(1, data + 1):
            self.add(f"n{number}", number, **(options or {}))
        if witness:
            self.add("w", 9, role="witness")
        self.each(Host.initdb, self.data_hosts())
        self["n1"].start_server()
        for host in self.hosts.values():
            self.start_daemon(host)
        self.create("n1", **(settings_ or {}))
        for host in self.hosts.values():
            if host.name != "n1":
                self.join(host, self["n1"], replace=True)
        self.wait_healthy()
        return self

    def start_daemon(self, host, limit=10):
        """Started and answering."""
        host.start_daemon()
        self.wait_daemon(host, limit)

    def wait_daemon(self, host, limit=10):
        def answers():
            if not host.daemon_runs():
                raise RuntimeError(f"{host.name}: repld has ended: {host.log_text()[-400:]}")
            return host.replctl("daemon", "status", check=False, limit=10).code == 0
        wait_for(answers, limit, f"repld on {host.name} answers")

    def create(self, name, **values):
        words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        self[name].replctl("cluster", "create", *words)

    def join(self, host, via, token=True, replace=False, check=True):
        """One node joins through another; with token=False by the key file that lies there already."""
        words = ["witness" if host.role == "witness" else "node", "join", via.peer]
        if token:
            words += ["--token", via.replctl("cluster", "token").out.strip()]
        if replace and host.role == "data":
            words.append("--replace")
        return host.replctl(*words, limit=120, check=check)

    # ---- what is -------------------------------------------------------------------------------------

    def show(self, host=None):
        """`cluster show` of one host (the first with a daemon), as a dictionary."""
        host = host or next(each for each in self.hosts.values() if each.daemon_runs())
        return host.replctl("cluster", "show", form="json", check=False).json

    def primaries(self, hosts=None):
        """Hosts whose PostgreSQL is not in recovery; those that do not answer are left out."""
        def writable(host):
            try:
                return not host.value("select pg_is_in_recovery()", deadline=2)
            except (psycopg2.Error, OSError):
                return False
        hosts = self.data_hosts() if hosts is None else hosts
        return [host for host, yes in zip(hosts, self.each(writable, hosts)) if yes]

    def primary(self, hosts=None):
        found = self.primaries(hosts)
        if len(found) != 1:
            raise RuntimeError(f"primaries: {[host.name for host in found]}")
        return found[0]

    def streaming(self, standby, primary):
        """The standby's walreceiver streams the primary's timeline from the primary."""
        rows = standby.sql("select status, received_tli, sender_host, sender_port, slot_name"
                           " from pg_stat_wal_receiver")
        timeline = primary.value("select timeline_id from pg_control_checkpoint()")
        wal_file = primary.value("select pg_walfile_name(pg_current_wal_lsn())")
        timeline = max(timeline, int(wal_file[:8], 16))
        return (len(rows) == 1 and rows[0][0] == "streaming" and rows[0][1] == timeline
                and rows[0][2] == primary.address and rows[0][3] == primary.port)

    def wait_healthy(self, limit=40, members=None):
        """One primary, every other member streams from it, and every daemon sees the same. Judged by the servers
        first: labels come second. Returns the primary."""
        members = list(self.hosts.values()) if members is None else members
        data = [host for host in members if host.role == "data"]

        def whole():
            found = self.primaries(data)
            if len(found) != 1:
                return False
            primary = found[0]
            if not all(self.streaming(host, primary) for host in data if host is not primary):
                return False
            for shown in self.each(self.show, members):
                nodes = {node["name"]: node for node in shown["nodes"]}
                if shown["leader"] != primary.node_name or not shown["quorum"]["has_quorum"]:
                    return False
                for host in members:
                    node = nodes[host.node_name]
                    expected = ("witness" if host.role == "witness" else
                                "primary" if host is primary else "standby")
                    if not node["reachable"] or node["role"] != expected:
                        return False
            return primary
        return wait_for(whole, limit, "one primary, all others stream from it, all daemons agree")

    # ---- clients --------------------------------------------------------------------------------------

    def client_pids(self):
        return [client.pid for client in self._clients]

    @contextlib.contextmanager
    def writers(self, hosts=None, outside=False, **options):
        """A writer on every data host's own address, started inside of that host (so a host that is cut off keeps
        its client); or, with `outside`, one client on no host that looks for the primary as libpq's multi-host
        clients do. Yields a judge.Record; the writers end with the block."""
        hosts = self.data_hosts() if hosts is None else hosts
        places = [(hosts, None)] if outside else [([host], host) for host in hosts]
        record = judge.Record()
        started = []
        try:
            judge.prepare(self.primary(hosts))
            for addresses, inside in places:
                client = Client(self, addresses, inside, **options)
                started.append(client)
                self._clients.append(client)
                record.follow(client)
            yield record
        finally:
            for client in started:
                client.stop()
                self._clients.remove(client)
            record.refresh()

    # ---- after a failure ------------------------------------------------------------------------------

    def diagnosis(self, lines=25):
        """What a person would look at first."""
        parts = []
        for host in self.hosts.values():
            parts.append(f"==== {host.name} {host.address} repld {'runs' if host.daemon_runs() else 'ended'}, "
                         f"postmaster {host.postmaster()}")
            for path in (host.repld_log, host.server_log, os.path.join(host.dir, "log", "start.log")):
                if os.path.exists(path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        tail = file.read().splitlines()[-lines:]
                    parts += [f"-- {os.path.relpath(path, self.dir)}", *tail]
            if host.daemon_runs():
                try:
                    shown = host.replctl("cluster", "show", check=False, limit=10)
                    parts += ["-- cluster show", shown.out + shown.err]
                except (subprocess.TimeoutExpired, RuntimeError) as error:
                    parts += [f"-- cluster show: {error}"]
        return "\n".join(parts)


def find_program(name):
    """Where the build put it: REPLD_BUILD (a build directory), or build/release."""
    build = os.environ.get("REPLD_BUILD") or os.path.join(REPOSITORY, "build", "release")
    for folder in ("daemon", "cli", "guard", "bin", "."):
        path = os.path.join(build, folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


copy_key = settings.copy_key

