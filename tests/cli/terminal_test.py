#!/usr/bin/python3
"""What replctl does on a terminal only: colours, a progress bar, the token within the command to type.

usage: terminal_test.py REPLCTL
"""
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import unittest

from golden import Host, body_of
from scripted_daemon import ScriptedDaemon

REPLCTL = ""
RED = "\x1b[31m"


class Terminal(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="replctl")
        self.host = Host(self.directory)

    def tearDown(self):
        shutil.rmtree(self.directory)

    def run_command(self, words, steps, **extra_env):
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "xterm",
                       "REPLD_CONFIG": os.path.join(self.directory, "repld.yaml")}
        environment.update(extra_env)
        ours, theirs = pty.openpty()
        with ScriptedDaemon(os.path.join(self.directory, "run", "repld.sock"), steps):
            process = subprocess.Popen([REPLCTL] + words, env=environment, stdout=theirs,
                                       stderr=theirs, stdin=subprocess.DEVNULL, cwd="/")
            os.close(theirs)
            data = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other end was closed
                    break
                if not part:
                    break
                data += part
            process.wait(timeout=10)
        os.close(ours)
        return data.decode()

    def test_troubles_are_red_unless_colours_are_refused(self):
        step = {"answer": body_of("@show_troubled.json")}
        self.assertIn(RED, self.run_command(["cluster", "show"], [step]))
        self.assertNotIn("\x1b", self.run_command(["cluster", "show"], [step], NO_COLOR="1"))
        self.assertNotIn("\x1b", self.run_command(["cluster", "show"], [step], TERM="dumb"))
        self.assertNotIn("\x1b", self.run_command(["--no-color", "cluster", "show"], [step]))
        rows = self.run_command(["cluster", "show", "--format", "csv"], [step]).split("WARNING")[0]
        self.assertNotIn(RED, rows)

    def test_progress_is_a_bar_and_leaves_a_line_per_step(self):
        def copied(share):
            return {"step": "clone", "text": "copying", "bytes_done": share * 1e9,
                    "bytes_total": 1e9}
        steps = [{"progress": [{"step": "connect", "text": "asking"}, copied(0.1), copied(0.5),
                               copied(1), {"step": "start", "text": "starting PostgreSQL"}],
                  "answer": {"exit_code": 0, "result": {"node": "n2", "cluster": "main"}}}]
        text = self.run_command(["node", "join", "10.0.0.11:7432"], steps)
        self.assertIn("\rclone: copying [##########..........] 50%, 477 MB of 954 MB", text)
        lines = [line.split("\r")[-1] for line in text.replace("\r\n", "\n").split("\n")]
        self.assertTrue(lines[0].startswith("connect: asking"), lines)
        self.assertTrue(lines[1].startswith("clone: copying [####################] 100%"), lines)
        self.assertTrue(lines[2].startswith("start: starting PostgreSQL"), lines)
        self.assertEqual(lines[3], 'joined cluster "main" as node "n2"')

    def test_token_is_repeated_where_it_is_seen_anyway(self):
        answer = {"exit_code": 0, "result": {"token": "k7Qm.s3cr3t", "address": "10.0.0.11:7432",
                                             "expires_seconds": 60}}
        text = self.run_command(["cluster", "token"], [{"answer": answer}])
        self.assertIn("replctl node join 10.0.0.11:7432 --token k7Qm.s3cr3t", text)

    def test_token_is_not_among_the_arguments_of_the_process(self):
        path = os.path.join(self.directory, "run", "repld.sock")
        with ScriptedDaemon(path, [{"then": "hang"}]) as daemon:
            process = subprocess.Popen(
                [REPLCTL, "-f", os.path.join(self.directory, "repld.yaml"), "node", "join", "n1",
                 "--token", "k7Qm.s3cr3t"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.assertTrue(daemon.asked.wait(10))
                with open("/proc/%d/cmdline" % process.pid, "rb") as file:
                    arguments = file.read()
            finally:
                process.kill()
                process.wait()
        self.assertIn(b"--token", arguments)
        self.assertNotIn(b"s3cr3t", arguments)
        self.assertEqual(daemon.requests[0]["args"]["token"], "k7Qm.s3cr3t")


if __name__ == "__main__":
    REPLCTL = os.path.abspath(sys.argv.pop(1))
    unittest.main()
