#!/usr/bin/python3
"""Runs replctl against a scripted daemon and compares all that it prints with cases/*.txt.

usage: golden.py REPLCTL [--rewrite] [CASE...]     (--rewrite puts what came into the files: read the diff)

A case file tells a story, line by line:
  # text                     a comment
  answer BODY                the daemon's next response body: JSON, or @file of fixtures/
  progress BODY              sent before the next answer
  close | hang | garbage     instead of an answer (see scripted_daemon.py)
  down                       no daemon runs during the next command
  config FILE                fixtures/FILE is repld.yaml from here on ("none": there is no file)
  members JSON               peers.json from here on
  env NAME=VALUE             for the next command
  $ replctl ...              the command; what follows is expected and rewritten:
  request BODY               a request that the daemon got
  out|, err|                 a line of stdout, of stderr
  exit N
In texts $DIR stands for the directory of the run.
"""
import difflib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from scripted_daemon import ScriptedDaemon

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = ("request ", "out|", "err|", "exit ")
COMMAND_SECONDS_MAX = 20


class Host:
    """A directory with the configuration, the run and the state directory of one host."""

    def __init__(self, directory):
        self.directory = directory
        for name in ("run", "state", "data"):
            os.makedirs(os.path.join(directory, name), mode=0o700)
        with open(os.path.join(directory, "cluster.key"), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write("00112233445566778899aabbccddeeff" * 2 + "\n")
        self.use_config("repld.yaml")

    def use_config(self, name):
        path = os.path.join(self.directory, "repld.yaml")
        if name == "none":
            os.unlink(path)
            return
        text = (HERE / "fixtures" / name).read_text()
        with open(path, "w") as file:
            file.write(text.replace("$DIR", self.directory))

    def set_members(self, text):
        with open(os.path.join(self.directory, "state", "peers.json"), "w") as file:
            file.write(text)

    def run(self, replctl, words, steps, daemon_up, extra_env):
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                       "REPLD_CONFIG": os.path.join(self.directory, "repld.yaml")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(extra_env)
        words = [word.replace("$DIR", self.directory) for word in words]
        daemon = ScriptedDaemon(os.path.join(self.directory, "run", "repld.sock"), steps)
        if daemon_up:
            daemon.__enter__()
        try:
            done = subprocess.run([replctl] + words, env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=COMMAND_SECONDS_MAX, cwd="/")
        finally:
            if daemon_up:
                daemon.__exit__()
        lines = ["request " + json.dumps(request, sort_keys=True) for request in daemon.requests]
        for label, data in (("out|", done.stdout), ("err|", done.stderr)):
            text = data.decode().replace(self.directory, "$DIR")
            lines += [label + line for line in text.splitlines()]
            if text and not text.endswith("\n"):
                lines.append(label + "(no line end)")
        if daemon.failure is not None:
            lines.append("err|(scripted daemon: %s)" % daemon.failure)
        return lines + ["exit %d" % done.returncode]


def body_of(text):
    if text.startswith("@"):
        text = (HERE / "fixtures" / text[1:]).read_text()
    return json.loads(text)


def play(replctl, lines):
    """The lines of a case file with the expected ones replaced by what came."""
    directory = tempfile.mkdtemp(prefix="replctl")
    played, steps, progress, env, daemon_up = [], [], [], {}, True
    try:
        host = Host(directory)
        for line in lines:
            if line.startswith(EXPECTED):
                continue
            played.append(line)
            verb, _, rest = line.partition(" ")
            if verb == "answer":
                steps.append({"progress": progress, "answer": body_of(rest)})
                progress = []
            elif verb in ("close", "hang", "garbage"):
                steps.append({"progress": progress, "then": verb})
                progress = []
            elif verb == "progress":
                progress.append(body_of(rest))
            elif verb == "down":
                daemon_up = False
            elif verb == "config":
                host.use_config(rest)
            elif verb == "members":
                host.set_members(rest)
            elif verb == "env":
                name, _, value = rest.partition("=")
                env[name] = value
            elif verb == "$":
                words = shlex.split(rest)
                assert words[0] == "replctl", line
                played += host.run(replctl, words[1:], steps, daemon_up, env)
                steps, progress, env, daemon_up = [], [], {}, True
            elif line and verb != "#":
                raise SystemExit("unknown line: " + line)
    finally:
        shutil.rmtree(directory)
    return played


def main():
    arguments = sys.argv[1:]
    rewrite = "--rewrite" in arguments
    arguments = [argument for argument in arguments if argument != "--rewrite"]
    if not arguments:
        raise SystemExit(__doc__)
    replctl = os.path.abspath(arguments[0])
    cases = [HERE / "cases" / (name + ".txt") for name in arguments[1:]]
    failed = 0
    for case in cases or sorted((HERE / "cases").glob("*.txt")):
        expected = case.read_text().splitlines()
        came = play(replctl, expected)
        if came == expected:
            print("ok   " + case.stem)
        elif rewrite:
            case.write_text("\n".join(came) + "\n")
            print("rewritten " + case.stem)
        else:
            failed += 1
            print("FAIL " + case.stem)
            print("\n".join(difflib.unified_diff(expected, came, "expected", "came", lineterm="")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
