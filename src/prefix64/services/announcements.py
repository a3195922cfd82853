"""
Unsolicited Neighbor Advertisements after our link-layer address has changed (RFC 4861 7.2.6).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from twisted.logger import Logger

from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.neighbor import NeighborDiscovery, listedHosts
from prefix64.kernel.messages import Link

MOST_HOSTS = 1000
"""The most hosts that are announced; the others are found when somebody asks."""

INTERVAL = 0.01
"""Seconds from one advertisement to the next."""

_log = Logger("prefix64.icmpv6")


class Announcements:
    """
    Tells the neighbors a new link-layer address, for one listed host after the other. A neighbor
    that has an entry takes it over at once; without this it would send to the old one until
    unreachability detection has failed.
    """

    def __init__(
        self,
        reactor: Any,
        tables: CurrentTable,
        neighbor: NeighborDiscovery,
        known: bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param reactor: its C{callLater} paces them.
        @param known: the link-layer address that neighbors have learned, or will.
        @param clock: the time in seconds, as the responder has it.
        """
        self._reactor = reactor
        self._tables = tables
        self._neighbor = neighbor
        self._known = known
        self._clock = clock
        self._next: Any = None

    def follow(self, link: Link, send: Callable[[bytes], None]) -> None:
        """
        See whether there is something to announce: the address is another one, and the link can
        carry it. What goes on is cut short by yet another address, and begins anew with that.

        @param link: the interface of this moment.
        @param send: sends a frame on it.
        """
        if not link.running:
            self.stop()
        elif link.linkLayerAddress not in (b"", self._known):
            self.stop()
            self._known = link.linkLayerAddress
            self._begin(link.name, send)

    def stop(self) -> None:
        """
        Stop. What was cut short begins anew with the next L{follow}.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
            self._known = b""

    def _begin(self, name: str, send: Callable[[bytes], None]) -> None:
        """
        Announce the first, and the others one by one.
        """
        table = self._tables.table
        waiting = deque(islice(listedHosts(table), MOST_HOSTS))
        listed = len(table.singleAddresses)
        sent = failed = 0

        def announceOne() -> None:
            nonlocal sent, failed
            self._next = None
            frame = self._neighbor.unsolicited(waiting.popleft(), self._clock())
            try:
                if frame is not None:
                    send(frame)
                    sent += 1
            except OSError:
                failed += 1
            if waiting:
                self._next = self._reactor.callLater(INTERVAL, announceOne)
            else:
                _log.info("{line}", line=_inWords(name, sent, listed, failed))

        if waiting:
            announceOne()


def _inWords(name: str, sent: int, listed: int, failed: int) -> str:
    """
    What was done, as a line.

    @param sent: how many hosts were announced.
    @param listed: how many there are.
    @param failed: how many advertisements the kernel did not take.
    """
    hosts = "host" if sent == 1 else "hosts"
    line = f"{name} announced its new link-layer address for {sent} listed {hosts} (of {listed})"
    return f"{line}; {failed} not sent" if failed else line
