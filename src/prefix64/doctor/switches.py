"""
Sysctls and files of /proc and /sys that say what the host does. Only read; what cannot be read is
L{None}.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from prefix64.doctor.facts import LinkFact, Switches

_GROUPS = Path("/proc/thread-self/net/igmp6")
_LISTENERS = Path("/proc/thread-self/net/tcp6")
_SWITCHES = Path("/proc/sys/net/ipv6")
_SYS_NET = Path("/sys/class/net")
_IFF_ALLMULTI, _IFF_PROMISC = 0x200, 0x100
_LISTEN = "0A"
_EVERY_ADDRESS = "0" * 32


def switches(interface: str, neighbors: int) -> Switches:
    """
    Read the sysctls.

    @param neighbors: how many entries the neighbor table has.
    """
    here, everywhere = _SWITCHES / "conf" / interface, _SWITCHES / "conf" / "all"
    proxies = [_number(place / "proxy_ndp") for place in (here, everywhere)]
    return Switches(
        disabledHere=_number(here / "disable_ipv6"),
        disabledEverywhere=_number(everywhere / "disable_ipv6"),
        forwarding=_number(everywhere / "forwarding"),
        forwardingHere=_number(here / "forwarding"),
        forced=_number(here / "force_forwarding"),
        acceptRouterAdvertisements=_number(here / "accept_ra"),
        proxy=int(any(proxies)),
        neighbors=neighbors,
        mostNeighbors=_number(_SWITCHES / "neigh" / "default" / "gc_thresh3"),
    )


def withMulticast(fact: LinkFact) -> LinkFact:
    """
    Read from /sys whether all multicast is received, where rtnetlink does not tell.
    """
    directory = _SYS_NET / fact.link.name
    flags, index = _number(directory / "flags"), _number(directory / "ifindex")
    if fact.receivesAllMulticast is not None or flags is None or index != fact.link.index:
        return fact
    on = bool(flags & (_IFF_ALLMULTI | _IFF_PROMISC))
    return dataclasses.replace(fact, receivesAllMulticast=on)


def joinedGroups(interface: str) -> frozenset[bytes]:
    """
    The IPv6 groups that this host has joined on an interface, 16 bytes each.
    """
    lines = (line.split() for line in _text(_GROUPS).splitlines())
    return frozenset(bytes.fromhex(words[2]) for words in lines if words[1:2] == [interface])


def listening() -> frozenset[int] | None:
    """
    The ports of TCP on which somebody listens at every IPv6 address of this network namespace.
    """
    lines = [line.split() for line in _text(_LISTENERS).splitlines()[1:]]
    if not lines and not _LISTENERS.exists():
        return None
    ports = (words[1].split(":") for words in lines if len(words) > 3 and words[3] == _LISTEN)
    return frozenset(int(port, 16) for address, port in ports if address == _EVERY_ADDRESS)


def _text(path: Path) -> str:
    """
    What a file of the kernel says; nothing, if it cannot be read.
    """
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    """
    What a file of the kernel says, as a number.
    """
    try:
        return int(path.read_text(), 0)
    except (OSError, ValueError):
        return None
