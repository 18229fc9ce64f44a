"""Processes by number: who lives, who belongs where, how to end them without pattern matching.

A process that answers kill(pid, 0) may be a zombie; only its state in /proc tells.
"""
import os
import signal
import time


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def state(pid):
    """One letter as in ps: R, S, D, T, Z ...; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid):
    """Living direct children."""
    found = []
    for other in all_pids():
        try:
            with open(f"/proc/{other}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields and fields[0] not in ("Z", "X") and int(fields[1]) == pid:
            found.append(other)
    return found


def in_network(inode):
    """Living processes in the network namespace of that inode number."""
    found = []
    for pid in all_pids():
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino == inode and alive(pid):
                found.append(pid)
        except OSError:
            continue
    return found


def belonging_to(folder):
    """Living processes whose working directory is in a folder: servers work in their data directory, and the
    lab starts everything else in its host's folder."""
    folder = os.path.join(os.path.realpath(folder), "")
    found = []
    for pid in all_pids():
        try:
            where = os.path.join(os.readlink(f"/proc/{pid}/cwd"), "")
        except OSError:
            continue
        if where.startswith(folder) and pid != os.getpid() and alive(pid):
            found.append(pid)
    return found


def send(pid, number):
    """False when the process is gone."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def wait_gone(pids, limit):
    """True when none of them lives within `limit` seconds."""
    end = time.monotonic() + limit
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def end_all(pids, grace):
    """SIGTERM, `grace` seconds, SIGKILL; returns those that live on (there should be none)."""
    pids = [pid for pid in pids if alive(pid)]
    if grace > 0:
        for pid in pids:
            send(pid, signal.SIGTERM)
        if wait_gone(pids, grace):
            return []
    for pid in pids:
        send(pid, signal.SIGKILL)
    wait_gone(pids, 5)
    return [pid for pid in pids if alive(pid)]
