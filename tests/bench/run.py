#!/usr/bin/python3
"""Measures what users feel, and prints distributions: tests/bench/run.py [names] [--runs N] [--json FILE]

    floor   plain PostgreSQL, two servers, no repld: SIGKILL, then pg_ctl promote to the first write
    kill    failover after SIGKILL of the postmaster
    cut     failover after the primary's host is cut off, lease_duration 2 s
    show    replctl cluster show, everything up and one host cut off
    idle    what the daemon of a data node costs when nothing happens

No name: all of them. Nothing here fails for being slow; a measure that this machine cannot take says so.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import cost, failover, latency  # noqa: E402
from bench.report import Report  # noqa: E402
from lab import sandbox  # noqa: E402
from lab.lab import Lab, find_program  # noqa: E402
from lab.network import Skipped  # noqa: E402

# The floor belongs to every run that measures a failover: same machine, same minute.
MEASURES = {"floor": failover.floor, "kill": failover.kill, "cut": failover.cut, "show": latency.show,
            "idle": cost.idle}
WITHOUT_CLUSTER = {"floor"}
SETTINGS = {"lease_duration": "2s", "heartbeat_interval": "500ms", "failover_limit": "off"}


def run(arguments):
    names = arguments.names or list(MEASURES)
    if "kill" in names and "floor" not in names:
        names.insert(0, "floor")
    report = Report()
    for name in [each for each in names if each in WITHOUT_CLUSTER]:
        with Lab(name) as lab:
            MEASURES[name](lab, report, arguments)
    clustered = [each for each in names if each not in WITHOUT_CLUSTER]
    if clustered:
        # Idle cost is told at default settings; everything else where waiting is short.
        for chosen, settings in (([n for n in clustered if n != "idle"], SETTINGS),
                                 ([n for n in clustered if n == "idle"], {})):
            if chosen:
                with Lab("-".join(chosen)) as lab:
                    lab.build(data=3, witness=True, settings_=settings)
                    for name in chosen:
                        try:
                            MEASURES[name](lab, report, arguments)
                        except Skipped as reason:
                            report.skipped(name, str(reason))
    if arguments.json:
        with sys.stdout if arguments.json == "-" else open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report.values, file, indent=2)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=" ".join(MEASURES))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="how long idle cost is watched (60)")
    parser.add_argument("--json", metavar="FILE", help="also write every value; - is standard output")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in MEASURES:
            parser.error(f"no measure {name!r}; there are {' '.join(MEASURES)}")
    if not sandbox.mode():
        if arguments.names != ["floor"] and find_program("repld") is None:
            sys.exit("repld is not built: build the release preset, or set REPLD_BUILD")
        if arguments.json and arguments.json != "-":
            sys.argv[sys.argv.index(arguments.json)] = os.path.abspath(arguments.json)
        sys.exit(sandbox.run([sys.executable, "-B", os.path.abspath(__file__), *sys.argv[1:]]))
    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
