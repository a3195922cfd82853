"""
What is wanted in the kernel, made of the settings and of what the host has, and what is in the way
of it: one answer for the services, which bring it there, and for C{prefix64 plan}, which prints it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from prefix64.errors import InterfaceError, Prefix64Error
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.icmpv6.neighbor import listedHosts
from prefix64.instance_lock import markLock
from prefix64.kernel.host_state import HostState
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.messages import Link
from prefix64.ownership import Ownership
from prefix64.routing.entries import LOOPBACK, GuardKind, GuardTable, Way
from prefix64.routing.leftovers import overlappingRoutes, overlappingRules
from prefix64.routing.plan import RoutingPlan, guardTable, plan, proxies
from prefix64.routing.preflight import HostFacts, Intent, objection
from prefix64.settings import EchoMode, LinkSettings, Settings

GUARDS = {EchoMode.PROTOCOL: GuardKind.PROTOCOL, EchoMode.NONE: GuardKind.NONE}
"""What the kernel is kept from, by who answers."""


def hostTables(settings: Settings) -> tuple[CurrentTable, list[CurrentTable]]:
    """
    The host table of all interfaces, and that of each, before anything of the host is known.
    """
    ownerships = [Ownership(link.prefixes, link.excluded) for link in settings.links]
    sites = settings.sites
    table = HostTable(Ownership.together(ownerships), sites.hosts, sites.default)
    whole = CurrentTable(table)
    return whole, [whole.part(own) for own in ownerships]


def hostState(settings: LinkSettings, kernel: IRoutingKernel, tables: CurrentTable) -> HostState:
    """
    What the host has that matters to one interface, not read yet.

    @param tables: the host table of the interface.
    """
    return HostState(
        kernel,
        settings.interface,
        settings.prefixes,
        settings.excluded,
        settings.reachableFromHere,
        lambda address: tables.table.isListed(address),
        settings.behind,
        settings.followsRoutes,
    )


def wanted(
    settings: LinkSettings, table: HostTable, link: Link | None, mode: EchoMode | None = None
) -> RoutingPlan:
    """
    The plan for what is ours now.

    @param table: of the interface.
    @param link: the interface, or L{None} while there is none, where no proxy can be.
    @param mode: who answers ping; L{None} where the guard is not asked for.
    """
    found = plan(table.ownership, settings.interface, settings.reachableFromHere, settings.steering)
    if settings.usesProxies and link is not None:
        hosts = proxies(settings.interface, sorted(listedHosts(table)))
        found = dataclasses.replace(found, proxies=hosts)
    if mode is not None:
        found = dataclasses.replace(found, guard=wantedGuard(settings, table, mode))
    return found


def wantedGuard(settings: LinkSettings, table: HostTable, mode: EchoMode) -> GuardTable | None:
    """
    The guard for what is ours now.

    @param mode: who answers ping.
    """
    return guardTable(table.ownership, settings.interface, GUARDS.get(mode))


def obstacle(
    settings: LinkSettings,
    state: HostState,
    kernel: IRoutingKernel,
    holder: Callable[[str], str | None],
    sshPeers: Callable[[], frozenset[int]],
    siblings: Sequence[LinkSettings] = (),
) -> Prefix64Error | None:
    """
    Find the first reason not to begin: another instance that runs serves an address of ours, or
    the preflight has one.

    @param state: what the host has.
    @param holder: who serves an interface, in words, or L{None}.
    @param sshPeers: see L{prefix64.edges.Edges}.
    @param siblings: the settings of this process's other interfaces.
    """
    ours = {sibling.interface for sibling in siblings}
    for rule in overlappingRules(kernel.rules(), settings.prefixes, settings.interface):
        by = None if rule.interface in ours else holder(rule.interface)
        if by is not None:
            return InterfaceError(
                f"{rule.destination} is served on {rule.interface} already {by}: "
                "stop that first, or serve another prefix"
            )
    marked = _markedByOthers(settings, kernel, holder, siblings)
    for route in overlappingRoutes(kernel.routes(), kernel.rules(), settings.prefixes, marked):
        return InterfaceError(
            f"{route.destination} is served by --routing fwmark and table {route.table} already "
            f"{marked[route.table]}: stop that first, or serve another prefix"
        )
    return objection(_intent(settings, state), _facts(state, kernel, holder, sshPeers, siblings))


def _markedByOthers(
    settings: LinkSettings,
    kernel: IRoutingKernel,
    holder: Callable[[str], str | None],
    siblings: Sequence[LinkSettings],
) -> dict[int, str]:
    """
    The tables to which the firewall marks of other instances that run lead, each with the one who
    runs, in words. The locks of those of this process are its own.
    """
    mine = {
        one.steering.numbers.table
        for one in (settings, *siblings)
        if one.steering.way is Way.FWMARK
    }
    tables = sorted({rule.table for rule in kernel.rules() if not rule.interface} - mine)
    held = {table: holder(markLock(table)) for table in tables}
    return {table: by for table, by in held.items() if by is not None}


def _intent(settings: LinkSettings, state: HostState) -> Intent:
    """
    What is to be done, for the preflight.
    """
    return Intent(
        state.ownership(),
        settings.interface,
        settings.reachableFromHere,
        settings.steering,
        settings.forwardWords,
    )


def _facts(
    state: HostState,
    kernel: IRoutingKernel,
    holder: Callable[[str], str | None],
    sshPeers: Callable[[], frozenset[int]],
    siblings: Sequence[LinkSettings],
) -> HostFacts:
    """
    What there is, for the preflight.
    """
    rules = kernel.ruleFacts()
    ours = [rule for rule in rules if rule.ours is not None]
    names = {rule.interface for rule in ours} - {""}
    tables = {rule.table for rule in ours if not rule.interface}
    return HostFacts(
        tuple(rules),
        tuple(kernel.routeFacts()),
        sshPeers(),
        frozenset(name for name in names if holder(name)),
        frozenset(table for table in tables if holder(markLock(table))),
        state.forwardsPackets,
        loopbackIsOff=kernel.switch(LOOPBACK, "disable_ipv6") == "1",
        siblings=tuple(sibling.steering.numbers for sibling in siblings),
    )
