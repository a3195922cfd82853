"""
Facts from the kernel, /proc and /sys. Only read; what cannot be read is L{None}.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

from prefix64.addressing import Prefix
from prefix64.doctor.facts import HostFacts, Instance, LinkFact, Process, Switches
from prefix64.doctor.kernel import HostReader
from prefix64.instance_lock import holder
from prefix64.ownership import Ownership
from prefix64.privileges import effectiveCapabilities, firstUnprivilegedPort
from prefix64.routing.entries import LOOPBACK
from prefix64.routing.host_state import HostState
from prefix64.routing.leftovers import overlappingRules
from prefix64.routing.plan import plan

SAME_WORK = ("ndppd", "npd6", "pndpd", "ndpresponder", "ndproxy", "odhcpd", "ndp-proxy")
"""The names of programs that answer solicitations for others."""

MOST_PROCESSES = 16

_GROUPS = Path("/proc/thread-self/net/igmp6")
_LISTENERS = Path("/proc/thread-self/net/tcp6")
_SWITCHES = Path("/proc/sys/net/ipv6")
_SYS_NET = Path("/sys/class/net")
_IFF_ALLMULTI, _IFF_PROMISC = 0x200, 0x100
_LISTEN = "0A"
_EVERY_ADDRESS = "0" * 32


@dataclasses.dataclass(frozen=True)
class Question:
    """
    What the doctor is asked.

    @ivar ports: of HTTP.
    """

    interface: str
    prefixes: tuple[Prefix, ...]
    excluded: tuple[Prefix, ...] = ()
    ports: tuple[int, ...] = (80,)


def gather(question: Question) -> tuple[HostFacts, Ownership]:
    """
    Read everything.

    @return: the facts, and whose each address is.
    @raise Prefix64Error: the kernel's tables cannot be read at all.
    """
    kernel = HostReader()
    try:
        link = kernel.linkFact(question.interface)
        facts = HostFacts(
            question.interface,
            question.prefixes,
            None if link is None else _completed(link),
            interfaces=tuple(sorted(kernel.linkNames())),
            ports=question.ports,
            listening=listening(),
            processes=tuple(processes()),
            capabilities=effectiveCapabilities(),
            lowestPort=firstUnprivilegedPort(),
        )
        if link is None:
            return facts, Ownership(question.prefixes, question.excluded)
        return _more(facts, question, kernel, link)
    finally:
        kernel.close()


def _more(
    facts: HostFacts, question: Question, kernel: HostReader, link: LinkFact
) -> tuple[HostFacts, Ownership]:
    """
    Read what there is to know of an interface that exists.
    """
    name, rules = question.interface, kernel.rules()
    local = any(rule.interface == LOOPBACK and rule.destination in question.prefixes
                for rule in rules)  # fmt: skip
    state = HostState(kernel, name, question.prefixes, question.excluded, local=local)
    state.refresh()
    ownership = state.ownership()
    wanted = plan(ownership, name, local)
    holders = [(rule, holder(rule.interface))
               for rule in overlappingRules(rules, question.prefixes, name)]  # fmt: skip
    found = {route for route in kernel.routes() if facts.overlaps(route.destination)}
    more = dataclasses.replace(
        facts,
        instance=instanceOn(name),
        elsewhere=tuple((rule, by) for rule, by in holders if by is not None),
        rules=tuple(kernel.ruleFacts()),
        routes=tuple(kernel.routeFacts()),
        plan=wanted,
        ourRoutes=frozenset(found),
        switches=switches(name, kernel.neighborCount()),
        proxied=frozenset(filter(facts.isInside, kernel.proxied(link.link.index))),
    )
    return more, ownership


def _completed(fact: LinkFact) -> LinkFact:
    """
    Read from /sys whether all multicast is received, where rtnetlink does not tell.
    """
    directory = _SYS_NET / fact.link.name
    flags, index = _number(directory / "flags"), _number(directory / "ifindex")
    if fact.receivesAllMulticast is not None or flags is None or index != fact.link.index:
        return fact
    on = bool(flags & (_IFF_ALLMULTI | _IFF_PROMISC))
    return dataclasses.replace(fact, receivesAllMulticast=on)


def instanceOn(interface: str) -> Instance | None:
    """
    The prefix64 that runs on an interface.
    """
    by = holder(interface)
    if by is None:
        return None
    process = re.search(r"process (\d+)", by)
    capabilities = None
    if process is not None:
        found = re.search(r"^CapEff:\s*([0-9a-f]+)$", _text(f"/proc/{process[1]}/status"), re.M)
        capabilities = int(found[1], 16) if found is not None else None
    return Instance(by, capabilities)


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
        acceptRouterAdvertisements=_number(here / "accept_ra"),
        proxy=int(any(proxies)),
        neighbors=neighbors,
        mostNeighbors=_number(_SWITCHES / "neigh" / "default" / "gc_thresh3"),
    )


def joinedGroups(interface: str) -> frozenset[bytes]:
    """
    The IPv6 groups that this host has joined on an interface, 16 bytes each.
    """
    lines = (line.split() for line in _text(str(_GROUPS)).splitlines())
    return frozenset(bytes.fromhex(words[2]) for words in lines if words[1:2] == [interface])


def listening() -> frozenset[int] | None:
    """
    The ports of TCP on which somebody listens at every IPv6 address of this network namespace.
    """
    lines = [line.split() for line in _text(str(_LISTENERS)).splitlines()[1:]]
    if not lines and not _LISTENERS.exists():
        return None
    ports = (words[1].split(":") for words in lines if len(words) > 3 and words[3] == _LISTEN)
    return frozenset(int(port, 16) for address, port in ports if address == _EVERY_ADDRESS)


def processes() -> Iterator[Process]:
    """
    The processes in this network namespace whose name says that they answer solicitations, the
    first L{MOST_PROCESSES}.
    """
    here, found = _namespace("/proc/self/ns/net"), 0
    for number in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
        name = _text(f"/proc/{number}/comm").strip()
        if name in SAME_WORK and found < MOST_PROCESSES:
            there = _namespace(f"/proc/{number}/ns/net")
            if there is None or there == here:
                found += 1
                yield Process(number, name, None if there is None else True)


def _namespace(path: str) -> str | None:
    """
    The name of a network namespace; L{None} if it may not be seen.
    """
    try:
        return os.readlink(path)
    except OSError:
        return None


def _text(path: str) -> str:
    """
    What a file of the kernel says; nothing, if it cannot be read.
    """
    try:
        return Path(path).read_text("utf-8", "replace")
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
