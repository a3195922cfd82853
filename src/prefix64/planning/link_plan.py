"""
What would be put into the kernel for each interface, and what is in the way. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from prefix64.addressing import Prefix
from prefix64.edges import Edges
from prefix64.errors import InterfaceError, Prefix64Error
from prefix64.hosts.table import CurrentTable
from prefix64.instance_lock import MARKED, markLock
from prefix64.kernel.borrowed import BorrowedSwitches
from prefix64.kernel.host_state import HostState
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.rehearsal import Rehearsal, RehearsedRecord
from prefix64.kernel.tables import RoutingTables
from prefix64.link.packet_socket import ETHERNET
from prefix64.option_text import OptionText
from prefix64.routing.commands import Command, adding, canBeGuarded, guarding
from prefix64.routing.entries import GuardTable, Way
from prefix64.routing.plan import RoutingPlan
from prefix64.services.wanted import hostState, hostTables, obstacle, wanted
from prefix64.settings import LinkSettings, Settings


@dataclass(frozen=True)
class LinkPlan:
    """
    The plan of one interface.

    @ivar holder: who serves the interface now, in words; or L{None}.
    @ivar commands: what would be put into the kernel by rtnetlink and /proc/sys, in order.
    @ivar guard: the echo guard as commands, which come behind the others; L{None} if there is one
        that nft(8) cannot write.
    @ivar objection: why a start would fail; L{None} if nothing is known that would be in the way.
    """

    interface: str
    prefixes: tuple[Prefix, ...]
    holder: str | None
    commands: tuple[Command, ...]
    guard: tuple[Command, ...] | None
    objection: Prefix64Error | None


class Planning:
    """
    Makes the plans of all interfaces: the services' own tables and switches are applied to a
    rehearsal of the kernel.
    """

    def __init__(self, settings: Settings, edges: Edges | None = None) -> None:
        """
        @param edges: what is outside; the real thing if left out.
        """
        self._settings = settings
        self._edges = edges or Edges()
        self._marks: dict[str, str] = {}

    def plans(self) -> list[LinkPlan]:
        """
        Make the plan of each interface, in order.

        @raise Prefix64Error: an interface is missing, or the kernel's tables cannot be read.
        """
        kernel = self._edges.kernel()
        try:
            rehearsal = Rehearsal(kernel)
            _, parts = hostTables(self._settings)
            return [
                self._plan(link, part, kernel, rehearsal)
                for link, part in zip(self._settings.links, parts, strict=True)
            ]
        finally:
            kernel.close()

    def _plan(
        self,
        settings: LinkSettings,
        tables: CurrentTable,
        kernel: IRoutingKernel,
        rehearsal: Rehearsal,
    ) -> LinkPlan:
        """
        Make the plan of one interface.
        """
        state = hostState(settings, kernel, tables)
        state.refresh()
        if state.link is None:
            raise InterfaceError(f"interface {settings.interface!r} does not exist")
        tables.ownershipChanged(state.ownership())
        mode = settings.echoMode(state.link.hardwareType == ETHERNET)
        plan = wanted(settings, tables.table, state.link, mode)
        begin = len(rehearsal.done)
        self._rehearse(settings, plan, state.link.index, rehearsal)
        return LinkPlan(
            settings.interface,
            settings.prefixes,
            self._edges.holder(settings.interface),
            tuple(map(adding, rehearsal.done[begin:])),
            _guard(plan.guard),
            next(self._objections(settings, state, kernel), None),
        )

    def _rehearse(
        self, settings: LinkSettings, plan: RoutingPlan, index: int, rehearsal: Rehearsal
    ) -> None:
        """
        Do what the routing service does when it starts.
        """
        kernel, interface = cast(IRoutingKernel, rehearsal), settings.interface
        RoutingTables(kernel, interface, settings.steering.numbers).apply(plan, True)
        if settings.usesProxies:
            record = RehearsedRecord(self._settings.stateDirectory, interface)
            BorrowedSwitches(kernel, interface, record).borrow(index)

    def _objections(
        self, settings: LinkSettings, state: HostState, kernel: IRoutingKernel
    ) -> Iterator[Prefix64Error]:
        """
        Every reason not to begin, but for the instance that serves the interface now.
        """
        holder = self._edges.holder
        if settings.steering.way is Way.FWMARK:
            name = markLock(settings.steering.numbers.table)
            by = holder(name)
            if by is not None and by != holder(settings.interface):
                yield InterfaceError(OptionText(MARKED, name, by))
            other = self._marks.setdefault(name, settings.interface)
            if other != settings.interface:
                yield InterfaceError(OptionText(MARKED, name, f"for {other}"))
        siblings = [other for other in self._settings.links if other is not settings]
        found = obstacle(settings, state, kernel, holder, self._edges.sshPeers, siblings)
        if found is not None:
            yield found


def _guard(table: GuardTable | None) -> tuple[Command, ...] | None:
    """
    The echo guard as commands.
    """
    if table is None:
        return ()
    return tuple(guarding(table)) if canBeGuarded(table.interface) else None
