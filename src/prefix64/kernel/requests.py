"""
Requests to rtnetlink(7), on a plain socket with pyroute2's message classes.

The kernel answers inside C{send()}, so a request never waits: it is safe in any reactor, and needs
no event loop or thread of its own (pyroute2's synchronous calls run one, which the asyncio reactor
refuses).
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Container, Iterator
from typing import Any, TypeVar

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from prefix64.errors import RoutingError
from prefix64.kernel.message_classes import Marshal

_T = TypeVar("_T")

_SOL_NETLINK = 270
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_NLM_F_DUMP_INTR = 0x10
_DUMP_TRIES = 8
_RECEIVE = 1 << 16
_TIMEOUT = 5.0


class RtnetlinkSocket:
    """
    Asks the kernel of the network namespace in which this was made.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._socket.settimeout(_TIMEOUT)
        for option in (_NETLINK_GET_STRICT_CHK, _NETLINK_EXT_ACK):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._marshal = Marshal()
        self._sequence = 0

    def close(self) -> None:
        """
        Close the socket.
        """
        self._socket.close()

    def _dump(
        self,
        kind: int,
        messageClass: Callable[[], Any],
        read: Callable[[Any], _T | None],
        unsupported: Container[int] = (),
    ) -> Iterator[_T]:
        """
        Ask for all of a kind, and read each; again when a change came in between.

        @param unsupported: the errors by which the kernel says that it has nothing of the kind.
        @raise RoutingError: the kernel refused.
        """
        for attempt in range(_DUMP_TRIES):
            message = messageClass()
            message["family"] = socket.AF_INET6 if messageClass is not ifinfmsg else 0
            try:
                messages = self._request(kind, message, NLM_F_DUMP)
            except NetlinkError as error:
                if error.code in unsupported:
                    return iter(())
                raise RoutingError(f"the kernel's tables cannot be read: {error}") from None
            torn = any(m["header"]["flags"] & _NLM_F_DUMP_INTR for m in messages)
            if not torn or attempt == _DUMP_TRIES - 1:
                break
        return (value for value in map(read, messages) if value is not None)

    def _request(self, kind: int, message: Any, flags: int) -> list[Any]:
        """
        Send a request and take the answers.

        @raise NetlinkError: the kernel refused, or could not be asked.
        """
        try:
            return self._ask(kind, message, flags)
        except OSError as error:
            raise NetlinkError(error.errno or errno.ETIMEDOUT, str(error)) from None

    def _ask(self, kind: int, message: Any, flags: int) -> list[Any]:
        """
        Send a request and take the answers.
        """
        self._sequence += 1
        header = message["header"]
        header["type"], header["flags"] = kind, NLM_F_REQUEST | flags
        header["sequence_number"] = self._sequence
        message.encode()
        self._socket.send(message.data)
        answers: list[Any] = []
        while True:
            for answer in self._marshal.parse(self._socket.recv(_RECEIVE)):
                header = answer["header"]
                if header["sequence_number"] != self._sequence:
                    continue
                if header["error"] is not None:
                    raise header["error"]
                if header["type"] in (NLMSG_ERROR, NLMSG_DONE):
                    return answers
                answers.append(answer)
