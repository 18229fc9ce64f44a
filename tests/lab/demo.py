"""The main job, end to end, for a person to watch: ./demo.sh runs this.

Three PostgreSQL servers and a witness become a cluster; the primary's postmaster is killed five times; the
primary's host is cut off. Every figure is measured by clients that write unique numbers. --keep leaves the
cluster standing. Exit code 0: everything went as it must; speed is printed, not judged.
"""
import argparse
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import sandbox  # noqa: E402
from lab.host import Host  # noqa: E402
from lab.lab import Lab, NotInTime, find_bin_dir, find_program, wait_for  # noqa: E402

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
SETTINGS = {"lease_duration": "2s", "heartbeat_interval": "500ms", "failover_limit": "off"}
LEASE = 2.0


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def title(text):
    print(f"\n{paint(text, '1')}")


def say(text=""):
    print(f"   {text}" if text else "")


def figure(label, value):
    print(f"   {label:<58} {value}")


class Wrong(Exception):
    """Something that must not happen did."""


def command(host, words, action):
    """One command line as a person would type it, with how long it took."""
    begin = time.monotonic()
    outcome = action()
    print(f"   {host.name + '$':<4} {words:<66} {time.monotonic() - begin:5.1f} s")
    return outcome


def make_cluster(lab):
    title("1. A cluster: one command per host")
    for number in (1, 2, 3):
        lab.add(f"n{number}", number)
    lab.add("w", 9, role="witness")
    lab.each(Host.initdb, lab.data_hosts())
    lab["n1"].start_server()
    for host in lab.hosts.values():
        lab.start_daemon(host)
    say("n1, n2, n3: a fresh initdb each, n1 runs; w has no PostgreSQL; repld runs on all four")
    sets = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    say(paint(f"({sets})", "2"))
    command(lab["n1"], "replctl cluster create", lambda: lab.create("n1", **SETTINGS))
    for name in ("n2", "n3", "w"):
        host = lab[name]
        kind = "witness join" if host.role == "witness" else "node join"
        more = "" if host.role == "witness" else " --replace"
        command(host, f"replctl {kind} {lab['n1'].peer} --token T{more}",
                lambda host=host: lab.join(host, lab["n1"], replace=True))
    lab.wait_healthy()
    show(lab["n1"])


def show(host):
    say()
    say(f"{host.name}$ replctl cluster show")
    for line in host.replctl("cluster", "show", check=False).out.rstrip().splitlines():
        say("  " + line)


def kill_primaries(lab, runs):
    title(f"2. SIGKILL to the primary's postmaster, {runs} times, while a client writes")
    say("killed   new primary   longest gap     lost   back as a standby after")
    gaps = []
    for _ in range(runs):
        primary = lab.primary()
        with lab.writers(outside=True) as record:
            wait_for(lambda: len(record.acknowledged()) > 300, 20, "the client writes")
            moment = primary.kill_postmaster()
            wait_for(lambda: record.reigns(since=moment + 1)[-1:] and
                     record.reigns()[-1].node != primary.name, 30, "the client writes elsewhere")
            healthy = lab.wait_healthy()
            back = (time.monotonic_ns() - moment) / 1e9
        check_reigns(record, [primary.name, healthy.name])
        gap = record.longest_gap(since=moment)
        gaps.append(gap.seconds)
        lost = len(record.lost(healthy))
        say(f"{primary.name:<8} {healthy.name:<13} {gap.seconds * 1000:8.0f} ms {lost:9}   {back:6.1f} s")
    say()
    figure("median of the longest gaps", paint(f"{statistics.median(gaps) * 1000:.0f} ms", "1;32"))


def check_reigns(record, expected):
    seen = [reign.node for reign in record.reigns()]
    if seen != expected:
        raise Wrong(f"writes were acknowledged by {' '.join(seen)}, expected {' '.join(expected)}")


