"""
One instance for each interface of a network namespace.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Iterator

from prefix64.errors import InterfaceError
from prefix64.option_text import OptionText

_BACKLOG = 4096
"""Those who look who holds the lock are never accepted: each takes a place until it is let go."""

_MOST_WAIT = 5.0
_TRY_AGAIN = 0.02
"""Seconds."""

SERVED = "interface {0!r} is served already {1}: stop that first"
MARKED = "{0} is where firewall marks lead already {1}: give this one another {table}"
"""Refusals, as templates of L{OptionText}, with what is locked and by whom."""


class InstanceLock:
    """
    A lock that the running process holds: an abstract UNIX socket (unix(7)), whose name belongs to
    the network namespace and is gone with the process, however it ends.
    """

    def __init__(self, interface: str, refusal: str = SERVED) -> None:
        """
        @param interface: the name of the interface that is served; or a L{markLock}.
        @param refusal: the error: L{SERVED} or L{MARKED}.
        @raise InterfaceError: another process holds it; the text names that process.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind(_name(interface))
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise
            by = holder(interface) or "by a process that is ending"
            raise InterfaceError(OptionText(refusal, interface, by)) from None

    def release(self) -> None:
        """
        Let it go. May be called twice.
        """
        self._socket.close()


@contextlib.contextmanager
def oneStartAtATime() -> Iterator[None]:
    """
    Let one instance of the network namespace at a time look what the others serve, and add what it
    serves itself. Another one that starts waits, for a few seconds at most.

    @raise InterfaceError: another start does not come to its end.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as turn:
        deadline = time.monotonic() + _MOST_WAIT
        while True:
            try:
                turn.bind(_name(""))
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if time.monotonic() > deadline:
                    raise InterfaceError("another prefix64 is starting: try again") from None
                time.sleep(_TRY_AGAIN)
        yield


def _name(interface: str) -> str:
    """
    The abstract name of an interface's lock.
    """
    return f"\0prefix64/{interface}"


def markLock(table: int) -> str:
    """
    The name of the lock of whoever leads a firewall mark to a routing table. No interface's name
    has a blank in it.
    """
    return f"table {table}"


def holder(interface: str) -> str | None:
    """
    Who holds the lock of an interface, as the kernel says of the socket's owner.

    @return: in words, C{by process 4711 (user 0)}; L{None} if nobody does.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
            probe.settimeout(1)
            probe.connect(_name(interface))
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except ConnectionRefusedError:
        return None
    except OSError:
        return "by another process"
    process, user, _ = struct.unpack("iII", credentials)
    return f"by process {process} (user {user})"
