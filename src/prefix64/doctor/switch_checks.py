"""
Sysctls, and what they are needed for: the kernel's neighbor proxy, and what lives behind this host.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.addressing import Prefix
from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, warning
from prefix64.doctor.routing_checks import isDefault
from prefix64.doctor.rule_checks import MOST_NAMED, named
from prefix64.routing.facts import RTN_UNICAST
from prefix64.settings import NdpMode

_DISABLED = "net/ipv6/conf/all/disable_ipv6"
_NEIGHBORS_NEAR = 0.9
_RTPROT_RA = 9


def checkSwitches(facts: HostFacts) -> Iterator[Finding]:
    """
    The sysctls that keep the host from answering or from its default route.
    """
    found = [*_general(facts), *_left(facts)]
    if facts.settings.ndp is NdpMode.KERNEL and facts.instance is not None:
        found += _ofProxy(facts)
    yield from found
    if not found:
        yield ok("sysctls", _asTheyAre(facts))


def _general(facts: HostFacts) -> Iterator[Finding]:
    """
    What matters in every way.
    """
    check, switches = "sysctls", facts.switches
    if switches.disabledEverywhere:
        yield warning(check, "IPv6 is off for all interfaces that come", f"sysctl -w {_DISABLED}=0")
    if _refusesAdvertisements(facts):
        yield from _withoutAdvertisements(facts)
    most = switches.mostNeighbors
    if most is not None and switches.neighbors >= most * _NEIGHBORS_NEAR:
        yield warning(
            check,
            f"the neighbor table has {switches.neighbors} of at most {most} entries",
            f"sysctl -w net/ipv6/neigh/default/gc_thresh3={most * 4}",
        )


def _refusesAdvertisements(facts: HostFacts) -> bool:
    """
    Tell whether the interface takes no router advertisements, because it forwards.
    """
    switches = facts.switches
    forwards = switches.forwarding or switches.forwardingHere
    return bool(forwards) and switches.acceptRouterAdvertisements == 1


def _withoutAdvertisements(facts: HostFacts) -> Iterator[Finding]:
    """
    Judge an interface that takes no router advertisements.
    """
    advice = f"sysctl -w net/ipv6/conf/{facts.quoted}/accept_ra=2"
    defaults = [route for route in facts.routes if isDefault(route)]
    if not defaults:
        yield warning(
            "sysctls",
            "forwarding is on, so router advertisements are not accepted, and there is no "
            "default route",
            advice,
        )
    elif all(route.protocol == _RTPROT_RA for route in defaults):
        yield warning(
            "sysctls",
            "forwarding is on, so router advertisements are not accepted: the default route, "
            "which one of them gave, will end",
            advice,
        )


def _left(facts: HostFacts) -> Iterator[Finding]:
    """
    Judge switches that nobody has put back.
    """
    if facts.changed:
        yield warning(
            "sysctls",
            f"changed by a prefix64 that crashed, and not put back: {named(facts.changed)}",
            f"a start puts them back; or: {facts.cleanup}",
        )


def _ofProxy(facts: HostFacts) -> Iterator[Finding]:
    """
    What the kernel's neighbor proxy needs (C{ndisc_recv_ns}).
    """
    switches, conf = facts.switches, f"net/ipv6/conf/{facts.quoted}"
    again = "prefix64 sets it again within 10 seconds, but only once: look at its log"
    if not switches.forwardingHere:
        yield problem(
            "sysctls",
            f"forwarding is off on {facts.interface}: the kernel is a proxy only where it forwards",
            f"sysctl -w {conf}/accept_ra=2 {conf}/forwarding=1",
            again,
        )
    if not switches.proxy:
        yield problem(
            "sysctls",
            f"proxy_ndp is off on {facts.interface}: the kernel answers no solicitation",
            f"sysctl -w {conf}/proxy_ndp=1",
            again,
        )


def _asTheyAre(facts: HostFacts) -> str:
    """
    What there is to say where nothing is wrong.
    """
    on = "IPv6 is on; " if facts.hasIpv6 else ""
    if facts.settings.ndp is NdpMode.KERNEL and facts.instance is not None:
        return f"{on}proxy_ndp and forwarding are on for {facts.interface}"
    word = "on" if facts.switches.forwarding else "off"
    if facts.settings.forwardWords:
        return f"{on}see forward"
    return f"{on}forwarding is {word}, which does not matter"


def checkForward(facts: HostFacts) -> Iterator[Finding]:
    """
    What lives behind this host is routed there, and this host forwards.
    """
    check, settings = "forward", facts.settings
    if not settings.forwardWords:
        return
    if not facts.forwards:
        yield problem(
            check,
            f"this host does not forward, so --forward {settings.forwardWords} is not answered for",
            *_switchOn(facts),
        )
    for block in settings.behind:
        yield _routed(facts, block)
    if settings.followsRoutes and facts.ownership.routed:
        routed = named(facts.ownership.routed)
        yield ok(check, f"auto: {routed}: this host routes that to another interface")
    elif settings.followsRoutes:
        yield warning(
            check,
            "auto: this host routes no part of the prefix to another interface",
            f"ip -6 route add PART dev INTERFACE, with a part of {facts.prefixes[0]}",
        )


def _switchOn(facts: HostFacts) -> Iterator[str]:
    """
    How to have this host forward, without the loss of its default route.
    """
    if facts.switches.acceptRouterAdvertisements == 1:
        yield (
            f"sysctl -w net/ipv6/conf/{facts.quoted}/accept_ra=2, first: else the default route "
            "goes, where a router advertisement gave it"
        )
    yield "sysctl -w net.ipv6.conf.all.forwarding=1"


def _routed(facts: HostFacts, block: Prefix) -> Finding:
    """
    Judge one part.
    """
    check = "forward"
    routes = [part for part in facts.ownership.routed if part.overlaps(block)]
    devices = dict.fromkeys(
        name
        for route in facts.routes
        if route.destination in routes and route.kind == RTN_UNICAST
        for name in route.interfaces
        if name != facts.interface
    )
    by = f" by {', '.join(list(devices)[:MOST_NAMED])}"
    if not routes:
        return problem(
            check,
            f"no route leads to {block} by another interface: it is not answered for",
            f"ip -6 route add {block} dev INTERFACE",
        )
    if not any(part.covers(block) for part in routes):
        return warning(
            check,
            f"of {block} only {named(routes)} is routed{by}: the rest is not answered for",
            f"ip -6 route add {block} dev INTERFACE, or --forward less",
        )
    return ok(check, f"{block} is routed{by}")
