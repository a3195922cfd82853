"""
Connections to addresses that are not the endpoint's are refused before anybody hears of them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable

from prefix64.addressing import Prefix, parseAddress
from prefix64.errors import AddressError
from prefix64.hosts.table import CurrentTable
from prefix64.ownership import Owner

_SERVED = (Owner.OURS, Owner.INTERFACE, Owner.HOST)
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing a connection resets it (RFC 9293 3.10.4, ABORT)."""


def localAddresses(prefixes: Iterable[Prefix], tables: CurrentTable) -> Callable[[str], bool]:
    """
    What tells whether the address that a connection came in at is an endpoint's: in its prefixes,
    and ours at this moment or one of the host's own.

    @param prefixes: those of the endpoint; others may serve others on the same interface.
    @param tables: the host table of the interface.
    """
    served = tuple(prefixes)

    def isOurs(text: str) -> bool:
        try:
            address = parseAddress(text)
        except AddressError:
            return False  # with a scope identifier (fe80::1%eth0), or of IPv4
        if not any(address in prefix for prefix in served):
            return False
        return tables.table.ownership.of(address) in _SERVED

    return isOurs


class RefusingSocket(socket.socket):
    """
    A listening socket that gives out connections to some local addresses, and resets the others.

    @ivar refused: how many it has reset.
    """

    def __init__(self, isOurs: Callable[[str], bool]) -> None:
        """
        @param isOurs: given the local address of a connection, whether it is given out.
        """
        super().__init__(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._isOurs = isOurs
        self.refused = 0

    def accept(self) -> tuple[socket.socket, tuple[str, int, int, int]]:
        """
        Accept one connection.

        @raise OSError: there is none (C{EAGAIN}), or it was refused: then it is C{EPERM}, as of
            a connection that netfilter has rejected meanwhile, behind which a server goes on.
        """
        connection, peer = super().accept()
        if self._isOurs(_localAddress(connection)):
            return connection, peer
        self.refused += 1
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def _localAddress(connection: socket.socket) -> str:
    """
    The address that a connection came in at; nobody's, if the kernel does not say.
    """
    try:
        return str(connection.getsockname()[0])
    except OSError:
        return ""
