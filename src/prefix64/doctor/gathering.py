"""
What there is to know of the host, put together. Only read.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from prefix64.addressing import Prefix
from prefix64.doctor.arrival import ArrivalReader
from prefix64.doctor.facts import Arrival, HostFacts, Instance, LinkFact
from prefix64.doctor.kernel import HostReader
from prefix64.doctor.processes import processes
from prefix64.doctor.running import instanceOn
from prefix64.doctor.switches import listening, switches, withMulticast
from prefix64.doctor.ways import derived, judged, texts
from prefix64.hosts.directory import readSites
from prefix64.hosts.model import Host
from prefix64.hosts.table import HostTable
from prefix64.icmpv6.neighbor import listedHosts
from prefix64.instance_lock import holder, markLock
from prefix64.kernel.host_state import HostState
from prefix64.kernel.ssh_peers import sshPeers
from prefix64.kernel.switch_record import SwitchRecord
from prefix64.options.values import absolutePath, defaultStateDirectory
from prefix64.ownership import Owner, Ownership
from prefix64.privileges import effectiveCapabilities, firstUnprivilegedPort
from prefix64.routing.entries import Rule, Way
from prefix64.routing.leftovers import overlappingRules
from prefix64.routing.plan import plan, proxies
from prefix64.settings import LinkSettings, NdpMode

_FIRST_EXAMPLE, _MOST_TRIED = 0xCAFE, 4096


@dataclasses.dataclass(frozen=True)
class Question:
    """
    What the doctor is asked.

    @ivar settings: how prefix64 runs, or is to run.
    @ivar known: whether that is certain.
    @ivar ports: of HTTP.
    @ivar hosts: what has a site of its own; L{None} if that is not known.
    @ivar instance: the prefix64 that runs on the interface, or L{None}.
    @ivar state: the state directory.
    """

    settings: LinkSettings
    ports: tuple[int, ...] = (80,)
    known: bool = True
    hosts: tuple[Host, ...] | None = None
    instance: Instance | None = None
    state: str = ""


def questionOf(
    interface: str,
    given: Mapping[str, Any],
    ports: tuple[int, ...] | None,
    sites: str | None,
    state: str | None,
) -> Question:
    """
    Complete what the user says by what is known of the instance that runs.

    @param given: the options that were given, in texts.
    @param ports: of HTTP; L{None} if none were named.
    @param sites: the tree of sites that was named, or L{None}.
    @param state: the state directory that was named, or L{None}.
    @raise Prefix64Error: an option is wrong, or the kernel's tables cannot be read.
    """
    instance = instanceOn(interface)
    said: Mapping[str, Any] = {}
    known = instance is None or instance.settings is not None
    if instance is not None and instance.settings is not None:
        said = texts(instance.settings)
    elif instance is not None:
        said = _inKernel(interface, instance)
    settings = judged(given, said)
    hosts = instance.hosts if instance is not None else None
    if sites is not None:
        hosts = readSites(absolutePath("sites", sites), settings.prefixes).hosts
    told = instance.ports if instance is not None and instance.settings is not None else (80,)
    return Question(
        settings,
        told if ports is None else ports,
        known or ("routing" in given and "ndp" in given),
        hosts,
        instance,
        defaultStateDirectory() if state is None else absolutePath("state", state),
    )


def _inKernel(interface: str, instance: Instance) -> dict[str, Any]:
    """
    What the kernel's tables tell of an instance.
    """
    kernel = HostReader()
    try:
        rules, found = kernel.rules(), kernel.proxies()
    finally:
        kernel.close()

    def isMarked(table: int) -> bool:
        return holder(markLock(table)) == instance.holder

    return derived(rules, found, interface, isMarked)


def gather(asked: Question) -> HostFacts:
    """
    Read everything.

    @raise Prefix64Error: the kernel's tables cannot be read at all.
    """
    kernel = HostReader()
    try:
        link = kernel.linkFact(asked.settings.interface)
        facts = HostFacts(
            asked.settings,
            None if link is None else withMulticast(link),
            asked.known,
            interfaces=tuple(sorted(kernel.linkNames())),
            instance=asked.instance,
            ports=asked.ports,
            listening=listening(),
            processes=tuple(processes(None if link is None else link.link.index)),
            capabilities=effectiveCapabilities(),
            lowestPort=firstUnprivilegedPort(),
        )
        return facts if link is None else _more(facts, kernel, link, asked)
    finally:
        kernel.close()


def _more(facts: HostFacts, kernel: HostReader, link: LinkFact, asked: Question) -> HostFacts:
    """
    Read what there is to know of an interface that exists.
    """
    settings, name, rules = facts.settings, facts.interface, kernel.rules()
    ownership = _ownership(kernel, settings, asked.hosts or ())
    wanted = plan(ownership, name, settings.reachableFromHere, settings.steering)
    table = None if asked.hosts is None else HostTable(ownership, asked.hosts)
    if table is not None and settings.ndp is NdpMode.KERNEL:
        single = proxies(name, sorted(listedHosts(table)))
        wanted = dataclasses.replace(wanted, proxies=single)
    holders = [(rule, holder(rule.interface))
               for rule in overlappingRules(rules, facts.prefixes, name)]  # fmt: skip
    found = {route for route in kernel.routes() if facts.overlaps(route.destination)}
    ours = {proxy.address for proxy in kernel.proxies() if proxy.interface == name}
    return dataclasses.replace(
        facts,
        elsewhere=tuple((rule, by) for rule, by in holders if by is not None),
        served=_served(rules),
        marked=_marked(rules),
        markedBy=holder(markLock(settings.steering.numbers.table)),
        rules=tuple(kernel.ruleFacts()),
        routes=tuple(kernel.routeFacts()),
        ownership=ownership,
        hosts=table,
        plan=wanted,
        ourRoutes=frozenset(found),
        arrivals=arrivals(settings, ownership, link.link.index, facts.ports),
        switches=switches(name, kernel.neighborCount()),
        proxied=frozenset(filter(facts.isInside, kernel.proxied(link.link.index))),
        ourProxies=frozenset(filter(facts.isInside, ours)),
        changed=() if facts.instance else _changed(asked.state, name, link.link.index),
        sshPeers=sshPeers(),
    )


def _ownership(kernel: HostReader, settings: LinkSettings, hosts: Iterable[Host]) -> Ownership:
    """
    Whose each address is.

    @param hosts: an address that has a site of its own is no neighbor's.
    """
    listed = HostTable(Ownership(settings.prefixes), hosts)
    state = HostState(
        kernel,
        settings.interface,
        settings.prefixes,
        settings.excluded,
        local=settings.reachableFromHere,
        isListed=listed.isListed,
        behind=settings.behind,
        followsRoutes=settings.followsRoutes,
    )
    state.refresh()
    return state.ownership()


def _served(rules: Collection[Rule]) -> frozenset[str]:
    """
    The interfaces of rules of ours that somebody serves who runs.
    """
    names = {rule.interface for rule in rules if rule.interface}
    return frozenset(name for name in names if holder(name) is not None)


def _marked(rules: Collection[Rule]) -> frozenset[int]:
    """
    The tables to which somebody leads firewall marks who runs.
    """
    tables = {rule.table for rule in rules if rule.mark}
    return frozenset(table for table in tables if holder(markLock(table)) is not None)


def arrivals(
    settings: LinkSettings, ownership: Ownership, index: int, ports: Collection[int]
) -> tuple[Arrival, ...]:
    """
    Ask the kernel what becomes of packets to an example of each prefix: of TCP to each port, and of
    one without ports. Where a firewall mark decides, they have it.
    """
    steering = settings.steering
    mark = steering.numbers.mark if steering.way is Way.FWMARK else 0
    plain = [] if steering.way is Way.PORTS else [None]
    with contextlib.closing(ArrivalReader()) as reader:
        return tuple(
            reader.arrival(address, index, port, mark)
            for address in (_example(prefix, ownership) for prefix in settings.prefixes)
            if address is not None
            for port in (*ports, *plain)
        )


def _example(prefix: Prefix, ownership: Ownership) -> int | None:
    """
    An address of a prefix that is ours: C{...::cafe}, or the first after it.
    """
    first = _FIRST_EXAMPLE if prefix.count > _FIRST_EXAMPLE else prefix.count // 2
    candidates = map(prefix.address, range(first, min(prefix.count, first + _MOST_TRIED)))
    return next((one for one in candidates if ownership.of(one) is Owner.OURS), None)


def _changed(state: str, interface: str, index: int) -> tuple[str, ...]:
    """
    The switches that a run which crashed has left changed, as they are to be set back.
    """
    record = SwitchRecord(state, interface)
    return tuple(str(change.undone) for change in record.read(index))
