"""
The programs that are measured: prefix64, and what users have today. Each runs in a network
namespace of its own, on one core.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kernel.namespaces import PREFIX, Namespace
from tests.kernel.twistd import environment

_TWISTD = "from twisted.scripts.twistd import run; run()"
_NDPPD = "proxy eth0 {{ router no\n rule {prefix} {{ static\n }}\n}}\n"
_NPD6 = "prefix={prefix}:\ninterface=eth0\n"
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Kind:
    """
    A program, and how it is told to answer for every address of a prefix.

    @ivar name: as people call it.
    @ivar package: the Debian package it is in; empty for prefix64.
    @ivar configuration: what its configuration file says.
    @ivar command: what starts it in the foreground; C{{file}} stands for that file.
    """

    name: str
    package: str
    configuration: str
    command: tuple[str, ...]

    def version(self) -> str:
        """
        Which version it is.
        """
        if not self.package:
            return "this"
        query = ["dpkg-query", "-W", "-f", "${Version}", self.package]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout

    def isInstalled(self) -> bool:
        """
        Tell whether it can be started.
        """
        return shutil.which(self.command[0]) is not None


KINDS = (
    Kind(
        "prefix64",
        "",
        "",
        (
            *(sys.executable, "-c", _TWISTD, "-n", "--pidfile=", "--logfile={file}"),
            *("prefix64", "--iface", "eth0", "--prefix", PREFIX, "--state", "{file}.state"),
        ),
    ),
    Kind("ndppd", "ndppd", _NDPPD.format(prefix=PREFIX), ("ndppd", "-c", "{file}")),
    Kind(
        "npd6",
        "npd6",
        _NPD6.format(prefix="2001:0db8:0000:0000"),
        ("npd6", "-f", "-c", "{file}", "-l", "{file}.log"),
    ),
)


class Responder:
    """
    One of them, running.
    """

    def __init__(self, kind: Kind, namespace: Namespace, core: int) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="prefix64-bench-"))
        file = self._directory / "file"
        file.write_text(kind.configuration)
        command = [part.format(file=file) for part in kind.command]
        with open(self._directory / "output", "wb") as output:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *namespace.command(*command)],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def isRunning(self) -> bool:
        """
        Tell whether it has not ended.
        """
        return self._process.poll() is None

    def output(self) -> str:
        """
        What it wrote to the terminal.
        """
        return (self._directory / "output").read_text(errors="replace")

    def processorTime(self) -> float:
        """
        The seconds of processor time that it has had, all threads together.
        """
        tasks = Path(f"/proc/{self._process.pid}/task")
        times = (int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
        return sum(times) / 1e9

    def memory(self) -> int:
        """
        The bytes of memory that it has.
        """
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def stop(self) -> None:
        """
        Have it end, and remove what it wrote.
        """
        try:
            if self.isRunning():
                self._process.send_signal(signal.SIGTERM)
                try:
                    self._process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)


def runPinned(
    namespace: Namespace, core: int, module: str, arguments: Sequence[str]
) -> subprocess.Popen[str]:
    """
    Start a module of the benchmarks in a namespace, on one core.
    """
    root = Path(__file__).resolve().parents[1]
    variables = environment()
    variables["PYTHONPATH"] = os.pathsep.join([str(root), variables["PYTHONPATH"]])
    return subprocess.Popen(
        ["taskset", "-c", str(core), *namespace.command(sys.executable, "-m", module, *arguments)],
        cwd=root,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
