"""
The programs of this host that answer solicitations for others, and on which interfaces. Only read.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from prefix64.doctor.facts import Process

SAME_WORK = ("ndppd", "npd6", "pndpd", "ndpresponder", "ndproxy", "odhcpd", "ndp-proxy")
"""The names of programs that answer solicitations for others."""

MOST_PROCESSES = 16
MOST_DESCRIPTORS = 4096
"""The most processes that are named, and open files of each that are looked at."""

_PACKET_SOCKETS = Path("/proc/thread-self/net/packet")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_EVERY_INTERFACE = 0


def processes(index: int | None) -> Iterator[Process]:
    """
    The processes in this network namespace whose name says that they answer solicitations, the
    first L{MOST_PROCESSES}.

    @param index: of the interface; L{None} if there is none.
    """
    here, found, bound = _namespace("/proc/self/ns/net"), 0, packetSockets()
    for number in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        name = _name(number)
        if name in SAME_WORK and found < MOST_PROCESSES:
            there = _namespace(f"/proc/{number}/ns/net")
            if there in (None, here):
                found += 1
                on = _isOn(number, index, bound)
                yield Process(number, name, None if there is None else True, on)


def packetSockets() -> dict[int, int]:
    """
    The interface's index, or 0 for all of them, of each packet socket of this network namespace, by
    the number of its inode.
    """
    found = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _PACKET_SOCKETS.read_text().splitlines()[1:]:
            words = line.split()
            found[int(words[8])] = int(words[4])
    return found


def _isOn(process: int, index: int | None, bound: Mapping[int, int]) -> bool | None:
    """
    Tell whether a process has a packet socket on an interface.

    @return: L{None} if it has none on any, or its files may not be seen.
    """
    mine = [bound[inode] for inode in _sockets(process) if inode in bound]
    if not mine or index is None:
        return None
    return index in mine or _EVERY_INTERFACE in mine


def _sockets(process: int) -> Iterator[int]:
    """
    The inodes of a process's sockets.
    """
    with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/fd") as entries:
        for _, entry in zip(range(MOST_DESCRIPTORS), entries, strict=False):
            with contextlib.suppress(OSError):
                found = _SOCKET.fullmatch(os.readlink(entry.path))
                if found is not None:
                    yield int(found[1])


def _name(process: int) -> str:
    """
    The name of a process; nothing, if it has ended.
    """
    try:
        return Path(f"/proc/{process}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _namespace(path: str) -> str | None:
    """
    The name of a network namespace; L{None} if it may not be seen, and the empty string if the
    process has ended.
    """
    try:
        return os.readlink(path)
    except PermissionError:
        return None
    except OSError:
        return ""
