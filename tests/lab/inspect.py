"""Looks into a lab that was left standing and ends it; run by its DIR/lab, inside of its namespaces.

    DIR/lab show             cluster show, asked on the first host
    DIR/lab ctl HOST ...     replctl on a host
    DIR/lab psql HOST        a session with the host's own server
    DIR/lab shell HOST       a shell on the host (ip, ping, kill ...)
    DIR/lab log HOST         what its daemon said
    DIR/lab end              ends everything and removes the folder
"""
import glob
import json
import os
import sys

from . import network, processes, sandbox


def main(words):
    verb = words[0] if words else ""
    if verb == "end":
        if sandbox.mode() == "loopback":
            processes.end_all(processes.belonging_to(sandbox.directory()), grace=3)
        return 0
    found = glob.glob(os.path.join(sandbox.directory(), "*", "hosts.json"))
    if not found or verb not in ("show", "ctl", "psql", "shell", "log"):
        print(__doc__.strip(), file=sys.stderr)
        return 1
    with open(found[0], encoding="utf-8") as file:
        lab = json.load(file)
    hosts = {host["name"]: host for host in lab["hosts"]}
    name = words[1] if len(words) > 1 else next(iter(hosts))
    if name not in hosts:
        print(f"no host {name!r}; there are: {' '.join(hosts)}", file=sys.stderr)
        return 1
    host = hosts[name]
    enter = [] if sandbox.mode() == "loopback" else network.enter(name)
    control = [os.path.join(sandbox.directory(), "bin", "replctl"), "--config", host["config"]]
    command = {
        "show": [*enter, *sandbox.unprivileged(), *control, "cluster", "show"],
        "ctl": [*enter, *sandbox.unprivileged(), *control, *words[2:]],
        "psql": [os.path.join(lab["bin_dir"], "psql"), "-h", os.path.join(host["dir"], "run"),
                 "-p", str(host["port"]), "-U", "postgres", *words[2:]],
        "shell": [*enter, "bash"],
        "log": ["cat", os.path.join(host["dir"], "repld.log")],
    }[verb]
    os.chdir(host["dir"])
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
