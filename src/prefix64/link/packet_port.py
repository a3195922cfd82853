"""
The packet socket as a citizen of the reactor: frames are drained and answered in batches.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from errno import errorcode
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from prefix64.icmpv6.verdicts import RespondAll
from prefix64.link.packet_socket import ILinkSocket

MOST_FRAMES = 256
"""How many frames are answered before the reactor has its turn."""

MOST_SECONDS = 0.002
"""How long frames are answered before the reactor has its turn."""

AT_ONCE = 64
"""How many frames are answered before the clock is looked at, and their replies sent together."""

_log = Logger("prefix64.link")


@implementer(IReadDescriptor)
class PacketPort:
    """
    Reads frames, has them answered, sends the replies.

    @ivar sendErrors: replies that could not be sent, by the error's name; a full queue or an
        interface that is down is no reason to stop.
    """

    def __init__(
        self,
        reactor: Any,
        link: ILinkSocket,
        respond: RespondAll,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param clock: the time in seconds. The reactor's is the time of day, which may be set.
        @param respond: given frames with their packet types, and the time in seconds: the replies.
        """
        self._reactor = reactor
        self._link = link
        self._respond = respond
        self._clock = clock
        self._open = False
        self.sendErrors: Counter[str] = Counter()

    def startReading(self) -> None:
        """
        Begin.
        """
        self._open = True
        self._reactor.addReader(self)

    def stopReading(self) -> None:
        """
        Stop answering, and close the socket. May be called twice.
        """
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
        self._link.close()

    def drops(self) -> int:
        """
        How many frames the kernel has dropped since the last call, because we were too slow.
        """
        return self._link.drops()

    def unread(self) -> int:
        """
        How many frames wait to be answered.
        """
        return self._link.unread()

    def fileno(self) -> int:
        """
        The socket's descriptor.
        """
        return self._link.fileno()

    def logPrefix(self) -> str:
        """
        The name in the reactor's log.
        """
        return "ICMPv6"

    def doRead(self) -> None:
        """
        Answer what has come, up to L{MOST_FRAMES} frames or for L{MOST_SECONDS}. What is left makes
        the descriptor readable again.
        """
        now = self._clock()
        frames = self._link.receive(AT_ONCE)
        if not frames:
            self._interfaceFailed()
        self._answer(frames, now)
        answered, deadline = AT_ONCE, now + MOST_SECONDS
        while len(frames) == AT_ONCE and answered < MOST_FRAMES:
            now = self._clock()
            if now > deadline:
                return
            frames = self._link.receive(AT_ONCE)
            self._answer(frames, now)
            answered += AT_ONCE

    def _answer(self, frames: list[tuple[bytes, int]], now: float) -> None:
        """
        Have frames answered, and send the replies.
        """
        replies = self._respond(frames, now)
        if replies:
            for error in self._link.sendAll(replies):
                self.sendErrors[errorcode.get(error.errno or 0, "unknown")] += 1

    def _interfaceFailed(self) -> None:
        """
        Go on after an error of the interface, which is the reason of a wake-up without a frame.
        Some event loops stop polling a descriptor that had one: it is taken out and put in again.
        """
        error = self._link.takeError()
        if error is not None and self._open:
            _log.info("the interface reports: {why}", why=error.strerror)
            self._reactor.removeReader(self)
            self._reactor.addReader(self)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor took the descriptor out: because it stops, or because an error was pending
        (epoll calls this for a link that went down). In that case take the error and go on.
        """
        if self._open and self._reactor.running:
            self._link.takeError()
            self._reactor.addReader(self)
