"""
C{twistd prefix64} as a process in a namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kernel.namespaces import Namespace, eventually

SOURCE = Path(__file__).resolve().parents[2] / "src"
START = "serving every address"
"""What the log says when the service has started."""

_TWISTD = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from twisted.scripts.twistd import run; run()"
)
"""twistd, with Ctrl-C as on a terminal, which a shell in the background ignores."""

BOUND = ("setpriv", "--pdeathsig", "TERM")
"""A process that ends when the tests do, even if they are killed."""

_START_SECONDS, _STOP_SECONDS = 20.0, 15.0


def environment() -> dict[str, str]:
    """
    The environment in which twistd finds the plugin, installed or not.
    """
    path = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def runWithout(namespace: Namespace, capability: str, program: str) -> str:
    """
    Run a Python program in a namespace, as root that lacks a capability.

    @param capability: as setpriv(1) calls it.
    @return: what it printed.
    """
    without = ("setpriv", f"--bounding-set=-{capability}", "--inh-caps=-all")
    done = subprocess.run(
        namespace.command(*without, sys.executable, "-c", program),
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout


class Twistd:
    """
    One process of C{twistd -n prefix64}.

    @ivar directory: its own directory, with its state and its output.
    """

    def __init__(
        self,
        namespace: Namespace,
        *options: str,
        twistd: Sequence[str] = (),
        within: Sequence[str] = (),
    ) -> None:
        """
        @param options: of prefix64.
        @param twistd: options of twistd itself.
        @param within: a command that runs it.
        """
        self.namespace = namespace
        self.directory = Path(tempfile.mkdtemp(prefix="prefix64-test-"))
        self._output = self.directory / "output"
        arguments = ["-n", "--pidfile=", *twistd, *self._command(options)]
        with open(self._output, "wb") as output:
            self.process = subprocess.Popen(
                namespace.command(*BOUND, *within, sys.executable, "-c", _TWISTD, *arguments),
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _command(self, options: Sequence[str]) -> list[str]:
        """
        The command of twistd and its options, with a state directory of its own.
        """
        return ["prefix64", "--state", str(self.directory / "state"), *options]

    def log(self) -> str:
        """
        All that it wrote.
        """
        return self._output.read_text("utf-8", "replace")

    def waitForStart(self) -> None:
        """
        Wait until it serves.
        """
        eventually(lambda: START in self.log() or self.process.poll() is not None, _START_SECONDS)
        if self.process.poll() is not None:
            raise AssertionError(f"it ended:\n{self.log()}")

    def cpuSeconds(self, during: float) -> float:
        """
        How much of a processor it uses in the next seconds.

        @param during: for how many seconds to look.
        """
        before = cpuSecondsOf(self.process.pid)
        time.sleep(during)
        return cpuSecondsOf(self.process.pid) - before

    def stop(self) -> int:
        """
        Have it end in order, and wait for that. May be called twice.

        @return: the exit status, as L{subprocess.Popen.returncode} has it.
        """
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """
        Have it end at once, with no chance to undo anything.
        """
        return self._end(signal.SIGKILL)

    def close(self) -> None:
        """
        Have it end, and remove its directory.
        """
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, number: int) -> int:
        """
        Send a signal if it runs, and wait.
        """
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_STOP_SECONDS)
            raise AssertionError(f"it did not end:\n{self.log()}") from None


def cpuSecondsOf(process: int) -> float:
    """
    How long a process has kept a processor busy so far, in its own code and in the kernel.
    """
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def runToEnd(
    namespace: Namespace,
    arguments: Sequence[str],
    directory: Path,
    within: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """
    Run twistd with exactly these arguments until it, or the parent of its daemon, ends.

    @param within: a command that runs it.
    """
    return subprocess.run(
        namespace.command(*within, sys.executable, "-c", _TWISTD, *arguments),
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_SECONDS,
    )
