"""Starts and ends one writer process."""
import itertools
import os
import subprocess
import sys

_names = itertools.count(1)


class Client:
    def __init__(self, lab, hosts, inside, pace=0.002):
        """`inside` is the host it runs on; None: on the network, on no host. `pace` is the pause between two
        writes in seconds."""
        where = inside.name if inside else "client"
        self.name = f"{where}_{next(_names)}"
        self.path = os.path.join(lab.dir, f"{self.name}.written")
        # Addresses back to names: everything the judge says is about hosts.
        self.host_names = {host.address: host.name for host in lab.hosts.values()}
        enter = lab.network.enter(inside.name) if inside else []
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        addresses = [f"{host.address}:{host.port}" for host in hosts]
        self._process = subprocess.Popen(
            [*enter, sys.executable, "-m", "lab.writer", self.name, self.path, str(pace), *addresses],
            cwd=lab.dir, env=dict(os.environ, PYTHONPATH=here, PYTHONDONTWRITEBYTECODE="1"),
            stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._process.pid

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
