"""
The server of the lab: twistd in its namespace.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from prefix64.errors import LabError
from prefix64.lab.namespaces import INTERFACE, PREFIX, inside

STARTED = "serving every address of"
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 15.0
_TWISTD = "from twisted.scripts.twistd import run; run()"
"""What C{twistd} does; run by this interpreter, whatever is on the path."""


class LabServer:
    """
    C{twistd -n prefix64 --iface eth0 --prefix 2001:db8::/64 --trace}.

    @ivar log: the path of its log.
    @ivar command: what is run in the namespace.
    """

    def __init__(self, namespace: str, directory: str) -> None:
        """
        @param namespace: the name of the server's.
        @param directory: of the lab's own, for the log and the state.
        """
        self._namespace = namespace
        self.log = os.path.join(directory, "twistd.log")
        self._errors = os.path.join(directory, "twistd.err")
        state = os.path.join(directory, "state")
        self.command = (
            *(sys.executable, "-c", _TWISTD, "-n", "--pidfile=", f"--logfile={self.log}"),
            *("prefix64", "--iface", INTERFACE, "--prefix", PREFIX),
            *("--trace", "--state", state),
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """
        Start it, and wait until it serves.

        @raise LabError: it ended, or did not serve in time.
        """
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                inside(self._namespace, *self.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while STARTED not in _text(self.log):
            if self._process.poll() is not None:
                lines = _text(self._errors).strip().splitlines()
                raise LabError(f"the server did not start: {lines[-1] if lines else 'no word'}")
            if time.monotonic() > deadline:
                raise LabError(f"the server did not start in {_START_TIMEOUT:.0f} seconds")
            time.sleep(0.02)

    def stop(self) -> bool:
        """
        Stop it with SIGTERM.

        @return: whether it ended by itself; if not, it was killed.
        """
        if self._process is None:
            return True
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True

    def trace(self, address: str) -> list[str]:
        """
        The lines of the packet trace that have to do with an address, without what the log puts
        before them.
        """
        lines = [
            line.partition("[prefix64.trace#info] ")[2] for line in _text(self.log).splitlines()
        ]
        return [line for line in lines if address in (word.strip(":,") for word in line.split())]


def _text(path: str) -> str:
    """
    What a file holds; nothing if it is not there.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
