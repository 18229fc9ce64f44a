"""A client that writes unique numbers, one transaction at a time, and remembers what it was told.

Run as a program: python3 -m lab.writer NAME FILE PACE HOST:PORT [HOST:PORT ...]. With several addresses it
looks for the primary as a libpq client with target_session_attrs=read-write does; each attempt begins with
another host, because an asynchronous libpq waits for one that does not answer longer than we want to.

Lines of FILE, times in ns of CLOCK_MONOTONIC:
    A NUMBER START END HOST           acknowledged
    F NUMBER START END HOST REASON    sent, not acknowledged; it may be there nevertheless
    C START END REASON                no connection
"""
import signal
import sys
import time

import psycopg2

from lab.sql import Connection, TimedOut

CONNECT_DEADLINE = 0.15
STATEMENT_DEADLINE = 1.0
# After a refusal: short enough to add little to a measured gap, long enough to leave the CPU to the servers.
RETRY_PAUSE = 0.004
FLUSH_EVERY = 0.02


class Writer:
    def __init__(self, name, path, pace, addresses):
        self._name, self._pace, self._addresses = name, pace, addresses
        self._file = open(path, "w", encoding="ascii", buffering=1 << 16)
        self._flushed = 0.0
        self._attempt = 0
        self._number = 0
        self._link = None
        self._running = True
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _stop(self, *_):
        self._running = False

    def _note(self, *words):
        self._file.write(" ".join(str(word) for word in words) + "\n")

    def _conninfo(self):
        turn = self._attempt % len(self._addresses)
        order = self._addresses[turn:] + self._addresses[:turn]
        hosts = ",".join(host for host, _ in order)
        ports = ",".join(port for _, port in order)
        wanted = " target_session_attrs=read-write" if len(order) > 1 else ""
        # Refused inserts on standbys would fill the servers' logs.
        return (f"host={hosts} port={ports} user=postgres dbname=postgres application_name={self._name}"
                f" options='-c log_min_messages=panic'{wanted}")

    def _connect(self):
        self._attempt += 1
        start = time.monotonic_ns()
        try:
            self._link = Connection(self._conninfo(), CONNECT_DEADLINE)
        except psycopg2.Error as error:
            self._note("C", start, time.monotonic_ns(), _reason(error))

    def _write(self):
        self._number += 1
        host = self._link.host
        start = time.monotonic_ns()
        try:
            self._link.execute("insert into lab_written values (%s, %s)", (self._name, self._number),
                               STATEMENT_DEADLINE)
        except psycopg2.Error as error:
            self._note("F", self._number, start, time.monotonic_ns(), host, _reason(error))
            # A standby that refuses keeps its connection: it may be the primary a moment later. A client that
            # roams looks elsewhere instead.
            if error.pgcode != "25006" or len(self._addresses) > 1:
                self._link.close()
                self._link = None
            return False
        self._note("A", self._number, start, time.monotonic_ns(), host)
        return True

    def run(self):
        while self._running:
            if self._link is None:
                self._connect()
            written = self._link is not None and self._write()
            now = time.monotonic()
            if now - self._flushed > FLUSH_EVERY:
                self._file.flush()
                self._flushed = now
            time.sleep(self._pace if written else RETRY_PAUSE)
        if self._link is not None:
            self._link.close()
        self._file.close()


def _reason(error):
    if isinstance(error, TimedOut):
        return "timed_out"
    return error.pgcode or "_".join(str(error).split())[-80:] or type(error).__name__


if __name__ == "__main__":
    Writer(sys.argv[1], sys.argv[2], float(sys.argv[3]), [tuple(a.split(":")) for a in sys.argv[4:]]).run()
