"""
C{prefix64 lab}: make the lab, ping and fetch random addresses, show what came back, remove it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
from collections.abc import Iterator
from typing import Any

from prefix64.addressing import formatAddress, parseServedPrefix
from prefix64.errors import LabError
from prefix64.hosts.table import HostTable
from prefix64.lab.namespaces import (
    INTERFACE,
    PREFIX,
    ROUTER_ADDRESS,
    Namespaces,
    attempt,
    inside,
    requirePrograms,
)
from prefix64.lab.server import LabServer
from prefix64.ownership import Ownership

DEFAULT_NAME = "prefix64"
DEFAULT_COUNT = 10
MOST_ADDRESSES = 1000
"""The most addresses of one run: the router's neighbor table has room for about as many."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def addLabCommand(commands: Any) -> None:
    """
    Add the command to the parser.
    """
    lab = commands.add_parser(
        "lab",
        help="try it between two network namespaces on this machine",
        description=(
            "Make a router and a server in two network namespaces, start prefix64 in the "
            "server's, ping and fetch random addresses from the router's, show what came back "
            "with the packets, and remove everything. Nothing outside the two is touched."
        ),
    )
    lab.add_argument(
        "-n", "--count", type=int, default=DEFAULT_COUNT, metavar="N",
        help=f"how many random addresses to visit [default: {DEFAULT_COUNT}]",
    )  # fmt: skip
    lab.add_argument("--keep", action="store_true", help="leave it up, and say how to use it")
    lab.add_argument("--remove", action="store_true", help="remove a lab that was kept")
    lab.add_argument(
        "--name", default=DEFAULT_NAME,
        help=f"what the namespaces' names begin with [default: {DEFAULT_NAME}]",
    )  # fmt: skip
    lab.set_defaults(run=runLab)


def runLab(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0 if every address answered as it should, else 1.
    @raise LabError: it cannot be built.
    """
    if not _NAME.fullmatch(given.name):
        raise LabError(f"--name {given.name!r}: letters, digits, - and _ only")
    if not 1 <= given.count <= MOST_ADDRESSES:
        raise LabError(f"--count {given.count}: from 1 to {MOST_ADDRESSES}")
    requirePrograms()
    namespaces = Namespaces(given.name)
    directory = keptDirectory(given.name)
    if given.remove:
        return _removeKept(namespaces, directory)
    there = namespaces.existing()
    if there:
        kept = f"prefix64 lab --remove{_nameOption(given.name)} removes it, "
        raise LabError(
            f"there is a network namespace {there[0]} already: "
            f"{kept if os.path.isdir(directory) else ''}--name NAME takes another"
        )
    with _interruptible():
        return _visitAndRemove(given, namespaces, directory)


def keptDirectory(name: str) -> str:
    """
    Where a lab has its log and state: for root only, gone with the next boot.
    """
    return os.path.join("/run", f"prefix64-lab-{name}")


def _removeKept(namespaces: Namespaces, directory: str) -> int:
    """
    Remove a lab that was kept.
    """
    there = namespaces.existing()
    if not there or not os.path.isdir(directory):
        raise LabError(
            f"there is no lab of that name: {namespaces.router} and {directory} are not both there"
        )
    namespaces.adopt()
    namespaces.remove()
    shutil.rmtree(directory, ignore_errors=True)
    print(f"removed: {', '.join(there)}")
    return 0


def _nameOption(name: str) -> str:
    """
    The option that names a lab, where it is needed.
    """
    return "" if name == DEFAULT_NAME else f" --name {name}"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """
    Let signals that would end the process raise an exception, so that everything is removed.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _visitAndRemove(given: argparse.Namespace, namespaces: Namespaces, directory: str) -> int:
    """
    Make the lab, visit addresses, and remove it, unless it is to be kept.
    """
    server = LabServer(namespaces.server, directory)
    keep = False
    try:
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory, mode=0o700)
        namespaces.make()
        print(f"{namespaces.router} ({ROUTER_ADDRESS}) --{INTERFACE}--{INTERFACE}-- "
              f"{namespaces.server} ({PREFIX})")  # fmt: skip
        server.start()
        print(f"{namespaces.server}# twistd prefix64 --iface {INTERFACE} --prefix {PREFIX}\n")
        failed = sum(not visit(namespaces, server, address) for address in draw(given.count))
        keep = given.keep
    except KeyboardInterrupt as interrupted:
        print(f"\n{interrupted}: removing the lab")
        return 130
    finally:
        if not keep:
            _tearDown(namespaces, server, directory)
    print(summary(given.count, failed))
    if keep:
        print(howToUse(namespaces, server, given.name))
    return 1 if failed else 0


def draw(count: int) -> list[str]:
    """
    Draw random addresses of the lab's prefix.
    """
    prefix = parseServedPrefix(PREFIX)
    table = HostTable(Ownership((prefix,)))
    drawn = (table.randomAddress(prefix, secrets.randbits) for _ in range(count))
    return [formatAddress(address) for address in drawn if address is not None]


def visit(namespaces: Namespaces, server: LabServer, address: str) -> bool:
    """
    Ping and fetch an address from the router, and print what came back.

    @return: whether it answered both, and the page names this very address.
    """
    print(address)
    ping = attempt(inside(namespaces.router, "ping", "-n", "-c", "1", "-W", "2", address))
    replies = [line for line in ping.stdout.splitlines() if " bytes from " in line]
    print(f"  ping   {replies[0] if replies else 'no answer'}")
    named = fetch(namespaces, address)
    print(f"  fetch  {named}")
    for line in server.trace(address):
        print(f"    {line}")
    print()
    return ping.returncode == 0 and len(replies) == 1 and named == pageNames(address)


def fetch(namespaces: Namespaces, address: str) -> str:
    """
    Fetch the page of an address from the router.

    @return: the address that the page names, or what went wrong, in words.
    """
    done = attempt(
        inside(
            namespaces.router,
            *("curl", "-gsS", "-m", "5", "-H", "Accept: application/json", f"http://[{address}]/"),
        )
    )
    if done.returncode:
        return done.stderr.strip() or f"curl: exit status {done.returncode}"
    try:
        return pageNames(json.loads(done.stdout)["server"]["address"])
    except (ValueError, KeyError, TypeError):
        return "the answer is not the welcome page"


def pageNames(address: str) -> str:
    """
    What is said of a page that names an address.
    """
    return f"the page names {address}"


def summary(count: int, failed: int) -> str:
    """
    The last line.
    """
    if failed:
        return f"{failed} of {count} addresses did not answer as they should."
    return (
        f"{count} of {count} addresses: each was found, answered ping, "
        "and served a page that names it."
    )


def howToUse(namespaces: Namespaces, server: LabServer, name: str) -> str:
    """
    What to type in a lab that is kept.
    """
    router, host = namespaces.both
    example = draw(1)[0]
    return "\n".join(
        (
            "",
            "The lab is up:",
            f"  ip netns exec {router} ping {example}",
            f"  ip netns exec {router} curl -g 'http://[{example}]/'",
            f"  ip netns exec {router} tcpdump -ni {INTERFACE} icmp6",
            f"  ip -n {host} -6 rule; ip -n {host} -6 route show table 64",
            f"  tail -f {server.log}",
            "and to remove it:",
            f"  prefix64 lab --remove{_nameOption(name)}",
        )
    )


def _tearDown(namespaces: Namespaces, server: LabServer, directory: str) -> None:
    """
    Remove everything. A second signal does not stop this.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    server.stop()
    namespaces.remove()
    shutil.rmtree(directory, ignore_errors=True)
