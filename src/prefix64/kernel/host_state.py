"""
What the host has: the served interface, its own addresses, gateways, routes to elsewhere and
neighbors; kept up by events.
"""

from __future__ import annotations

import dataclasses
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from prefix64.addressing import Prefix
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.message_classes import EVERY_INTERFACE, readForwarding
from prefix64.kernel.messages import (
    InterfaceAddress,
    InterfaceRoute,
    Link,
    readAddress,
    readGateways,
    readLink,
    readNeighbor,
    readRouted,
)
from prefix64.kernel.table_messages import readRoute, readRule
from prefix64.ownership import Ownership
from prefix64.routing.entries import LOOPBACK

MOST_GATEWAYS = 256
MOST_ROUTED = 1024
MOST_NEIGHBORS = 1024
"""The most of each, inside the prefixes, that are remembered."""

LOOPBACK_INDEX = 1
"""The index of lo in every network namespace (LOOPBACK_IFINDEX)."""

_LINK_LOCAL = Prefix(0xFE80 << 112, 10)
_REPLACE = 0x100  # NLM_F_REPLACE (netlink(7))


class HostState:
    """
    The host as the kernel last described it.

    A gateway stays one for as long as this lives: its route goes with every flap of the link, and
    whoever then answered for its address would cut the whole link off.

    @ivar link: the served interface; L{None} while there is none.
    @ivar births: how many times the served interface went; one that came back meanwhile is another
        one, also if it has the same index.
    @ivar revision: another number whenever something may have changed, but for neighbors.
    @ivar neighborsChanged: whether those have; L{ownership} has them in it.
    @ivar downs: how many times the served interface, and lo, went down, or IPv6 went there: the
        kernel then deletes neighbor proxies, and routes that lead to lo.
    @ivar stale: a route or rule went that may have been ours, or may have led out of a prefix, or
        somebody changed a switch of the interface: everything is to be read again.
    """

    def __init__(
        self,
        kernel: IRoutingKernel,
        interface: str,
        prefixes: Iterable[Prefix],
        excluded: Iterable[Prefix] = (),
        local: bool = False,
        isListed: Callable[[int], bool] = lambda address: False,
        behind: Iterable[Prefix] = (),
        followsRoutes: bool = False,
    ) -> None:
        """
        @param interface: the name of the served interface.
        @param behind: what the user said lives behind this host.
        @param followsRoutes: whether everything lives behind this host that it routes to another
            interface.
        @param local: whether neighbors inside the prefix matter: where this host reaches the prefix
            itself, they must be left out of it.
        @param isListed: whether a host rule covers an address; such a one is no neighbor's.
        """
        self._kernel = kernel
        self._interface = interface
        self._gateways: set[int] = set()
        self.setPrefixes(prefixes, excluded, behind)
        self._local = local
        self._isListed = isListed
        self._followsRoutes = followsRoutes
        self.link: Link | None = None
        self.downs: Counter[str] = Counter()
        self.stale = False
        self.revision = 0
        self.neighborsChanged = False
        self.births = 0
        self._addresses: set[InterfaceAddress] = set()
        self._routed: set[InterfaceRoute] = set()
        self._neighbors: set[int] = set()
        self._forwarding: set[int] = set()
        self._forced = False

    @property
    def gateways(self) -> frozenset[int]:
        """The gateways that are remembered."""
        return frozenset(self._gateways)

    def setPrefixes(
        self,
        prefixes: Iterable[Prefix],
        excluded: Iterable[Prefix] = (),
        behind: Iterable[Prefix] = (),
        gateways: Iterable[int] = (),
    ) -> None:
        """
        Serve other prefixes. What lies in them is known after the next L{refresh}; a gateway in
        none of them takes no room any more.

        @param excluded: what the user said is never ours.
        @param behind: what the user said lives behind this host.
        @param gateways: such as were remembered before, if other prefixes were served meanwhile.
        """
        self._prefixes = tuple(prefixes)
        self._excluded = tuple(excluded)
        self._behind = tuple(behind)
        self._gateways = {one for one in self._gateways.union(gateways) if self._isInside(one)}

    def refresh(self) -> None:
        """
        Read everything anew.

        @raise Prefix64Error: the kernel's tables cannot be read; then everything is as it was.
        """
        link, addresses = self._kernel.link(self._interface), self._kernel.addresses()
        forwarding, gateways = self._kernel.forwarding(), sorted(self._kernel.gateways())
        routed = sorted(self._kernel.routed(), key=lambda route: route.destination)
        neighbors = sorted(self._kernel.neighbors(link.index)) if self._local and link else []
        self._forced = self._kernel.switch(self._interface, "force_forwarding") == "1"
        self.stale = False
        self.revision += 1
        self.link, self._addresses, self._forwarding = link, addresses, forwarding
        self._routed.clear()
        self._neighbors.clear()
        for gateway in gateways:
            self._addGateway(gateway)
        for route in routed:
            self._addRouted(route)
        for address in neighbors:
            self._addNeighbor(address)

    def ownership(self) -> Ownership:
        """
        Whose each address is, as of now.
        """
        index = self.link.index if self.link is not None else None
        mine = frozenset(a.address for a in self._addresses if a.interface == index)
        every = frozenset(a.address for a in self._addresses)
        self.neighborsChanged = False
        elsewhere = self._elsewhere()
        return Ownership(
            self._prefixes,
            self._excluded,
            interfaceAddresses=mine,
            hostAddresses=every,
            gateways=frozenset(self._gateways),
            routed=tuple(sorted(elsewhere)),
            neighbors=frozenset(self._neighbors),
            behind=self._behind,
            followsRoutes=self._followsRoutes,
            forwards=self.forwardsPackets or not (self._behind or self._followsRoutes),
        )

    @property
    def forwardsPackets(self) -> bool:
        """
        Whether the host forwards what comes in on the served interface: all of it does, or this
        interface does whatever all of it does (C{force_forwarding}, Linux 6.17). It is as old as
        the last L{refresh} where the events of it are not followed.
        """
        return EVERY_INTERFACE in self._forwarding or self._forced

    def _elsewhere(self) -> set[Prefix]:
        """
        The parts of the prefixes that the host routes to another interface: by a route of their
        own; and what the user named, by the longest route for more than it, if all that are as long
        lead elsewhere.
        """
        parts = {
            route.destination
            for route in self._routed
            if self._isPart(route.destination) and self._leadsElsewhere(route)
        }
        for block in self._behind:
            around = [route for route in self._routed if route.destination.covers(block)]
            longest = max((route.destination.length for route in around), default=0)
            nearest = [route for route in around if route.destination.length == longest]
            if nearest and all(map(self._leadsElsewhere, nearest)):
                parts.add(block)
        return parts

    def _isPart(self, destination: Prefix) -> bool:
        """
        Tell whether a destination is a part of a prefix, and not all of it.
        """
        return any(p.covers(destination) and p != destination for p in self._prefixes)

    def _leadsElsewhere(self, route: InterfaceRoute) -> bool:
        """
        Tell whether a route leads a part of a prefix to another interface. One that the kernel made
        by itself counts if it is that of an address which the host has there: strangers on that
        link, too, can have one made, by a router advertisement.
        """
        index = self.link.index if self.link is not None else None
        if route.interface == index:
            return False
        return not route.ofKernel or any(
            one.interface == route.interface
            and one.length == route.destination.length
            and one.address in route.destination
            for one in self._addresses
        )

    def linkLocal(self) -> int | None:
        """
        The lowest link-local address of the served interface.
        """
        if self.link is None:
            return None
        candidates = [
            a.address
            for a in self._addresses
            if a.interface == self.link.index and a.address in _LINK_LOCAL
        ]
        return min(candidates, default=None)

    @property
    def forwards(self) -> bool:
        """
        Whether the served interface is that of a router. It is as old as the last L{refresh} where
        the events of it are not followed.
        """
        return self.link is not None and self.link.index in self._forwarding

    def messageReceived(self, message: Any) -> None:
        """
        Take an event in.

        @param message: an rtnetlink message of a link, address, route, rule, neighbor or switch.
        """
        if message["family"] not in (socket.AF_UNSPEC, socket.AF_INET6):
            return  # a bridge speaks of its ports in messages of its own
        take = self._TAKERS.get(message.get("event"))
        if take is not None:
            before = len(self._neighbors)
            take(self, message)
            # Strangers on the link make neighbor events, as many as they like.
            ofNeighbor = take in (HostState._neighborIsThere, HostState._neighborIsGone)
            if not ofNeighbor:
                self.revision += 1
            elif len(self._neighbors) != before:
                self.neighborsChanged = True

    def _linkIsThere(self, message: Any) -> None:
        link = readLink(message)
        same = self.link is not None and link.index == self.link.index
        if not link.up and link.index == LOOPBACK_INDEX:
            self.downs[LOOPBACK] += 1
        if link.name == self._interface:
            if same and not link.up and self._interface != LOOPBACK:
                self.downs[self._interface] += 1
            if same and not link.linkLayerAddress and self.link is not None:
                # Some events tell a part only.
                link = dataclasses.replace(link, linkLayerAddress=self.link.linkLayerAddress)
            self.link = link
        elif same:
            self._linkWent()

    def _linkIsGone(self, message: Any) -> None:
        if self.link is not None and message["index"] == self.link.index:
            self._linkWent()

    def _linkWent(self) -> None:
        """
        The served interface is deleted, in another network namespace, or has another name.
        """
        self.link = None
        self.births += 1
        self.downs[self._interface] += 1

    def _addressIsThere(self, message: Any) -> None:
        address = readAddress(message)
        if address is not None:
            self._addresses.discard(address)  # one whose prefix is another now
            self._addresses.add(address)

    def _addressIsGone(self, message: Any) -> None:
        address = readAddress(message)
        if address is not None:
            self._addresses.discard(address)

    def _ruleIsGone(self, message: Any) -> None:
        self.stale = self.stale or readRule(message) is not None

    def _routeIsThere(self, message: Any) -> None:
        for gateway in readGateways(message):
            self._addGateway(gateway)
        for route in readRouted(message):
            self._addRouted(route)
        if self._routed and message["header"]["flags"] & _REPLACE:
            self.stale = True  # of the one that was replaced the kernel says nothing

    def _routeIsGone(self, message: Any) -> None:
        ours = readRoute(message) is not None
        routed = not self._routed.isdisjoint(readRouted(message))
        self.stale = self.stale or ours or routed

    def _neighborIsThere(self, message: Any) -> None:
        neighbor = readNeighbor(message)
        index = self.link.index if self.link is not None else None
        if neighbor is not None and neighbor.interface == index:
            if neighbor.known:
                self._addNeighbor(neighbor.address)
            else:
                self._neighbors.discard(neighbor.address)

    def _neighborIsGone(self, message: Any) -> None:
        neighbor = readNeighbor(message)
        index = self.link.index if self.link is not None else None
        if neighbor is not None and neighbor.interface == index:
            self._neighbors.discard(neighbor.address)

    def _switched(self, message: Any) -> None:
        """
        Take in whether an interface forwards. Of one that is new the kernel says so before it says
        that there is one, so all of them are remembered.
        """
        found = readForwarding(message)
        if found is not None:
            index, forwarding = found
            (self._forwarding.add if forwarding else self._forwarding.discard)(index)
        if self.link is not None and message.get_attr("NETCONFA_IFINDEX") == self.link.index:
            self.stale = True

    def _switchIsGone(self, message: Any) -> None:
        index = message.get_attr("NETCONFA_IFINDEX")
        self._forwarding.discard(index)
        if self.link is not None and index == self.link.index:
            self.downs[self._interface] += 1  # IPv6 went, and the proxies with it
            self.stale = True

    def _addGateway(self, address: int) -> None:
        """
        Remember a gateway that is inside a prefix, as long as there is room.
        """
        if self._isInside(address) and len(self._gateways) < MOST_GATEWAYS:
            self._gateways.add(address)

    def _addRouted(self, route: InterfaceRoute) -> None:
        """
        Remember a route for a part of a prefix, or for what the user named and more, as long as
        there is room. A default route is for everything, and says nothing of it.
        """
        destination = route.destination
        inside = self._isPart(destination) or (
            destination.length > 0 and any(destination.covers(block) for block in self._behind)
        )
        room = len(self._routed) < MOST_ROUTED
        if inside and room and route.interface != LOOPBACK_INDEX:
            self._routed.add(route)

    def _addNeighbor(self, address: int) -> None:
        """
        Remember a neighbor that is inside a prefix, as long as there is room.
        """
        wanted = self._local and self._isInside(address) and not self._isListed(address)
        if wanted and len(self._neighbors) < MOST_NEIGHBORS:
            self._neighbors.add(address)

    def _isInside(self, address: int) -> bool:
        """
        Tell whether an address is in one of the prefixes.
        """
        return any(address in prefix for prefix in self._prefixes)

    _TAKERS = {
        "RTM_NEWLINK": _linkIsThere,
        "RTM_DELLINK": _linkIsGone,
        "RTM_NEWADDR": _addressIsThere,
        "RTM_DELADDR": _addressIsGone,
        "RTM_NEWROUTE": _routeIsThere,
        "RTM_DELROUTE": _routeIsGone,
        "RTM_DELRULE": _ruleIsGone,
        "RTM_NEWNEIGH": _neighborIsThere,
        "RTM_DELNEIGH": _neighborIsGone,
        "RTM_NEWNETCONF": _switched,
        "RTM_DELNETCONF": _switchIsGone,
    }
