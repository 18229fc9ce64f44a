"""One host of a lab: an address, a folder, maybe a PostgreSQL, maybe a repld.

DIR/pgdata  data directory        DIR/run        sockets of PostgreSQL and repld
DIR/state   repld's state         DIR/repld.log  what the daemon said; DIR/log/postgresql.log the server
"""
import json
import os
import shutil
import signal
import subprocess
import time
from typing import NamedTuple

from . import processes, sandbox, settings
from .sql import Connection


class Outcome(NamedTuple):
    """How a command ended."""
    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self):
        return json.loads(self.out)


class Host:
    def __init__(self, lab, name, number, role="data", options=None):
        self.lab, self.name, self.number, self.role = lab, name, number, role
        # What a test wants different from the usual; see settings.py for the names.
        self.options = dict(options or {})
        self.node_id = self.options.get("id", number)
        self.node_name = self.options.get("name", name)
        self.dir = os.path.join(lab.dir, name)
        self.data = os.path.join(self.dir, "pgdata")
        self.run_dir = os.path.join(self.dir, "run")
        self.config = os.path.join(self.dir, "repld.yaml")
        self.key_file = os.path.join(self.dir, "cluster.key")
        self.repld_log = os.path.join(self.dir, "repld.log")
        self.server_log = os.path.join(self.dir, "log", "postgresql.log")
        self.address, self.port = lab.network.add(name, number)
        self.peer = f"{self.address}:7432"
        self.daemon = None
        for folder in (self.dir, self.run_dir, os.path.join(self.dir, "state"), os.path.join(self.dir, "log")):
            os.mkdir(folder, 0o755 if folder == self.dir else 0o700)
            sandbox.give(folder)
        settings.write_repld(self)

    # ---- commands -------------------------------------------------------------------------------------

    def words(self, command, unprivileged=True):
        """The full command line that runs `command` on this host."""
        return [*self.lab.network.enter(self.name), *(sandbox.unprivileged() if unprivileged else []), *command]

    def run(self, *command, limit=60, check=True):
        """Runs a command on this host as the servers' OS user; raises when it fails, unless check=False."""
        begin = time.monotonic()
        done = subprocess.run(self.words(command), cwd=self.dir, capture_output=True, text=True, timeout=limit,
                              stdin=subprocess.DEVNULL, env=self.environment())
        outcome = Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)
        if check and outcome.code != 0:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: exit code {outcome.code}\n"
                               f"{outcome.out}{outcome.err}")
        return outcome

    def replctl(self, *command, limit=60, check=True, form=None):
        """`form` is the output format; "json" is what Outcome.json reads."""
        flags = ["--config", self.config] + (["--format", form] if form else [])
        return self.run(self.lab.binary("replctl"), *flags, *command, limit=limit, check=check)

    def environment(self):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("PG", "REPLD", "NOTIFY_SOCKET"))}
        return dict(kept, HOME=self.dir, LC_ALL="C.UTF-8")

    # ---- PostgreSQL -----------------------------------------------------------------------------------

    def pg(self, program, *arguments, limit=60, check=True):
        return self.run(os.path.join(self.lab.bin_dir, program), *arguments, limit=limit, check=check)

    def initdb(self):
        """A fresh cluster of its own in the data directory, configured, not started."""
        extra = ["--data-checksums"] if self.options.get("checksums") else []
        self.pg("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                "--no-sync", *extra)
        settings.write_postgres(self)

    def start_server(self, limit=60):
        self.pg("pg_ctl", "start", "-D", self.data, "-w", "-t", str(limit), "-s", "-l",
                os.path.join(self.dir, "log", "start.log"), limit=limit + 5)

    def stop_server(self, how="fast", check=True):
        self.pg("pg_ctl", "stop", "-D", self.data, "-m", how, "-w", "-s", check=check)

    @property
    def dsn(self):
        """For clients on any host."""
        return f"host={self.address} port={self.port} user=postgres dbname=postgres"

    @property
    def local_dsn(self):
        """By the socket, which is a file: reachable from everywhere here, also while the host is cut off."""
        return f"host={self.run_dir} port={self.port} user=postgres dbname=postgres"

    def sql(self, statement, values=None, database=None, deadline=5.0):
        """Rows of one statement in a connection of its own."""
        dsn = self.local_dsn + (f" dbname={database}" if database else "") + " application_name=lab"
        link = Connection(dsn, deadline)
        try:
            return link.execute(statement, values, deadline)
        finally:
            link.close()

    def value(self, statement, values=None, database=None, deadline=5.0):
        return self.sql(statement, values, database, deadline)[0][0]

    def postmaster(self):
        """The pid of the living postmaster, or None."""
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8") as file:
                pid = int(file.readline())
        except (OSError, ValueError):
            return None
        return pid if processes.alive(pid) else None

    def backends(self):
        pid = self.postmaster()
        return processes.children(pid) if pid else []

    def kill_postmaster(self, number=signal.SIGKILL):
        """kill -9 and no more; returns CLOCK_MONOTONIC ns of just before."""
        pid = self.postmaster()
        if pid is None:
            raise RuntimeError(f"{self.name}: no postmaster to kill")
        moment = time.monotonic_ns()
        os.kill(pid, number)
        return moment

    def freeze_server(self):
        """SIGSTOP to the postmaster and all of its children."""
        pids = [self.postmaster(), *self.backends()]
        for pid in filter(None, pids):
            processes.send(pid, signal.SIGSTOP)
        return pids

    # ---- repld ----------------------------------------------------------------------------------------

    def start_daemon(self):
        if self.daemon is not None and self.daemon.poll() is None:
            raise RuntimeError(f"{self.name}: repld runs already")
        with open(self.repld_log, "ab") as log:
            self.daemon = subprocess.Popen(self.words([self.lab.binary("repld"), "--config", self.config]),
                                           cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env=self.environment(), start_new_session=True)

    def stop_daemon(self, number=signal.SIGTERM, limit=15):
        """Its exit code; SIGKILL follows and TimeoutError is raised when it does not end in time."""
        if self.daemon is None:
            return None
        self.daemon.send_signal(number)
        try:
            return self.daemon.wait(limit)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
            raise TimeoutError(f"{self.name}: repld did not end within {limit} s of signal {number}") from None
        finally:
            self.daemon = None

    def daemon_runs(self):
        return self.daemon is not None and self.daemon.poll() is None

    def log_text(self):
        try:
            with open(self.repld_log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # ---- the whole host -------------------------------------------------------------------------------

    def pids(self):
        """Every living process of this host; clients that the lab started are none of it."""
        inode = self.lab.network.inode(self.name)
        found = processes.in_network(inode) if inode else processes.belonging_to(self.dir)
        return [pid for pid in found if pid not in self.lab.client_pids()]

    def power_off(self):
        """Everything on the host dies at once; nothing is told to anybody."""
        pids = self.pids()
        for pid in pids:
            processes.send(pid, signal.SIGSTOP)
        pids = sorted(set(pids) | set(self.pids()))
        for pid in pids:
            processes.send(pid, signal.SIGKILL)
        if not processes.wait_gone(pids, 10):
            raise RuntimeError(f"{self.name}: processes survive SIGKILL")
        if self.daemon is not None:
            self.daemon.wait()
            self.daemon = None

    def wipe_data(self):
        """An empty data directory, as before the first clone."""
        shutil.rmtree(self.data, ignore_errors=True)

    def close(self):
        """Ends what runs here. The daemon goes first: it would start its server again."""
        if self.daemon_runs():
            self.daemon.terminate()
            try:
                self.daemon.wait(3)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        processes.end_all(self.pids(), grace=0)
