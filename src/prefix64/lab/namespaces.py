"""
Two network namespaces joined by a veth pair: a router, as a provider has one, and a server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence

from prefix64.errors import LabError

PREFIX = "2001:db8::/64"
ROUTER_LINK_LOCAL = "fe80::1"
SERVER_LINK_LOCAL = "fe80::64"
ROUTER_ADDRESS = "2001:db8:ffff::1"
"""The router's global address, outside the prefix, as a visitor's would be."""

INTERFACE = "eth0"

PACKAGES = {"ip": "iproute2", "ping": "iputils-ping", "curl": "curl"}
"""The Debian package of each program that the lab runs."""

_TIMEOUT = 20.0


def requirePrograms() -> None:
    """
    See that the lab can be built.

    @raise LabError: a program or a privilege is missing.
    """
    missing = [program for program in PACKAGES if shutil.which(program) is None]
    if missing:
        packages = " ".join(PACKAGES[program] for program in missing)
        raise LabError(f"missing: {', '.join(missing)}: apt-get install {packages}")
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces, which needs root: sudo prefix64 lab")


class Namespaces:
    """
    The two namespaces.

    @ivar router: the name of the router's.
    @ivar server: the name of the server's.
    """

    def __init__(self, name: str) -> None:
        """
        @param name: what their names begin with.
        """
        self.router = f"{name}-router"
        self.server = f"{name}-server"
        self._made: list[str] = []

    @property
    def both(self) -> tuple[str, str]:
        """The names of both."""
        return self.router, self.server

    def existing(self) -> list[str]:
        """
        Which of the two are there already.
        """
        there = {
            line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.split()
        }
        return [name for name in self.both if name in there]

    def make(self) -> None:
        """
        Make both, and join them.

        @raise LabError: a step failed.
        """
        router, server = self.both
        for name in self.both:
            self._made.append(name)  # before: a signal may come while it is being made
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run(
            *("ip", "-n", router, "link", "add", INTERFACE, "type", "veth"),
            *("peer", "name", INTERFACE, "netns", server),
        )
        for name, linkLocal in ((router, ROUTER_LINK_LOCAL), (server, SERVER_LINK_LOCAL)):
            run("ip", "-n", name, "link", "set", INTERFACE, "addrgenmode", "none")
            run("ip", "-n", name, "link", "set", INTERFACE, "up")
            run(
                *("ip", "-n", name, "addr", "add", f"{linkLocal}/64"),
                *("dev", INTERFACE, "nodad"),
            )
        run("ip", "-n", router, "addr", "add", f"{ROUTER_ADDRESS}/128", "dev", "lo")
        run("ip", "-n", router, "route", "add", PREFIX, "dev", INTERFACE, "src", ROUTER_ADDRESS)
        run(
            *("ip", "-n", server, "route", "add", "default"),
            *("via", ROUTER_LINK_LOCAL, "dev", INTERFACE),
        )

    def adopt(self) -> None:
        """
        Take those that an earlier run made for those of this one.
        """
        self._made = self.existing()

    def remove(self) -> None:
        """
        End what still runs in those that this run made, and remove them.
        """
        there = self.existing()
        for name in self._made:
            if name in there:
                for process in run("ip", "netns", "pids", name).split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(process), signal.SIGKILL)
                run("ip", "netns", "delete", name)
        self._made = []


def inside(namespace: str, *command: str) -> tuple[str, ...]:
    """
    A command that runs another one in a namespace.
    """
    return ("ip", "netns", "exec", namespace, *command)


def run(*command: str, timeout: float = _TIMEOUT) -> str:
    """
    Run a command that should succeed.

    @return: what it printed.
    @raise LabError: it failed; the text is its own last line.
    """
    done = attempt(command, timeout)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise LabError(f"{' '.join(command)}: {lines[-1]}")
    return done.stdout


def attempt(command: Sequence[str], timeout: float = _TIMEOUT) -> subprocess.CompletedProcess[str]:
    """
    Run a command that may fail.

    @param timeout: seconds.
    @raise LabError: it took too long.
    """
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)}: no answer in {timeout:.0f} seconds") from None
