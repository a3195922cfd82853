"""
Network namespaces, and two hosts on a link in them.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")

ROUTER_LAYER, SERVER_LAYER = "02:00:00:00:00:01", "02:00:00:00:00:02"
ROUTER_LINK_LOCAL, SERVER_LINK_LOCAL = "fe80::1", "fe80::2"
OUTSIDE = "2001:db8:ffff::1"
"""The router's address that is in none of the served prefixes."""

INSIDE = "2001:db8::1"
"""The router's address inside the prefix, in a lab that has one."""

PREFIX, SECOND_PREFIX = "2001:db8::/64", "2001:db8:1::/64"

_CLONE_NEWNET = 0x40000000
_POLL = 0.02
_LONGEST_COMMAND = 30.0

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)

_DUMPS = (
    ("ip", "-6", "-N", "-d", "rule", "show"),
    ("ip", "-4", "-N", "rule", "show"),
    ("ip", "-6", "-N", "-d", "route", "show", "table", "all"),
    ("ip", "-6", "neigh", "show", "proxy"),
    ("ip", "-d", "link", "show"),
    ("ip", "-6", "address", "show"),
    ("ip", "-6", "maddress", "show"),
    ("ip", "netconf", "show"),
    ("ip", "-6", "netconf", "show"),
    ("sh", "-c", "cd /proc/sys/net/ipv6/conf && grep -s . */* | sort"),
    ("nft", "list", "ruleset"),
)


class CommandFailed(AssertionError):
    """
    A command had another exit status than 0.
    """


def eventually(predicate: Callable[[], _T], seconds: float = 5.0, what: str = "") -> _T:
    """
    Ask until the answer is true, and return it.

    @param predicate: asked every 20 ms.
    @raise AssertionError: it was not true in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} seconds: {what or predicate}; got {answer!r}")
        time.sleep(_POLL)


class Namespace:
    """
    A network namespace of its own.

    @ivar name: its name, for C{ip netns exec}.
    """

    def __init__(self, role: str) -> None:
        self.name = f"prefix64-test-{os.getpid()}-{next(_numbers)}-{role}"

    def make(self) -> None:
        """
        Make it, with its loopback interface up.
        """
        _checked(["ip", "netns", "add", self.name])
        self.ip("link set lo up")

    def remove(self) -> None:
        """
        Remove it, if it is there.
        """
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def command(self, *arguments: str) -> list[str]:
        """
        The arguments of a process that runs in here.
        """
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """
        Run a program in here to its end.

        @param check: whether an exit status other than 0 fails the test.
        """
        return _checked(self.command(*arguments), check)

    def processes(self) -> list[str]:
        """
        The ids of the processes that run in here.
        """
        return _checked(["ip", "netns", "pids", self.name]).stdout.split()

    def ip(self, text: str, check: bool = True) -> str:
        """
        Run C{ip}, and return what it wrote.

        @param text: its arguments, with blanks between them.
        """
        return _checked(["ip", "-n", self.name, *text.split()], check).stdout

    def sysctl(self, path: str, value: int | str) -> None:
        """
        Set what is below /proc/sys/net/ipv6.
        """
        with self.entered(), open(f"/proc/sys/net/ipv6/{path}", "w") as setting:
            setting.write(str(value))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """
        Have this thread in the namespace: sockets opened meanwhile belong to it.
        """
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _enter(there)
            finally:
                os.close(there)
            try:
                yield
            finally:
                _enter(home)
        finally:
            os.close(home)

    def dump(self) -> str:
        """
        All that a service might change: rules, routes of all tables, proxies, nf_tables, links with
        their promiscuity and ALLMULTI, addresses, groups and every switch below net.ipv6.conf.
        """
        texts = (self.run(*command).stdout for command in _DUMPS)
        text = "".join(
            f"== {' '.join(command)}\n{text}" for command, text in zip(_DUMPS, texts, strict=True)
        )
        return re.sub(r"_timer +[0-9.]+ +", "_timer ", text)  # of a bridge

    def addresses(self) -> dict[str, str]:
        """
        The IPv6 addresses of eth0, each with its line, which has the flags.
        """
        lines = self.ip("-6 -o address show dev eth0").splitlines()
        return {line.split()[3].partition("/")[0]: line for line in lines}

    def neighbor(self, address: str) -> str:
        """
        What the kernel knows of a neighbor on eth0: C{lladdr 02:00:00:00:00:02 REACHABLE}.
        """
        return self.ip(f"-6 neigh show {address} dev eth0").partition(address)[2].strip()

    def allmulti(self, interface: str = "eth0") -> int:
        """
        How many asked an interface to receive all multicast.
        """
        found = re.search(r" allmulti (\d+) ", self.ip(f"-d link show dev {interface}"))
        assert found is not None
        return int(found[1])


def _enter(descriptor: int) -> None:
    """
    Move this thread to a network namespace (setns(2)).
    """
    if _libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _checked(arguments: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """
    Run a program, for a bounded time.
    """
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_COMMAND,
        stdin=subprocess.DEVNULL,
    )
    if check and done.returncode:
        raise CommandFailed(
            f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


def makeLink(one: Namespace, other: Namespace, name: str = "eth0") -> None:
    """
    Join two namespaces by a veth pair that has the same name at both ends. Each end has the
    link-layer address 02:00:00:00:00:01 or :02, and no link-local address of its own making.
    """
    one.ip(f"link add {name} type veth peer name {name} netns {other.name}")
    for end, layer in ((one, ROUTER_LAYER), (other, SERVER_LAYER)):
        end.ip(f"link set dev {name} address {layer} addrgenmode none up")
        quicken(end, name)
    for end in (one, other):
        eventually(lambda end=end: "LOWER_UP" in end.ip(f"link show dev {name}"), what="link up")


def quicken(namespace: Namespace, name: str) -> None:
    """
    Have duplicate address detection and retransmission take a tenth of their usual time, so that a
    test need not.
    """
    namespace.sysctl(f"neigh/{name}/retrans_time_ms", 100)
    namespace.sysctl(f"conf/{name}/router_solicitation_delay", 0)
    namespace.sysctl(f"conf/{name}/router_solicitations", 0)
    namespace.sysctl(f"conf/{name}/accept_ra", 0)
