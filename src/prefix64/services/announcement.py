"""
What is served, in words, for the line that the start ends with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prefix64.addressing import formatAddress
from prefix64.icmpv6.policies import RespondPolicy
from prefix64.ownership import Owner, Ownership
from prefix64.routing.entries import Way
from prefix64.services.link import LinkService
from prefix64.settings import DEFAULT_PREFIX, EchoMode, LinkSettings, NdpMode, Settings

_WAYS = {
    Way.PORTS: "only {services} and ICMPv6 are taken",
    Way.FWMARK: "what the firewall marks with {mark} is taken",
    Way.NONE: "routing is left as it is",
}
_NDP = {
    NdpMode.KERNEL: "solicitations for single addresses answered by the kernel",
    NdpMode.NONE: "solicitations left to somebody else",
}


def served(links: Iterable[LinkSettings]) -> str:
    """
    The prefixes and their interfaces: C{2001:db8::/64 on eth0 and 2001:db8:1::/64 on eth1}.
    """
    return " and ".join(
        f"{' and '.join(map(str, one.prefixes))} on {one.interface}" for one in links
    )


def firstToTry(settings: Settings, ownership: Ownership) -> str | None:
    """
    An address that a visitor can try first: of a host rule, where only those are answered for;
    L{None} where none is this host's own.
    """
    if any(not _onlyHosts(link) for link in settings.links):
        return ownership.example()
    firsts = (host.prefix.address(host.prefix.count // 2) for host in settings.sites.hosts)
    return next((formatAddress(one) for one in firsts if ownership.of(one) is Owner.OURS), None)


def _onlyHosts(link: LinkSettings) -> bool:
    """
    Tell whether only addresses that a host rule covers are answered for.
    """
    return link.ndp is NdpMode.KERNEL or link.respond is RespondPolicy.HOSTS


def notes(links: Sequence[LinkService]) -> list[str]:
    """
    What else there is to know; of several interfaces, each part with the names of those that it is
    true of.
    """
    found: dict[str, list[str]] = {}
    for link in links:
        for note in _notesOf(link):
            found.setdefault(note, []).append(link.settings.interface)
    several = len(links) > 1
    return [f"{note} ({', '.join(names)})" if several else note for note, names in found.items()]


def _notesOf(link: LinkService) -> list[str]:
    """
    What else there is to know of one interface.
    """
    settings, parts = link.settings, []
    steering = settings.steering
    if steering.way in _WAYS:
        services = ", ".join(map(str, steering.services))
        parts.append(_WAYS[steering.way].format(services=services, mark=steering.numbers.mark))
    if settings.forwardWords:
        parts.append(f"behind this host: {settings.forwardWords}")
    if settings.respond is RespondPolicy.HOSTS:
        parts.append(
            "only addresses with a site of their own, or behind this host, are answered for"
        )
    if settings.ndp in _NDP:
        parts.append(_NDP[settings.ndp])
    mode = link.echoGuard.mode
    parts.append(f"ping answered by {'no one' if mode is EchoMode.NONE else f'the {mode.value}'}")
    justTrying = settings.prefixes == (DEFAULT_PREFIX,) and not settings.local
    if settings.reachableFromHere and not justTrying and steering.way is not Way.NONE:
        parts.append(
            "reachable from this host, which then reaches no other machine inside the "
            "prefix but excluded ones, gateways and known neighbors"
        )
    return parts
