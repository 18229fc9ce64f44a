"""The wires between hosts.

In namespaces every host has its own network namespace with one interface, eth0, and the lab's own one is
the switch: a bridge, which also has an address for clients that sit on no host. What is cut is what a real
network loses. Connections inside of a host, also to its own address, always go on.

All cuts but "link" are kept as a set of (from, to) pairs and written into one iptables chain per host,
INPUT only: the sender notices nothing, packets vanish, as with a broken switch.
"""
import json
import os
import subprocess

PREFIX = "10.213.77."
CLIENT = 254


class Skipped(Exception):
    """This machine cannot do what was asked for; says why."""


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def enter(name):
    """The words in front of a command that run it on a host of this sandbox."""
    return ["nsenter", f"--net=/run/netns/{name}", "--"]


class Namespaces:
    can_cut = True
    net = PREFIX + "0/24"
    port = 5432

    def __init__(self):
        self._hosts = {}
        self._lost = set()
        _run("ip", "link", "add", "switch", "type", "bridge", "forward_delay", "0")
        _run("ip", "address", "add", f"{PREFIX}{CLIENT}/24", "dev", "switch")
        _run("ip", "link", "set", "switch", "up")

    def add(self, name, number):
        """A host with its cable plugged in; returns (address, port of PostgreSQL)."""
        if not 1 <= len(name) <= 10:
            raise ValueError(f"host name {name!r}: 1 to 10 characters, it becomes an interface name")
        address = f"{PREFIX}{number}"
        self._hosts[name] = address
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", f"to-{name}", "master", "switch", "up")
        inside = ["ip", "-n", name]
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "address", "add", f"{address}/24", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        # Made by each host at its creation and only filled later: a cut is one short command.
        self._tables(name, "-N", "LAB")
        self._tables(name, "-A", "INPUT", "-i", "eth0", "-j", "LAB")
        return address, self.port

    def enter(self, name):
        return enter(name)

    def inode(self, name):
        return os.stat(f"/run/netns/{name}").st_ino

    def cut(self, name, how="link"):
        """`link`: the cable is out (the host may notice). `drop`: packets vanish both ways."""
        if how == "link":
            _run("ip", "link", "set", f"to-{name}", "down")
            return
        if how != "drop":
            raise ValueError(how)
        for other in self._hosts:
            if other != name:
                self._lost |= {(name, other), (other, name)}
        self._apply(self._hosts)
        self._tables(name, "-A", "LAB", "-j", "DROP")

    def cut_pair(self, a, b):
        self._lost |= {(a, b), (b, a)}
        self._apply([a, b])

    def cut_one_way(self, sender, receiver):
        self._lost.add((sender, receiver))
        self._apply([receiver])

    def heal(self, name=None):
        """Everything that touches this host, or everything."""
        names = [name] if name else list(self._hosts)
        self._lost = {pair for pair in self._lost if not set(pair) & set(names)}
        for each in names:
            _run("ip", "link", "set", f"to-{each}", "up")
        self._apply(self._hosts)

    def _apply(self, names):
        for name in names:
            self._tables(name, "-F", "LAB")
            for sender, receiver in sorted(self._lost):
                if receiver == name:
                    self._tables(name, "-A", "LAB", "-s", self._hosts[sender], "-j", "DROP")

    def _tables(self, name, *words):
        _run(*self.enter(name), "iptables", "-w", *words)

    def traffic(self, name):
        """(bytes received, bytes sent) of a host's cable since it was made."""
        link = json.loads(_run("ip", "-n", name, "-j", "-s", "link", "show", "eth0"))[0]
        counted = link.get("stats64") or link["stats"]
        return counted["rx"]["bytes"], counted["tx"]["bytes"]

    def close(self):
        # A namespace goes away some time after its name does; its cable must be gone at once.
        for name in self._hosts:
            subprocess.run(["ip", "link", "delete", f"to-{name}"], capture_output=True, timeout=20)
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=20)
        subprocess.run(["ip", "link", "delete", "switch"], capture_output=True, timeout=20)


class Loopback:
    """Every host is an address of 127.0.0.0/8 with a port of its own. Nothing can be cut."""
    can_cut = False
    net = "127.0.0.0/8"

    def __init__(self):
        self._number = 20 + os.getpid() % 200

    def add(self, name, number):
        return f"127.77.{self._number}.{number}", 15400 + number + 20 * (os.getpid() % 200)

    def enter(self, name):
        return []

    def inode(self, name):
        return None

    def _refuse(self, *_, **__):
        raise Skipped("hosts cannot be cut off: this machine allows no network namespaces")

    cut = cut_pair = cut_one_way = traffic = _refuse

    def heal(self, name=None):
        pass

    def close(self):
        pass
