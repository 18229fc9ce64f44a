"""Where a lab lives: mount, network and process namespaces of its own.

The program re-runs itself inside them, so nothing of a lab is visible to the machine (no address, no
bridge, no name under /run/netns), two labs never meet, and the kernel ends every process of a lab when
its first process ends, also after SIGKILL. Three modes, tried in this order:

  root      as root: namespaces; PostgreSQL and repld run as the OS user "postgres"
  user      as anybody where unprivileged user namespaces are allowed: we are root inside, and PostgreSQL,
            which refuses root, runs in a nested user namespace under another number
  loopback  no namespaces (most containers): addresses of 127.0.0.0/8 and a port per host; nothing can be
            cut off, and whoever wanted to says that it was skipped

LAB_MODE forces one. LAB_TMP is where the lab's directory is made (default /tmp: socket paths are short).
"""
import ctypes
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ISOLATE = ["--mount", "--net", "--pid", "--fork", "--mount-proc"]
AS_ROOT_INSIDE = ["--user", "--map-root-user"]
PR_SET_CHILD_SUBREAPER = 36

# The first process of the namespaces. A shell, because it reaps what is orphaned: a postmaster whose
# pg_ctl has ended must not stay a zombie here when it would not on a real machine.
INIT = """
mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/netns && ip link set lo up || exit 70
"$@"
rc=$?
[ -e "$LAB_DIR/keep" ] || exit $rc
echo $rc > "$LAB_DIR/finished"
exec >/dev/null 2>&1 </dev/null
while :; do sleep 3600 & wait $!; done
"""


def mode():
    """The mode this process runs in, or None outside of a sandbox."""
    return os.environ.get("LAB_SANDBOX")


def directory():
    return os.environ["LAB_DIR"]


def keep_on_failure():
    return os.environ.get("LAB_KEEP") == "1"


def _works(flags):
    """A dry run: what a kernel, a container or a security module forbids shows only when tried."""
    probe = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && ip netns add probe'
    try:
        done = subprocess.run(["unshare", *flags, *ISOLATE, "sh", "-c", probe], timeout=10,
                              stdin=subprocess.DEVNULL, capture_output=True)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def choose():
    forced = os.environ.get("LAB_MODE")
    if forced:
        if forced not in ("root", "user", "loopback"):
            sys.exit(f"LAB_MODE must be root, user or loopback, not {forced!r}")
        return forced
    if os.geteuid() == 0 and _works([]):
        return "root"
    if os.geteuid() != 0 and _works(AS_ROOT_INSIDE):
        return "user"
    return "loopback"


def server_user():
    """(uid, gid, name) that PostgreSQL runs as; the name must exist, initdb looks it up."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid, name
        except KeyError:
            continue
    raise RuntimeError("neither the OS user postgres nor nobody exists")


def unprivileged():
    """The words in front of a command that make it run as the OS user of the servers."""
    if mode() == "user":
        uid, gid, _ = server_user()
        return ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--"]
    if os.geteuid() == 0:
        uid, gid, _ = server_user()
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups", "--"]
    return []


def give(path):
    """Makes a file or folder the server user's."""
    if os.geteuid() == 0 and mode() != "user":
        uid, gid, _ = server_user()
        os.chown(path, uid, gid)


def run(argv, keep=False):
    """Runs argv inside a new sandbox and returns its exit code. The directory is removed afterwards unless
    it is to be kept, or the command failed and LAB_KEEP=1. With keep the sandbox outlives this call."""
    chosen = choose()
    where = tempfile.mkdtemp(prefix="repld-lab-", dir=os.environ.get("LAB_TMP", "/tmp"))
    os.chmod(where, 0o755)
    environment = dict(os.environ, LAB_SANDBOX=chosen, LAB_DIR=where, PYTHONUNBUFFERED="1")
    command = list(argv)
    if chosen != "loopback":
        flags = AS_ROOT_INSIDE if chosen == "user" else []
        command = ["unshare", *flags, *ISOLATE, "--kill-child", "bash", "-c", INIT, "lab", *command]
    else:
        # Orphans come to us instead of to the machine's first process, which may never reap them (containers), and
        # a postmaster that stays a zombie keeps its data directory locked.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if not keep:
        command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
    child = subprocess.Popen(command, env=environment, start_new_session=keep)
    try:
        code = _supervise(child, where, keep)
    finally:
        _finish(child, chosen, where)
    if os.path.exists(os.path.join(where, "keep")) and (chosen == "loopback" or child.poll() is None):
        _write_tool(child, chosen, where)
        return code
    if code != 0 and keep_on_failure():
        print(f"lab: files kept in {where}", file=sys.stderr)
    else:
        shutil.rmtree(where, ignore_errors=True)
    return code


def _supervise(child, where, keep):
    """Waits for the command. The terminal sends Ctrl-C to both of us: the command tidies up, we wait."""
    asked = []
    old_term = signal.signal(signal.SIGTERM, lambda *_: asked.append(signal.SIGTERM))
    old_int = signal.signal(signal.SIGINT, lambda *_: asked.append(signal.SIGINT))
    finished = os.path.join(where, "finished")
    try:
        while True:
            _reap_orphans(child)
            if child.poll() is not None:
                break
            if os.path.exists(finished) and os.path.getsize(finished):
                with open(finished, encoding="ascii") as file:
                    return int(file.read())
            if signal.SIGTERM in asked or (asked and keep) or len(asked) > 1:
                child.kill()
                child.wait()
                return 130
            time.sleep(0.01)
        return child.returncode if child.returncode >= 0 else 128 - child.returncode
    finally:
        signal.signal(signal.SIGTERM, old_term)
        signal.signal(signal.SIGINT, old_int)


def _reap_orphans(child):
    """Everything that ended except the command itself, which Popen waits for."""
    try:
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid == child.pid:
                return
            os.waitpid(ended.si_pid, 0)
    except ChildProcessError:
        return


def _finish(child, chosen, where):
    """Ends what a killed command left. In namespaces the kernel has done it already."""
    if os.path.exists(os.path.join(where, "keep")):
        return
    if child.poll() is None:
        child.kill()
        child.wait()
    if chosen == "loopback":
        from . import processes
        processes.end_all(processes.belonging_to(where), grace=3)


def _write_tool(child, chosen, where):
    """DIR/lab: look into a kept lab and end it, without knowing about namespaces."""
    first = child.pid
    enter = ""
    if chosen != "loopback":
        with open(f"/proc/{child.pid}/task/{child.pid}/children", encoding="ascii") as file:
            first = int(file.read().split()[0])
        flags = "--user --preserve-credentials " if chosen == "user" else ""
        enter = f"nsenter --target {first} {flags}--mount --net --pid"
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    text = f"""#!/bin/sh
# Looks into the lab in {where} and ends it.
export LAB_SANDBOX={chosen} LAB_DIR={shlex.quote(where)} PYTHONPATH={shlex.quote(here)} PYTHONDONTWRITEBYTECODE=1
if [ "$1" = end ]; then
    {enter} /usr/bin/python3 -m lab.inspect end
    {f'kill -KILL {child.pid}' if enter else ':'}
    rm -rf {shlex.quote(where)}
    exit 0
fi
exec {enter} /usr/bin/python3 -m lab.inspect "$@"
"""
    path = os.path.join(where, "lab")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)
