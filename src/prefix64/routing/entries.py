"""
What can be wanted in the kernel, as values: rules, routes, neighbor proxies, sysctls and the echo
guard, each with the reason for it. Nothing here touches the kernel.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from prefix64.addressing import Prefix, formatAddress

PROTOCOL: Final = 64
"""The routing protocol (rtnetlink(7)) by which rules, routes and proxies are ours."""

TABLE: Final = 64
PRIORITY: Final = 64
MARK: Final = 64
"""The routing table, the priority of our rules, and the firewall mark, unless others are chosen."""

MAIN_TABLE: Final = 254
LOOPBACK: Final = "lo"
EVERYWHERE: Final = Prefix(0, 0)
ICMPV6_PROTOCOL: Final = 58

GUARD_PRIORITY: Final = -450
GUARD_SET: Final = "others"
GUARD_CHAIN: Final = "prerouting"
"""The hook priority of the echo guard's chain, and what is in its table."""

SERVICE_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132}
"""The transport protocols that have ports (IANA protocol numbers)."""

_PROTOCOL_WORDS = {
    ICMPV6_PROTOCOL: "ipv6-icmp",
    **{number: word for word, number in SERVICE_PROTOCOLS.items()},
}


@dataclass(frozen=True)
class Numbers:
    """
    The numbers of one instance.

    @ivar table: the routing table, 1 to 4294967295, but for 253 to 255, which are the kernel's.
    @ivar priority: of our rules, 1 to 32764; the last rule of L{Way.PORTS} has the next higher one.
    @ivar mark: the firewall mark, 1 to 4294967295.
    """

    table: int = TABLE
    priority: int = PRIORITY
    mark: int = MARK


class Way(enum.Enum):
    """
    How packets for the prefix become the host's own. The values are the words of the option.
    """

    INPUT = "input"
    PORTS = "ports"
    FWMARK = "fwmark"
    NONE = "none"


@dataclass(frozen=True, order=True)
class Service:
    """
    What L{Way.PORTS} takes: a transport protocol, and of it some ports.

    @ivar protocol: the number of the protocol, as in an IPv6 next header.
    @ivar first: the first port, 1 to 65535; 0 for every port.
    @ivar last: the last port.
    """

    protocol: int
    first: int = 0
    last: int = 0

    def __str__(self) -> str:
        word = _PROTOCOL_WORDS.get(self.protocol, str(self.protocol))
        if not self.first:
            return word
        return f"{word}:{self.first}" + (f"-{self.last}" if self.last != self.first else "")

    def has(self, protocol: int, port: int) -> bool:
        """
        Tell whether a port is among them.
        """
        every = not self.first
        return protocol == self.protocol and (every or self.first <= port <= self.last)


@dataclass(frozen=True)
class Steering:
    """
    How packets are steered to the host itself.

    @ivar services: what L{Way.PORTS} takes; ICMPv6 is taken without being named.
    """

    way: Way = Way.INPUT
    services: tuple[Service, ...] = ()
    numbers: Numbers = field(default_factory=Numbers)


class RouteKind(enum.Enum):
    """
    What a route does with a packet. The value is the word that C{ip route} has for it.
    """

    LOCAL = "local"
    THROW = "throw"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Route:
    """
    A route in our table.

    @ivar reason: why it is wanted; it does not tell routes apart.
    """

    kind: RouteKind
    destination: Prefix
    reason: str = field(default="", compare=False)
    table: int = TABLE

    def __str__(self) -> str:
        device = f" dev {LOOPBACK}" if self.kind is RouteKind.LOCAL else ""
        return f"{self.kind.value} {self.destination}{device} table {self.table}"


@dataclass(frozen=True)
class Rule:
    """
    A policy rule: what comes in on an interface for a prefix is looked up in a table.

    @ivar interface: its name; C{lo} stands for what this host itself sends; empty for any.
    @ivar service: the only packets that it is for; L{None} for all.
    @ivar mark: the firewall mark that it asks for; 0 for none.
    @ivar table: where packets are looked up; 0 if they are dropped (C{blackhole}).
    """

    interface: str
    destination: Prefix
    service: Service | None = None
    mark: int = 0
    table: int = TABLE
    priority: int = PRIORITY
    reason: str = field(default="", compare=False)

    @property
    def drops(self) -> bool:
        """Whether it ends the search, and the packet."""
        return self.table == 0

    def __str__(self) -> str:
        parts = [f"iif {self.interface}"] if self.interface else []
        if self.destination.length:
            parts.append(f"to {self.destination}")
        if self.mark:
            parts.append(f"fwmark {self.mark}")
        if self.service is not None:
            parts.append(self._conditions(self.service))
        parts.append("blackhole" if self.drops else f"lookup {self._tableName()}")
        return " ".join(parts)

    def _tableName(self) -> str:
        """
        What C{ip rule} calls the table.
        """
        return "main" if self.table == MAIN_TABLE else str(self.table)

    @staticmethod
    def _conditions(service: Service) -> str:
        """
        A service in the words of C{ip rule}.
        """
        word = _PROTOCOL_WORDS.get(service.protocol, str(service.protocol))
        if not service.first:
            return f"ipproto {word}"
        more = f"-{service.last}" if service.last != service.first else ""
        return f"ipproto {word} dport {service.first}{more}"


@dataclass(frozen=True)
class Proxy:
    """
    A neighbor proxy entry: the kernel itself answers solicitations for one address.

    @ivar interface: the name of the interface that it answers on.
    """

    interface: str
    address: int
    reason: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"proxy {formatAddress(self.address)} dev {self.interface}"


@dataclass(frozen=True)
class Sysctl:
    """
    A switch of the kernel, of one interface.

    @ivar interface: the interface's name.
    @ivar name: what is below C{net.ipv6.conf} and the interface, such as C{forwarding}.
    @ivar value: what it is to be, as the kernel writes it.
    """

    interface: str
    name: str
    value: str
    reason: str = field(default="", compare=False)

    @property
    def path(self) -> str:
        """Below /proc/sys, with slashes: a name may have dots in it (C{eth0.5})."""
        return f"net/ipv6/conf/{self.interface}/{self.name}"

    def __str__(self) -> str:
        return f"{self.path}={self.value}"


class GuardKind(enum.Enum):
    """
    Which echo requests are dropped: those that the protocol answers, or all of them.
    """

    PROTOCOL = "protocol"
    NONE = "none"


@dataclass(frozen=True)
class GuardTable:
    """
    The nf_tables table in front of the kernel's echo.

    @ivar prefixes: the prefixes whose echo requests are dropped.
    @ivar others: what inside them is not to be dropped: sorted, without overlaps.
    """

    kind: GuardKind
    interface: str
    prefixes: tuple[Prefix, ...]
    others: tuple[Prefix, ...]
    reason: str = field(default="", compare=False)
