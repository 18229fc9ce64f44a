"""One PostgreSQL connection that never waits longer than it was told.

libpq counts its own connect_timeout in whole seconds and has none for statements, hence psycopg2 in its
asynchronous mode with poll() and deadlines of our own. All durations are seconds.
"""
import select
import time

import psycopg2
from psycopg2 import extensions


class TimedOut(psycopg2.OperationalError):
    pass


class Connection:
    def __init__(self, conninfo, deadline=3.0):
        """Raises psycopg2.Error or TimedOut."""
        self._link = None
        end = time.monotonic() + deadline
        self._link = psycopg2.connect(conninfo, async_=1)
        try:
            self._wait(end)
        except BaseException:
            self.close()
            raise
        self._cursor = self._link.cursor()

    def _wait(self, end):
        link = self._link
        while True:
            wanted = link.poll()
            if wanted == extensions.POLL_OK:
                return
            left = end - time.monotonic()
            if left <= 0:
                raise TimedOut("timed out")
            # The descriptor changes while libpq goes through several hosts, so it is asked for each time.
            poller = select.poll()
            poller.register(link.fileno(), select.POLLIN if wanted == extensions.POLL_READ else select.POLLOUT)
            poller.poll(left * 1000)

    def execute(self, statement, values=None, deadline=5.0):
        """Rows, or None for a statement that returns none. After an exception other than a plain SQL error
        the connection is of no more use."""
        self._cursor.execute(statement, values)
        self._wait(time.monotonic() + deadline)
        return self._cursor.fetchall() if self._cursor.description else None

    @property
    def host(self):
        """The host of a list that libpq settled on."""
        return self._link.info.host

    def close(self):
        if self._link is not None:
            self._link.close()
