"""Who may come in: keys, tokens, ids, names."""
import os
import time

import pytest

from conftest import SETTINGS
from lab import settings
from lab.host import Host
from lab.lab import copy_key, wait_for


@pytest.fixture(scope="module")
def trio_shelf():
    """n1..n3 and w, and two hosts that are not members: x claims n2's id, y its name."""
    from conftest import Shelf, needs_product
    needs_product()

    def build(lab):
        lab.build(data=3, witness=True, settings_=SETTINGS)
        lab.add("x", 21, id=2, name="other")
        lab.add("y", 22, id=4, name="n2")
        lab.each(Host.initdb, [lab["x"], lab["y"]])
    shelf = Shelf(build)
    yield shelf
    shelf.drop()


@pytest.fixture
def members(trio_shelf, request):
    lab = trio_shelf.take()
    for name in ("x", "y"):
        if not lab[name].daemon_runs():
            lab.start_daemon(lab[name])
    yield lab
    whole = [lab[name] for name in ("n1", "n2", "n3", "w")]
    lab.wait_healthy(members=whole)


def fingerprint(host):
    """Enough to notice that somebody touched a data directory."""
    control = os.path.join(host.data, "global", "pg_control")
    with open(control, "rb") as file:
        return file.read(), sorted(os.listdir(host.data))


@pytest.mark.parametrize("name", ["x", "y"])
def test_second_node_of_one_id_or_name_is_refused(members, name):
    stranger, holder = members[name], members["n2"]
    before, walreceiver = fingerprint(stranger), holder.sql("select pid from pg_stat_wal_receiver")
    outcome = members.join(stranger, members["n1"], replace=True, check=False)
    assert outcome.code == 2, outcome
    assert "ERROR:" in outcome.err and holder.address in outcome.err, "says who has it"
    assert fingerprint(stranger) == before
    assert holder.sql("select pid from pg_stat_wal_receiver") == walreceiver, "the running node is untouched"
    assert len(members.show(members["n1"])["nodes"]) == 4


def test_data_directory_is_not_replaced_unasked(members):
    y = members["y"]
    y.node_name, y.node_id = "y", 5
    settings.write_repld(y)
    y.stop_daemon()
    members.start_daemon(y)
    before = fingerprint(y)
    outcome = members.join(y, members["n1"], replace=False, check=False)
    assert outcome.code == 2 and "--replace" in outcome.err, outcome
    assert fingerprint(y) == before
    y.node_name, y.node_id = "n2", 4
    settings.write_repld(y)
    y.stop_daemon()


def test_wrong_or_used_token_is_refused(members):
    x = members["x"]
    token = members["n1"].replctl("cluster", "token").out.strip()
    wrong = token[:-3] + ("aaa" if token[-3:] != "aaa" else "bbb")
    outcome = x.replctl("node", "join", members["n1"].peer, "--token", wrong, "--replace", check=False)
    assert outcome.code in (1, 2, 3) and "ERROR:" in outcome.err, outcome
    assert len(members.show(members["n1"])["nodes"]) == 4


def test_wrong_key_is_refused_and_logged_once_a_minute(members):
    """A member whose key file was exchanged: it is out, the rest goes on, and nobody's log is flooded."""
    witness = members["w"]
    with open(witness.key_file, encoding="utf-8") as file:
        right = file.read()
    digits = "".join(chr(ord(c) ^ 1) if c in "0123456789" else c for c in right)
    assert digits != right
    witness.stop_daemon()
    start = {name: len(members[name].log_text()) for name in ("n1", "n2", "n3", "w")}
    with open(witness.key_file, "w", encoding="utf-8") as file:
        file.write(digits)
    witness.start_daemon()
    moment = time.monotonic()

    def unreachable():
        nodes = {node["name"]: node for node in members.show(members["n1"])["nodes"]}
        return not nodes["w"]["reachable"]
    wait_for(unreachable, 15, "the node with the wrong key is unreachable")
    while time.monotonic() - moment < 12:
        time.sleep(0.2)   # the time in which a flood would show
    for name in ("n1", "n2", "n3"):
        fresh = members[name].log_text()[start[name]:]
        lines = [line for line in fresh.splitlines()
                 if any(word in line.lower() for word in ("key", "tls", "handshake", "psk"))]
        assert 1 <= len(lines) <= 4, f"{name}:\n" + "\n".join(lines)
    assert members.primary()
    witness.stop_daemon(9)
    with open(witness.key_file, "w", encoding="utf-8") as file:
        file.write(right)
    members.start_daemon(witness)


def test_copied_key_admits_without_token(members):
    """The key file is on the host already, as an operator's automation puts it there."""
    x = members["x"]
    x.stop_daemon()
    x.node_id, x.node_name = 6, "x"
    settings.write_repld(x)
    copy_key(members["n1"], x)
    members.start_daemon(x)
    outcome = members.join(x, members["n1"], token=False, replace=True)
    assert outcome.code == 0
    whole = [members[name] for name in ("n1", "n2", "n3", "w", "x")]
    members.wait_healthy(members=whole)
    kept = [name for name in os.listdir(x.dir) if name.startswith("pgdata") and name != "pgdata"]
    assert kept, "the replaced directory is set aside, not deleted"
    with open(os.path.join(x.data, "postgresql.conf"), encoding="utf-8") as file:
        assert "# host x" in file.read(), "its own postgresql.conf"
