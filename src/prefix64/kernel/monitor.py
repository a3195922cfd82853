"""
rtnetlink events in the reactor, whichever it is.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from prefix64.kernel.message_classes import Marshal

LINK, NEIGHBOR, ADDRESS, ROUTE, RULE, NETCONF = 1, 3, 9, 11, 19, 25
"""
Multicast groups of rtnetlink: RTNLGRP_LINK, _NEIGH, _IPV6_IFADDR, _IPV6_ROUTE, _IPV6_RULE,
_IPV6_NETCONF.
"""

MOST_DATAGRAMS = 64
"""How many datagrams are read before the reactor has its turn."""

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER = 1 << 20
_DATAGRAM = 1 << 16

_log = Logger("prefix64.routing")


@implementer(IReadDescriptor)
class Monitor:
    """
    Reads events.
    """

    def __init__(
        self,
        reactor: Any,
        groups: Iterable[int],
        messageReceived: Callable[[Any], None],
        batchEnded: Callable[[bool], None],
    ) -> None:
        """
        @param groups: what to hear of.
        @param messageReceived: given each message.
        @param batchEnded: called after each batch of messages; given whether events were lost, so
            that everything is to be read anew.
        """
        self._reactor = reactor
        self._messageReceived = messageReceived
        self._batchEnded = batchEnded
        self._marshal = Marshal()
        self._open = True
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.bind((0, 0))
        for group in groups:
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def startReading(self) -> None:
        """
        Begin. What happened since this was made is not lost.
        """
        self._reactor.addReader(self)

    def stopReading(self) -> None:
        """
        End. May be called twice.
        """
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
            self._socket.close()

    def fileno(self) -> int:
        """
        The socket's descriptor.
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        The name in the reactor's log.
        """
        return "rtnetlink"

    def doRead(self) -> None:
        """
        Take what has come. After an overflow (C{ENOBUFS}) events are missing.
        """
        lost = False
        for _ in range(MOST_DATAGRAMS):
            try:
                data, (sender, _) = self._socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
                continue
            if sender == 0:  # the kernel, and not another process
                for message in self._marshal.parse(data):
                    self._messageReceived(message)
        if lost:
            self._armAgain()
        self._batchEnded(lost)

    def _armAgain(self) -> None:
        """
        Some event loops stop polling a descriptor that had an error pending.
        """
        self._reactor.removeReader(self)
        self._reactor.addReader(self)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor took the descriptor out: because it stops, or because an error was pending
        (epoll calls this for an overflow). In that case clear it, go on, and have everything read
        anew.
        """
        if self._open and self._reactor.running:
            with contextlib.suppress(OSError):
                self._socket.recvfrom(_DATAGRAM)
            self._reactor.addReader(self)
            self._batchEnded(True)
