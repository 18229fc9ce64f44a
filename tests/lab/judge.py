"""What writers were told, and what follows from it: gaps, overlaps, losses.

Labels ("n2 is the primary") are no evidence here. All times are ns of CLOCK_MONOTONIC, which every host of a
lab shares with us; repld itself never sees that they do.
"""
import os
from typing import NamedTuple

from .sql import Connection


class Write(NamedTuple):
    writer: str
    number: int
    start: int
    end: int
    node: str
    reason: str   # empty when acknowledged


class Gap(NamedTuple):
    """Between two acknowledged writes that follow each other."""
    seconds: float
    at: int            # when the first of the two was acknowledged
    before: str        # node that acknowledged it
    after: str


class Reign(NamedTuple):
    """Consecutive acknowledgements of one node, whoever wrote."""
    node: str
    first: int
    last: int
    writes: int


def prepare(primary):
    """The table that writers write to; empty."""
    link = Connection(primary.local_dsn)
    try:
        link.execute("create table if not exists lab_written (writer text, number bigint,"
                     " primary key (writer, number))")
        link.execute("truncate lab_written")
    finally:
        link.close()


class Record:
    def __init__(self):
        self._clients = []
        self._read = {}
        self._acknowledged = []
        self._refused = []

    def follow(self, client):
        self._clients.append(client)
        self._read[client.name] = [0, b""]

    def refresh(self):
        """Reads what the writers have noted since the last time."""
        fresh = False
        for client in self._clients:
            if not os.path.exists(client.path):
                continue
            place = self._read[client.name]
            with open(client.path, "rb") as file:
                file.seek(place[0])
                text = file.read()
            place[0] += len(text)
            lines = (place[1] + text).split(b"\n")
            place[1] = lines.pop()
            for line in lines:
                fresh |= self._take(client, line.decode("ascii").split(" "))
        if fresh:
            self._acknowledged.sort(key=lambda write: write.end)

    def _take(self, client, words):
        if words[0] == "C":
            return False
        node = client.host_names.get(words[4], words[4])
        write = Write(client.name, int(words[1]), int(words[2]), int(words[3]), node, " ".join(words[5:]))
        (self._acknowledged if words[0] == "A" else self._refused).append(write)
        return words[0] == "A"

    def acknowledged(self, node=None, since=0, writer=None):
        """In the order of their acknowledgement."""
        self.refresh()
        return [write for write in self._acknowledged
                if write.end >= since and (node is None or write.node == node)
                and (writer is None or write.writer.startswith(writer))]

    def refused(self, node=None, since=0):
        self.refresh()
        return [write for write in self._refused if write.end >= since and (node is None or write.node == node)]

    def longest_gap(self, since=0, until=None, writer=None):
        """The longest time between two acknowledgements of anybody (or one writer) of which the second came
        after `since`; `until` closes an interval in which nothing more was acknowledged."""
        writes = self.acknowledged(writer=writer)
        longest = Gap(0.0, 0, "", "")
        for first, second in zip(writes, writes[1:]):
            if second.end < since or (until is not None and first.end > until):
                continue
            seconds = (second.end - first.end) / 1e9
            if seconds > longest.seconds:
                longest = Gap(seconds, first.end, first.node, second.node)
        if until is not None and writes and (until - writes[-1].end) / 1e9 > longest.seconds:
            longest = Gap((until - writes[-1].end) / 1e9, writes[-1].end, writes[-1].node, "")
        return longest

    def reigns(self, since=0):
        """Who acknowledged, in turn. Two servers that acknowledge at the same time show as A B A B."""
        found = []
        for write in self.acknowledged(since=since):
            if found and found[-1].node == write.node:
                found[-1] = found[-1]._replace(last=write.end, writes=found[-1].writes + 1)
            else:
                found.append(Reign(write.node, write.end, write.end, 1))
        return found

    def last(self, node):
        writes = self.acknowledged(node)
        return writes[-1].end if writes else None

    def first(self, node, after=0):
        return next((write.end for write in self.acknowledged(node) if write.end > after), None)

    def lost(self, host):
        """Acknowledged writes that are not on this server (the primary, at the end)."""
        present = {tuple(row) for row in host.sql("select writer, number from lab_written", deadline=30)}
        return [write for write in self.acknowledged() if (write.writer, write.number) not in present]
