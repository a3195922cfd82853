"""
One interface: routing, then who answers ping, then ICMPv6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefix64.edges import Edges
from prefix64.errors import givenIn
from prefix64.hosts.table import CurrentTable
from prefix64.services.echo_guard import EchoGuardService
from prefix64.services.icmpv6 import Icmpv6Service
from prefix64.services.in_order import InOrder
from prefix64.services.routing import RoutingService
from prefix64.settings import LinkSettings


class LinkService(InOrder):
    """
    Makes the prefixes of one interface this host's own, and answers for them on the link.

    @ivar tables: the host table as it is on this interface.
    """

    def __init__(
        self,
        reactor: Any,
        settings: LinkSettings,
        stateDirectory: str,
        tables: CurrentTable,
        edges: Edges,
        siblings: Sequence[LinkSettings] = (),
    ) -> None:
        """
        @param siblings: the other interfaces of this process.
        """
        super().__init__()
        self.name = settings.interface
        self.settings = settings
        self.tables = tables
        self.routing = RoutingService(reactor, settings, stateDirectory, tables, edges, siblings)
        self.echoGuard = EchoGuardService(settings, self.routing, tables, edges)
        self.icmpv6 = Icmpv6Service(
            reactor, settings, self.routing, self.echoGuard, tables, edges, bool(siblings)
        )
        for service in (self.routing, self.echoGuard, self.icmpv6):
            service.setServiceParent(self)

    def prepare(self) -> None:
        """
        Take the lock of the interface, read what the host has, and see that nothing is in the way.
        Nothing is changed.

        @raise Prefix64Error: something is.
        """
        self.routing.prepare()
        self.echoGuard.prepare()


def startLinks(links: Sequence[LinkService], edges: Edges) -> None:
    """
    Begin on every interface, when nothing is in the way on any. No other instance of the network
    namespace starts meanwhile.

    @raise Prefix64Error: something is in the way, or the kernel refused: stop them all.
    """
    with edges.turn():
        for begin in (LinkService.prepare, LinkService.privilegedStartService):
            for link in links:
                with givenIn(link.settings.origin):
                    begin(link)
