"""
Programs that stay in the foreground, as children of the tests.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.kernel.namespaces import Namespace, eventually
from tests.kernel.twistd import BOUND

_START_SECONDS, _STOP_SECONDS = 10.0, 10.0


class Foreground:
    """
    A server that stays in the foreground, as a child of the tests.
    """

    def __init__(self, namespace: Namespace, output: Path, *command: str) -> None:
        """
        @param output: a file that is made, for what it prints.
        """
        self._output = output
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                namespace.command(*BOUND, *command),
                cwd=output.parent,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def waitUntil(self, ready: Callable[[], object]) -> None:
        """
        Wait until it is ready.
        """
        eventually(lambda: ready() or self.process.poll() is not None, _START_SECONDS)
        if self.process.poll() is not None:
            raise AssertionError(f"it ended:\n{self._printed()}")

    def stop(self) -> int:
        """
        Have it end, with its workers, and wait for that. May be called twice.

        @return: its exit status.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_STOP_SECONDS)
            raise AssertionError(f"it did not end:\n{self._printed()}") from None

    def _printed(self) -> str:
        """
        What it printed.
        """
        return self._output.read_text("utf-8", "replace")
