"""
What is wanted in the kernel: rules and routes, as values. Nothing here touches the kernel.

A packet for the prefix that comes in on the interface meets our rule before the main table::

    64: from all to 2001:db8::/64 iif eth0 lookup 64 proto 64

and in table 64 what is not ours is handed back (C{throw}) and all the rest is the host's own::

    throw 2001:db8::/128 proto 64
    throw 2001:db8::fdff:ffff:ffff:ff80/121 proto 64
    local 2001:db8::/64 dev lo proto 64

The host's own addresses are found earlier, in the kernel's C{local} table (priority 0).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from prefix64.addressing import Prefix
from prefix64.ownership import Ownership

TABLE: Final = 64
"""The routing table that is ours."""

PRIORITY: Final = 64
"""The priority of our rules: before a VPN's and the main table's."""

PROTOCOL: Final = 64
"""The routing protocol (C{rtm_protocol}, rtnetlink(7)) by which rules and routes are ours."""

LOOPBACK: Final = "lo"


class RouteKind(enum.Enum):
    """
    What a route does with a packet. The value is the word that C{ip route} has for it.
    """

    LOCAL = "local"
    THROW = "throw"


@dataclass(frozen=True)
class Route:
    """
    A route in our table.

    @ivar reason: why it is wanted; it does not tell routes apart.
    """

    kind: RouteKind
    destination: Prefix
    reason: str = field(default="", compare=False)

    def __str__(self) -> str:
        device = f" dev {LOOPBACK}" if self.kind is RouteKind.LOCAL else ""
        return f"{self.kind.value} {self.destination}{device} table {TABLE}"


@dataclass(frozen=True)
class Rule:
    """
    A policy rule: what comes in on an interface for a prefix is looked up in our table.

    @ivar interface: its name; C{lo} stands for what this host itself sends.
    """

    interface: str
    destination: Prefix

    def __str__(self) -> str:
        return f"iif {self.interface} to {self.destination} lookup {TABLE}"


@dataclass(frozen=True)
class RoutingPlan:
    """
    All that is wanted.

    @ivar routes: in the order in which they are to be added: a throw route stands before the local
        route that it makes a hole in.
    @ivar rules: to be added after the routes.
    """

    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]


def plan(ownership: Ownership, interface: str, local: bool) -> RoutingPlan:
    """
    Make the plan.

    @param ownership: what is ours and what is not.
    @param interface: the name of the interface that the prefixes arrive on.
    @param local: whether this host itself reaches the prefixes' addresses.
    """
    throws = [
        Route(RouteKind.THROW, prefix, reason)
        for prefix, reason in sorted(ownership.notOurs().items())
    ]
    locals_ = [Route(RouteKind.LOCAL, prefix, "the prefix") for prefix in ownership.prefixes]
    interfaces = dict.fromkeys([interface, LOOPBACK] if local else [interface])
    rules = [Rule(name, prefix) for name in interfaces for prefix in ownership.prefixes]
    return RoutingPlan((*throws, *locals_), tuple(rules))
