"""
What lives behind this host, and whether it can be reached there: said when it changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.ownership import Ownership

_log = Logger("prefix64.routing")


class Behind:
    """
    Follows the parts that C{--forward} names, and whether the host forwards.

    @ivar named: those parts.
    """

    def __init__(self, named: Iterable[Prefix]) -> None:
        """
        @param named: the parts that the user named.
        """
        self.named = tuple(named)
        self._unrouted: set[Prefix] = set()
        self._forwards = True

    def follow(self, ownership: Ownership) -> None:
        """
        Say what has changed.
        """
        unrouted = {
            block
            for block in self.named
            if not any(route.overlaps(block) for route in ownership.routed)
        }
        for block in sorted(unrouted - self._unrouted):
            _log.warn(
                "--forward {block}: no route leads there by another interface: it is not answered "
                "for until there is one: ip -6 route add {block} dev INTERFACE",
                block=block,
            )
        for block in sorted(self._unrouted - unrouted):
            _log.info("--forward {block}: there is a route: it is answered for", block=block)
        self._unrouted = unrouted
        if ownership.forwards != self._forwards:
            self._forwards = ownership.forwards
            self._sayForwarding()

    def _sayForwarding(self) -> None:
        """
        Say whether the host forwards.
        """
        if self._forwards:
            _log.info("this host forwards again: what is behind it is answered for")
        else:
            _log.error(
                "this host does not forward any more: what is behind it is not answered for: "
                "sysctl -w net.ipv6.conf.all.forwarding=1"
            )
