"""
Fakes of the edges, for tests of prefix64 and of what is built on it. Each passes the tests that the
real thing passes.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zope.interface import implementer

from prefix64.addressing import Prefix, formatAddress
from prefix64.errors import GuardError, InterfaceError, PrivilegeError, RoutingError
from prefix64.instance_lock import SERVED
from prefix64.kernel.guard import IGuard
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.messages import InterfaceAddress, InterfaceRoute, Link
from prefix64.kernel.table_messages import KIND_NUMBERS
from prefix64.link.groups import IGroupMembership
from prefix64.link.packet_socket import ETHERNET, ILinkSocket
from prefix64.option_text import OptionText
from prefix64.routing.entries import (
    EVERYWHERE,
    MAIN_TABLE,
    PROTOCOL,
    GuardKind,
    Proxy,
    Route,
    Rule,
    Sysctl,
)
from prefix64.routing.facts import LOCAL_TABLE, RouteFact, RuleFact

LOOPBACK_HARDWARE = 772
"""The hardware type of the loopback interface, ARPHRD_LOOPBACK."""


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


@implementer(IGuard)
class MemoryGuard:
    """
    A guard in memory.

    @ivar kind: what it drops.
    @ivar interface: what it was installed on; L{None} before, and after it was closed.
    @ivar prefixes: the prefixes it was installed with.
    @ivar others: what it spares.
    @ivar refusal: raised by L{install} and L{serve}, if set.
    """

    def __init__(self, kind: GuardKind, refusal: GuardError | PrivilegeError | None = None) -> None:
        self.kind = kind
        self.refusal = refusal
        self.interface: str | None = None
        self.prefixes: list[Prefix] = []
        self.others: list[Prefix] = []

    def rehearse(
        self, interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]
    ) -> None:
        """
        See L{IGuard.rehearse}.
        """
        if self.refusal is not None:
            raise self.refusal

    def install(self, interface: str, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.install}.
        """
        if self.refusal is not None:
            raise self.refusal
        self.interface, self.prefixes, self.others = interface, list(prefixes), list(others)

    def update(self, others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.update}.
        """
        self.others = list(others)

    def serve(self, prefixes: Iterable[Prefix], others: Iterable[Prefix]) -> None:
        """
        See L{IGuard.serve}.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.interface is not None:
            self.prefixes, self.others = list(prefixes), list(others)

    def close(self) -> None:
        """
        See L{IGuard.close}.
        """
        self.interface = None


class MemoryLock:
    """
    The lock of an instance, in memory.

    @cvar held: the locks that are held, by interface.
    """

    held: dict[str, MemoryLock] = {}

    def __init__(self, interface: str, refusal: str = SERVED) -> None:
        """
        @raise InterfaceError: it is locked.
        """
        if interface in self.held:
            raise InterfaceError(OptionText(refusal, interface, "by another process"))
        self.held[interface] = self
        self._interface = interface

    def release(self) -> None:
        """
        Let it go.
        """
        if self.held.get(self._interface) is self:
            del self.held[self._interface]

    @classmethod
    def holder(cls, interface: str) -> str | None:
        """
        Who holds the lock of an interface, in words.
        """
        return "by another process" if interface in cls.held else None


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


def unlistened(port: int) -> socket.socket:
    """
    A socket that stands for one that listens, for a reactor in memory to adopt.
    """
    return socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
