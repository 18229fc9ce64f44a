"""How long a person waits for an answer."""
import time

from lab.lab import wait_for


def show(lab, report, arguments):
    count = 10 * arguments.runs
    primary = lab.primary()
    # What every command pays here without asking anybody: entering namespaces, loading the program.
    empty = [primary.replctl("--version").seconds * 1e3 for _ in range(count)]
    up = [primary.replctl("cluster", "show", check=False).seconds * 1e3 for _ in range(count)]
    report.title("show: replctl cluster show, the whole command")
    report.distribution("show_version", "for comparison: replctl --version", empty)
    report.distribution("show_up", "all hosts up", up)
    if not lab.network.can_cut:
        report.skipped("show_down", "hosts cannot be cut off on this machine")
        return
    away = next(host for host in lab.data_hosts() if host is not primary)
    lab.network.cut(away.name, "drop")

    def noticed():
        return not all(node["reachable"] for node in lab.show(primary)["nodes"])
    begin = time.monotonic()
    early = [primary.replctl("cluster", "show", check=False).seconds * 1e3 for _ in range(5)]
    wait_for(noticed, 30, "one host is unreachable")
    noticed_after = time.monotonic() - begin
    down = [primary.replctl("cluster", "show", check=False).seconds * 1e3 for _ in range(count)]
    lab.network.heal()
    lab.wait_healthy(60)
    report.distribution("show_early", "right after a host was cut off", early)
    report.distribution("show_down", "one host down", down)
    report.value("show_noticed", "shown as unreachable after", noticed_after, "s")
