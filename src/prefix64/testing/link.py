"""
The link in memory: frames, and multicast groups.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable, Sequence

from zope.interface import implementer

from prefix64.addressing import formatAddress
from prefix64.errors import InterfaceError
from prefix64.link.groups import IGroupMembership
from prefix64.link.packet_socket import ILinkSocket


@implementer(ILinkSocket)
class MemoryLink:
    """
    A link in memory.

    @ivar linkLayerAddress: 6 bytes.
    @ivar sent: the frames that were sent.
    @ivar sendErrors: errors that the next sends raise, in order.
    @ivar errors: what the interface has to report, in order.
    @ivar dropped: what L{drops} says next.
    @ivar program: the filter that was put in the place of the first one.
    @ivar bound: whether its interface is there.
    @ivar closed: whether it was closed.
    """

    def __init__(self, linkLayerAddress: bytes = b"\x02\0\0\0\0\x01") -> None:
        self.linkLayerAddress = linkLayerAddress
        self.sent: list[bytes] = []
        self.sendErrors: deque[OSError] = deque()
        self.errors: deque[OSError] = deque()
        self.dropped = 0
        self.program = b""
        self.bound = True
        self.closed = False
        self._waiting: deque[tuple[bytes, int]] = deque()

    def deliver(self, frame: bytes, packetType: int = 0) -> None:
        """
        Have a frame come in.
        """
        self._waiting.append((frame, packetType))

    def fileno(self) -> int:
        """
        There is no descriptor.
        """
        return -1

    def receive(self, most: int) -> list[tuple[bytes, int]]:
        """
        See L{ILinkSocket.receive}.
        """
        self._mustBeOpen()
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def takeError(self) -> OSError | None:
        """
        See L{ILinkSocket.takeError}.
        """
        self._mustBeOpen()
        return self.errors.popleft() if self.errors else None

    def send(self, frame: bytes) -> None:
        """
        See L{ILinkSocket.send}.
        """
        self._mustBeOpen()
        if self.sendErrors:
            raise self.sendErrors.popleft()
        self.sent.append(frame)

    def sendAll(self, frames: Sequence[bytes]) -> list[OSError]:
        """
        See L{ILinkSocket.sendAll}.
        """
        errors = []
        for frame in frames:
            try:
                self.send(frame)
            except OSError as error:
                errors.append(error)
        return errors

    def drops(self) -> int:
        """
        See L{ILinkSocket.drops}.
        """
        dropped, self.dropped = self.dropped, 0
        return dropped

    def setFilter(self, program: bytes) -> None:
        """
        See L{ILinkSocket.setFilter}. In memory nothing is filtered.
        """
        self._mustBeOpen()
        self.program = program

    def isBound(self) -> bool:
        """
        See L{ILinkSocket.isBound}.
        """
        return self.bound and not self.closed

    def unread(self) -> int:
        """
        See L{ILinkSocket.unread}.
        """
        return 0 if self.closed else len(self._waiting)

    def close(self) -> None:
        """
        See L{ILinkSocket.close}.
        """
        self.closed = True

    def _mustBeOpen(self) -> None:
        """
        Raise what the kernel raises for a socket that was closed.
        """
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@implementer(IGroupMembership)
class MemoryGroups:
    """
    Multicast groups in memory.

    @ivar joined: the groups, in the order in which they were joined.
    @ivar room: how many there is room for.
    @ivar closed: whether it was closed.
    """

    def __init__(self, room: int = 1 << 16) -> None:
        self.joined: list[int] = []
        self.room = room
        self.closed = False

    def update(self, groups: Iterable[int]) -> None:
        """
        See L{IGroupMembership.update}.
        """
        if self.closed:
            raise InterfaceError("the memberships of the interface were closed")
        wanted = dict.fromkeys(groups)
        self.joined = [group for group in self.joined if group in wanted]
        for group in wanted:
            if group not in self.joined:
                self._join(group)

    def close(self) -> None:
        """
        See L{IGroupMembership.close}.
        """
        self.joined, self.closed = [], True

    def _join(self, group: int) -> None:
        """
        Join a group, or raise what the kernel has to say.
        """
        number = errno.EINVAL if group >> 120 != 0xFF else errno.ENOBUFS
        if number == errno.EINVAL or len(self.joined) >= self.room:
            raise InterfaceError(f"{formatAddress(group)}: {os.strerror(number)}")
        self.joined.append(group)
