"""
What is wanted in the kernel: from ownership and the user's choices to rules, routes and the rest,
as values. Nothing here touches the kernel.

A packet for the prefix that comes in on the interface meets our rule before the main table::

    64: from all to 2001:db8::/64 iif eth0 lookup 64 proto 64

and in table 64 what is not ours is handed back (C{throw}) and all the rest is the host's own::

    throw 2001:db8::/128 proto 64
    throw 2001:db8::fdff:ffff:ffff:ff80/121 proto 64
    local 2001:db8::/64 dev lo proto 64

The host's own addresses are found earlier, in the kernel's C{local} table (priority 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prefix64.addressing import Prefix, mergePrefixes
from prefix64.ownership import Ownership
from prefix64.routing.entries import (
    EVERYWHERE,
    ICMPV6_PROTOCOL,
    LOOPBACK,
    MAIN_TABLE,
    GuardKind,
    GuardTable,
    Proxy,
    Route,
    RouteKind,
    Rule,
    Service,
    Steering,
    Sysctl,
    Way,
)

MOST_PROXIES = 1000
"""The most addresses that the kernel is a proxy for: it looks through a list for each packet."""

PROXY_SWITCHES = ("accept_ra", "forwarding", "proxy_ndp")
"""The switches of an interface that decide whether the kernel is a proxy there."""

_ICMPV6 = Service(ICMPV6_PROTOCOL)


@dataclass(frozen=True)
class RoutingPlan:
    """
    All that is wanted, but for the switches of L{proxySysctls}, which depend on what they are now.

    @ivar routes: in the order in which they are to be added: what makes a hole in a local route
        stands before it.
    @ivar rules: in the order in which they are to be added, before the routes.
    @ivar proxies: to be added when the addresses are local.
    @ivar guard: what keeps the kernel from answering ping, if it is to be kept from it.
    @ivar prefixes: what is served, also where there is no route for it.
    """

    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]
    proxies: tuple[Proxy, ...] = ()
    guard: GuardTable | None = None
    prefixes: tuple[Prefix, ...] = ()


def plan(
    ownership: Ownership, interface: str, local: bool, steering: Steering | None = None
) -> RoutingPlan:
    """
    Make the plan of rules and routes.

    @param ownership: what is ours and what is not.
    @param interface: the name of the interface that the prefixes arrive on.
    @param local: whether this host itself reaches the prefixes' addresses.
    @param steering: how packets become the host's own; all that come in, if left out.
    """
    steering = steering or Steering()
    if steering.way is Way.NONE:
        return RoutingPlan((), (), prefixes=ownership.prefixes)
    rules = tuple(_RULES[steering.way](ownership, interface, local, steering))
    routes = tuple(_routes(ownership, steering.numbers.table))
    return RoutingPlan(routes, rules, prefixes=ownership.prefixes)


def _routes(ownership: Ownership, table: int) -> Iterator[Route]:
    """
    The routes of our table: holes first, then the prefixes.
    """
    handedBack, lost = ownership.notOurs(), ownership.unreachable()
    holes = handedBack | lost
    for prefix, reason in sorted(holes.items()):
        kind = RouteKind.UNREACHABLE if prefix in lost else RouteKind.THROW
        yield Route(kind, prefix, reason, table)
    for prefix in ownership.prefixes:
        if prefix not in holes:
            yield Route(RouteKind.LOCAL, prefix, "the prefix", table)


def _interfaces(interface: str, local: bool) -> list[tuple[str, str]]:
    """
    Where packets come from: the interface, and the host itself; each with the reason.
    """
    found = {interface: "what comes in for the prefix"}
    if local:
        found.setdefault(LOOPBACK, "what this host itself sends there")
    return list(found.items())


def _inputRules(
    ownership: Ownership, interface: str, local: bool, steering: Steering
) -> Iterator[Rule]:
    """
    All that comes in for the prefixes.
    """
    numbers = steering.numbers
    for name, reason in _interfaces(interface, local):
        for prefix in ownership.prefixes:
            yield Rule(name, prefix, table=numbers.table, priority=numbers.priority, reason=reason)


def _portRules(
    ownership: Ownership, interface: str, local: bool, steering: Steering
) -> Iterator[Rule]:
    """
    Some services, and ICMPv6, so that errors and unicast solicitations arrive. What else comes in
    for the prefixes ends there: where the host forwards, it would go back to the router, which
    sends it here again. But for what is behind a hole, which the main table knows.
    """
    table, priority = steering.numbers.table, steering.numbers.priority
    for name, _ in _interfaces(interface, local):
        for prefix in ownership.prefixes:
            for service in (*steering.services, _ICMPV6):
                reason = "errors and solicitations" if service is _ICMPV6 else "a port of ours"
                yield Rule(name, prefix, service, 0, table, priority, reason)
    for hole in mergePrefixes(list(ownership.elsewhere())):
        yield Rule(interface, hole, None, 0, MAIN_TABLE, priority, "not ours")
    for prefix in ownership.prefixes:
        yield Rule(interface, prefix, None, 0, 0, priority + 1, "else it would loop")


def _markRules(
    ownership: Ownership, interface: str, local: bool, steering: Steering
) -> Iterator[Rule]:
    """
    What the user's firewall has marked.
    """
    numbers = steering.numbers
    reason = "what the firewall has marked"
    yield Rule("", EVERYWHERE, None, numbers.mark, numbers.table, numbers.priority, reason)


_RULES = {Way.INPUT: _inputRules, Way.PORTS: _portRules, Way.FWMARK: _markRules}


def proxies(interface: str, addresses: Iterable[int]) -> tuple[Proxy, ...]:
    """
    The entries with which the kernel answers solicitations for single addresses.
    """
    return tuple(Proxy(interface, address, "a host of its own") for address in addresses)


def proxySysctls(interface: str, switches: Mapping[str, str]) -> tuple[Sysctl, ...]:
    """
    The switches without which the kernel is no proxy. Where an interface forwards, it accepts
    router advertisements only with accept_ra = 2, and the kernel drops the default routes that it
    learned, so that comes first.

    @param switches: what C{accept_ra}, C{forwarding} and C{proxy_ndp} of the interface are.
    """
    found = []
    if switches.get("forwarding") == "0":
        if switches.get("accept_ra") == "1":
            reason = "else forwarding would drop the routes of router advertisements"
            found.append(Sysctl(interface, "accept_ra", "2", reason))
        reason = "the kernel is a proxy only where it forwards"
        found.append(Sysctl(interface, "forwarding", "1", reason))
    if switches.get("proxy_ndp") == "0":
        found.append(Sysctl(interface, "proxy_ndp", "1", "the kernel answers solicitations"))
    return tuple(found)


def guardTable(ownership: Ownership, interface: str, kind: GuardKind | None) -> GuardTable | None:
    """
    The table that keeps the kernel from answering ping.

    @param kind: which requests it is kept from; L{None} for none.
    """
    if kind is None:
        return None
    others = tuple(ownership.echoedByOthers())
    reason = "ping is answered once" if kind is GuardKind.PROTOCOL else "nobody answers ping"
    return GuardTable(kind, interface, ownership.prefixes, others, reason)
