"""
The kernel's tables in memory, and its events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from prefix64.addressing import Prefix
from prefix64.errors import RoutingError
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.messages import InterfaceAddress, InterfaceRoute, Link
from prefix64.kernel.table_messages import KIND_NUMBERS
from prefix64.link.packet_socket import ETHERNET
from prefix64.routing.entries import (
    EVERYWHERE,
    MAIN_TABLE,
    PROTOCOL,
    Proxy,
    Route,
    Rule,
    Sysctl,
)
from prefix64.routing.facts import LOCAL_TABLE, RouteFact, RuleFact

LOOPBACK_HARDWARE = 772
"""The hardware type of the loopback interface, ARPHRD_LOOPBACK."""


@implementer(IRoutingKernel)
class MemoryKernel:
    """
    The kernel's tables in memory.

    @ivar links: the interfaces; C{lo} and C{eth0} at first.
    @ivar hostAddresses: the addresses of all interfaces.
    @ivar nextHops: the gateways.
    @ivar interfaceRoutes: the host's unicast routes, and the interfaces that they lead to.
    @ivar knownNeighbors: neighbors, with the interface's index.
    @ivar forwardingInterfaces: the indices of the interfaces that forward.
    @ivar ourRoutes: routes with our protocol.
    @ivar ourRules: rules with our protocol.
    @ivar ourProxies: neighbor proxies with our protocol.
    @ivar othersProxies: neighbor proxies of others.
    @ivar othersRules: rules of others; the kernel's own at first.
    @ivar othersRoutes: routes of others, in any table.
    @ivar switches: what each switch is, by the name of the interface and its own.
    @ivar foreignDestinations: destinations of routes in our table that are not ours.
    @ivar refusals: errors that the next additions and deletions raise, in order; L{None} lets one
        pass.
    @ivar log: what was added and deleted, in order, as text.
    @ivar closed: whether it was closed.
    """

    def __init__(self) -> None:
        self.links = [
            Link("lo", 1, LOOPBACK_HARDWARE, b"", True),
            Link("eth0", 2, ETHERNET, b"\x02\0\0\0\0\x01", True),
        ]
        self.hostAddresses: set[InterfaceAddress] = set()
        self.nextHops: set[int] = set()
        self.interfaceRoutes: set[InterfaceRoute] = set()
        self.knownNeighbors: set[InterfaceAddress] = set()
        self.forwardingInterfaces: set[int] = set()
        self.ourRoutes: set[Route] = set()
        self.ourRules: set[Rule] = set()
        self.ourProxies: set[Proxy] = set()
        self.othersProxies: set[Proxy] = set()
        self.othersRules: list[RuleFact] = [
            RuleFact(0, EVERYWHERE, LOCAL_TABLE, protocol=2),
            RuleFact(32766, EVERYWHERE, MAIN_TABLE, protocol=2),
        ]
        self.othersRoutes: list[RouteFact] = []
        self.switches: dict[tuple[str, str], str] = {
            (name, switch): value
            for name in ("lo", "eth0", "all")
            for switch, value in (("accept_ra", "1"), ("forwarding", "0"), ("proxy_ndp", "0"))
        }
        self.foreignDestinations: set[Prefix] = set()
        self.refusals: deque[Exception | None] = deque()
        self.log: list[str] = []
        self.closed = False

    def link(self, name: str) -> Link | None:
        """
        See L{IRoutingKernel.link}.
        """
        return next((link for link in self.links if link.name == name), None)

    def linkNames(self) -> list[str]:
        """
        See L{IRoutingKernel.linkNames}.
        """
        return [link.name for link in self.links]

    def addresses(self) -> set[InterfaceAddress]:
        """
        See L{IRoutingKernel.addresses}.
        """
        return set(self.hostAddresses)

    def gateways(self) -> set[int]:
        """
        See L{IRoutingKernel.gateways}.
        """
        return set(self.nextHops)

    def routed(self) -> set[InterfaceRoute]:
        """
        See L{IRoutingKernel.routed}.
        """
        return set(self.interfaceRoutes)

    def neighbors(self, interface: int) -> set[int]:
        """
        See L{IRoutingKernel.neighbors}.
        """
        return {n.address for n in self.knownNeighbors if n.interface == interface}

    def forwarding(self) -> set[int]:
        """
        See L{IRoutingKernel.forwarding}.
        """
        return set(self.forwardingInterfaces)

    def names(self) -> dict[int, str]:
        """
        See L{IRoutingKernel.names}.
        """
        return {link.index: link.name for link in self.links}

    def switch(self, interface: str, name: str) -> str | None:
        """
        See L{IRoutingKernel.switch}.
        """
        return self.switches.get((interface, name))

    def setSwitch(self, sysctl: Sysctl) -> None:
        """
        See L{IRoutingKernel.setSwitch}.
        """
        self._mayRefuse()
        self.switches[sysctl.interface, sysctl.name] = sysctl.value
        self.log.append(f"set {sysctl}")

    def switchedInterfaces(self) -> list[str]:
        """
        See L{IRoutingKernel.switchedInterfaces}.
        """
        return sorted({name for name, _ in self.switches} - {"all"})

    def ruleFacts(self) -> list[RuleFact]:
        """
        See L{IRoutingKernel.ruleFacts}.
        """
        ours = [
            RuleFact(
                rule.priority,
                rule.destination,
                rule.table,
                rule.interface,
                protocol=PROTOCOL,
                ours=rule,
            )
            for rule in sorted(self.ourRules, key=str)
        ]
        return sorted([*ours, *self.othersRules], key=lambda rule: rule.priority)

    def routeFacts(self) -> list[RouteFact]:
        """
        See L{IRoutingKernel.routeFacts}.
        """
        ours = [
            RouteFact(route.table, route.destination, KIND_NUMBERS[route.kind], protocol=PROTOCOL)
            for route in sorted(self.ourRoutes, key=str)
        ]
        return [*ours, *self.othersRoutes]

    def routes(self) -> set[Route]:
        """
        See L{IRoutingKernel.routes}.
        """
        return set(self.ourRoutes)

    def rules(self) -> set[Rule]:
        """
        See L{IRoutingKernel.rules}.
        """
        return set(self.ourRules)

    def proxies(self) -> set[Proxy]:
        """
        See L{IRoutingKernel.proxies}.
        """
        return set(self.ourProxies)

    def foreignProxies(self) -> set[Proxy]:
        """
        See L{IRoutingKernel.foreignProxies}.
        """
        return set(self.othersProxies)

    def addProxy(self, proxy: Proxy) -> None:
        """
        See L{IRoutingKernel.addProxy}.
        """
        self._mayRefuse()
        if self.link(proxy.interface) is None:
            raise RoutingError(f"neighbor {proxy}: No such device")
        self.ourProxies.add(proxy)
        self.log.append(f"add {proxy}")

    def deleteProxy(self, proxy: Proxy) -> None:
        """
        See L{IRoutingKernel.deleteProxy}.
        """
        self._mayRefuse()
        self.ourProxies.discard(proxy)
        self.log.append(f"delete {proxy}")

    def addRoute(self, route: Route) -> None:
        """
        See L{IRoutingKernel.addRoute}.
        """
        self._mayRefuse()
        taken = self.foreignDestinations | {ours.destination for ours in self.ourRoutes}
        if route.destination in taken:
            raise RoutingError(f"a route for {route.destination} is there already, not ours")
        self.ourRoutes.add(route)
        self.log.append(f"add {route}")

    def replaceRoute(self, old: Route, new: Route) -> None:
        """
        See L{IRoutingKernel.replaceRoute}.
        """
        self._mayRefuse()
        self.ourRoutes.discard(old)
        self.ourRoutes.add(new)
        self.log.append(f"replace {old} by {new}")

    def deleteRoute(self, route: Route) -> None:
        """
        See L{IRoutingKernel.deleteRoute}.
        """
        self._mayRefuse()
        self.ourRoutes.discard(route)
        self.log.append(f"delete {route}")

    def addRule(self, rule: Rule) -> None:
        """
        See L{IRoutingKernel.addRule}.
        """
        self._mayRefuse()
        if rule in self.ourRules:
            raise RoutingError(f"rule {rule}: File exists")
        self.ourRules.add(rule)
        self.log.append(f"add {rule}")

    def deleteRule(self, rule: Rule) -> None:
        """
        See L{IRoutingKernel.deleteRule}.
        """
        self._mayRefuse()
        self.ourRules.discard(rule)
        self.log.append(f"delete {rule}")

    def close(self) -> None:
        """
        See L{IRoutingKernel.close}.
        """
        self.closed = True

    def _mayRefuse(self) -> None:
        """
        Raise the next refusal, if it is this one's turn.
        """
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal is not None:
            raise refusal


class MemoryMonitor:
    """
    Events in memory.

    @ivar reading: whether events are followed.
    """

    def __init__(
        self,
        reactor: Any,
        groups: Iterable[int],
        messageReceived: Callable[[Any], None],
        batchEnded: Callable[[bool], None],
    ) -> None:
        self.groups = list(groups)
        self.messageReceived = messageReceived
        self.batchEnded = batchEnded
        self.reading = False

    def startReading(self) -> None:
        """
        Begin.
        """
        self.reading = True

    def stopReading(self) -> None:
        """
        End.
        """
        self.reading = False