def cut_off(lab):
    title(f"3. The primary's host cut off, lease_duration {LEASE:g} s")
    if not lab.network.can_cut:
        say("skipped: this machine allows no network namespaces (try as root, or outside of a container)")
        return
    primary = lab.primary()
    say(f"a client on every host writes to that host's own server, so {primary.name} is written to all the time")
    say()
    with lab.writers() as record:
        wait_for(lambda: len(record.acknowledged()) > 300, 20, "the clients write")
        moment = time.monotonic_ns()
        lab.network.cut(primary.name)
        wait_for(lambda: record.reigns()[-1].node != primary.name, 30, "another host acknowledges")
        time.sleep(1)   # a cut-off primary that still writes would show now
        new = lab[record.reigns()[-1].node]
        healed = time.monotonic_ns()
        lab.network.heal(primary.name)
        lab.wait_healthy(60)
        back = (time.monotonic_ns() - healed) / 1e9
    check_reigns(record, [primary.name, new.name])
    last, first = record.last(primary.name), record.first(new.name)
    gap = record.longest_gap(since=moment)
    figure(f"{primary.name}, cut off: last acknowledged write", f"{(last - moment) / 1e9:+.3f} s")
    figure(f"{new.name}, new primary: first acknowledged write", f"{(first - moment) / 1e9:+.3f} s")
    figure("nobody acknowledged anything in between; longest gap", paint(f"{gap.seconds:.3f} s", "1;32"))
    after = len(record.acknowledged(primary.name, since=moment))
    figure(f"writes {primary.name} acknowledged after the cut", after)
    figure("of all acknowledged writes, lost (asynchronous mode)", len(record.lost(new)))
    figure(f"cable back in: {primary.name} streams from {new.name} again after", f"{back:.1f} s")
    show(new)


def switch_over(lab):
    """Only where this build has the command."""
    asked = lab["n1"].replctl("standby", "switchover", "--help", check=False)
    if asked.code != 0 or "switchover" not in asked.out:
        return
    title("4. Switchover, while a client writes")
    primary = lab.primary()
    target = next(host for host in lab.data_hosts() if host is not primary)
    with lab.writers(outside=True) as record:
        wait_for(lambda: len(record.acknowledged()) > 300, 20, "the client writes")
        moment = time.monotonic_ns()
        command(target, "replctl standby switchover", lambda: target.replctl("standby", "switchover"))
        new = lab.wait_healthy()
    figure("longest gap", f"{record.longest_gap(since=moment).seconds * 1000:.0f} ms")
    figure("lost", len(record.lost(new)))


def run(arguments):
    places = {"root": "each on a host of its own (a network namespace)",
              "user": "each on a host of its own (a network namespace, made without root)",
              "loopback": "on loopback addresses (this machine allows no namespaces)"}
    version = os.path.basename(os.path.dirname(find_bin_dir()))
    print(paint(f"repld: three PostgreSQL {version} servers and a witness, {places[sandbox.mode()]}", "1"))
    lab = Lab("demo")
    kept = False
    try:
        make_cluster(lab)
        kill_primaries(lab, arguments.runs)
        cut_off(lab)
        switch_over(lab)
        if arguments.keep:
            kept = keep(lab)
        return 0
    except (Wrong, NotInTime, RuntimeError) as error:
        print(f"\n{paint('FAILED', '1;31')}: {error}\n\n{lab.diagnosis()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    finally:
        if not kept:
            lab.close(keep=sandbox.keep_on_failure())
            print("\nall ended, nothing left behind" if not sandbox.keep_on_failure() else "\nall ended")


def keep(lab):
    folder = sandbox.directory()
    title("The cluster stays up")
    for words, what in (("show", "how it is"), ("psql n1", "SQL on a host"), ("log n1", "what its daemon says"),
                        ("ctl n1 cluster event", "any replctl command"), ("shell n1", "a shell on the host"),
                        ("end", "ends everything and removes the files")):
        say(f"{folder}/lab {words:<22} {paint(what, '2')}")
    with open(os.path.join(folder, "keep"), "w", encoding="ascii"):
        return True


def main():
    parser = argparse.ArgumentParser(description="Shows a cluster surviving a killed and a cut-off primary.")
    parser.add_argument("--keep", action="store_true", help="leave the cluster standing")
    parser.add_argument("--runs", type=int, default=5, help="how often the postmaster is killed (5)")
    arguments = parser.parse_args()
    if not sandbox.mode():
        if find_program("repld") is None:
            sys.exit("repld is not built; ./demo.sh builds it")
        sys.exit(sandbox.run([sys.executable, os.path.abspath(__file__), *sys.argv[1:]], keep=arguments.keep))
    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
