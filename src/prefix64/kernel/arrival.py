"""
Waiting for an interface that is not there yet, before there is a reactor.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable

from prefix64.kernel.messages import Link
from prefix64.kernel.monitor import LINK

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_DATAGRAM = 1 << 16
_MOST_DATAGRAMS = 256
_LONGEST_NAME = 15  # IFNAMSIZ, less the zero behind it
_NEVER_IN_A_NAME = frozenset(b"/: \t\n\v\f\r\xa0\0")


def canExist(name: str) -> bool:
    """
    Tell whether an interface can have a name at all (the kernel's C{dev_valid_name}).
    """
    written = name.encode()
    if written in (b"", b".", b"..") or len(written) > _LONGEST_NAME:
        return False
    return _NEVER_IN_A_NAME.isdisjoint(written)


def awaitLink(find: Callable[[], Link | None], seconds: float) -> Link | None:
    """
    Wait until an interface is there. The process sleeps meanwhile, but for the moments at which
    some interface of the host changes.

    @param find: asks the kernel for the interface.
    @param seconds: how long to wait, by the monotonic clock.
    @return: the interface, or L{None} if it did not come in time.
    """
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as events:
        # Subscribed before the first look: one that comes in between is not missed. A socket that
        # is not bound hears nothing of the kernel.
        events.bind((0, 0))
        events.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, LINK)
        events.setblocking(False)
        while True:
            link = find()
            left = deadline - time.monotonic()
            if link is not None or left <= 0:
                return link
            if select.select([events], [], [], left)[0]:
                _drain(events)


def _drain(events: socket.socket) -> None:
    """
    Take what has come, unread: whatever happened, the next look tells. Also clears the error that
    stands for events that were lost (C{ENOBUFS}).
    """
    with contextlib.suppress(OSError):
        for _ in range(_MOST_DATAGRAMS):
            events.recv(_DATAGRAM)
