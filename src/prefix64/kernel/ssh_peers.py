"""
Who is connected to this host by ssh: whoever starts a server remotely must not be cut off by it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

from prefix64.addressing import parseAddress
from prefix64.errors import AddressError

SSH_PORT = 22

_CONNECTIONS = Path("/proc/thread-self/net/tcp6")
_PROCESSES = Path("/proc")
_ENTRY = re.compile(
    r" *\d+: [0-9A-F]{32}:(?P<port>[0-9A-F]{4}) (?P<peer>[0-9A-F]{32}):[0-9A-F]{4} 01 "
)
"""An established connection: its number, its local address and port, its peer, and its state."""

_MOST_ANCESTORS = 64


def sshPeers() -> frozenset[int]:
    """
    The IPv6 addresses that are connected to port 22 of this host, and those that this process, or
    one that started it (C{sudo} hides it from its children), was started from by C{SSH_CONNECTION}
    (sshd(8)).
    """
    return frozenset(_connected()) | frozenset(_startedFrom())


def _connected() -> set[int]:
    """
    The peers of established connections to port 22.
    """
    found = set()
    with contextlib.suppress(OSError), open(_CONNECTIONS, encoding="ascii") as connections:
        for line in connections:
            peer = _ENTRY.match(line)
            if peer is not None and int(peer["port"], 16) == SSH_PORT:
                found.add(_address(peer["peer"]))
    return found


def _address(digits: str) -> int:
    """
    An address as /proc/net/tcp6 has it: four words, each in the byte order of the host.
    """
    words = (int(digits[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, 32, 8))
    return int.from_bytes(b"".join(words), "big")


def _startedFrom() -> set[int]:
    """
    The peers that the environments of this process and its ancestors name.
    """
    found, process = set(), os.getpid()
    for _ in range(_MOST_ANCESTORS):
        environment = _bytes(_PROCESSES / str(process) / "environ")
        for entry in environment.split(b"\0"):
            if entry.startswith(b"SSH_CONNECTION="):
                peer = entry.partition(b"=")[2].split(b" ")[0].decode("ascii", "replace")
                with contextlib.suppress(AddressError):
                    found.add(parseAddress(peer))
        parent = re.search(
            rb"^PPid:\s*(\d{1,10})$", _bytes(_PROCESSES / str(process) / "status"), re.M
        )
        process = int(parent[1]) if parent else 0
        if process <= 1:
            break
    return found


def _bytes(path: Path) -> bytes:
    """
    What a file of the kernel says; nothing, if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError:
        return b""
