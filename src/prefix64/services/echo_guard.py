"""
The echo guard as a service: it leaves echo to us, or to nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.edges import Edges
from prefix64.errors import GuardError, InterfaceError
from prefix64.hosts.table import CurrentTable
from prefix64.kernel.guard import IGuard
from prefix64.link.packet_socket import ETHERNET
from prefix64.option_text import OptionText
from prefix64.routing.entries import GuardTable
from prefix64.services.routing import RoutingService
from prefix64.services.wanted import wantedGuard
from prefix64.settings import EchoMode, LinkSettings

_log = Logger("prefix64.icmpv6")


class EchoGuardService(Service):
    """
    Decides who answers echo, and sees that it is answered once.

    @ivar mode: who answers. What was asked for; or the protocol on Ethernet and the kernel
        elsewhere; or the kernel where the guard cannot be had.
    """

    name = "echo guard"

    def __init__(
        self, settings: LinkSettings, routing: RoutingService, tables: CurrentTable, edges: Edges
    ) -> None:
        self._settings = settings
        self._routing = routing
        self._tables = tables
        self._edges = edges
        self._guard: IGuard | None = None
        self._prefixes: tuple[Prefix, ...] = ()
        self._others: tuple[Prefix, ...] = ()
        self.mode = EchoMode.KERNEL
        routing.whenChanged(self._changed)

    def prepare(self) -> None:
        """
        Decide who answers, and see that the guard can be had where it is needed. Nothing is
        changed.

        @raise GuardError: it was asked for, and cannot be had.
        @raise InterfaceError: the protocol is to answer on an interface that is not Ethernet.
        """
        link = self._routing.link
        ethernet = link is not None and link.hardwareType == ETHERNET
        if self._settings.echo is EchoMode.PROTOCOL and not ethernet:
            raise InterfaceError(
                OptionText(
                    "{echo:protocol}: interface {0!r} is not Ethernet: "
                    "leave echo to the kernel ({echo:kernel})",
                    self._settings.interface,
                )
            )
        self.mode = self._settings.echoMode(ethernet)
        table = self._table()
        if table is not None:
            self._guard = self._edges.guard(table.kind)
            self._attempt(self._guard.rehearse, table)

    def privilegedStartService(self) -> None:
        """
        Install the guard where it is needed.

        @raise GuardError: it was asked for, and cannot be had.
        """
        table = self._table()
        if table is not None:
            self._attempt(self._install, table)

    def _table(self) -> GuardTable | None:
        """
        The guard that is wanted now.
        """
        return wantedGuard(self._settings, self._tables.table, self.mode)

    def _attempt(self, make: Callable[..., None], table: GuardTable) -> None:
        """
        Have a guard, or leave echo to the kernel, unless something else was asked for.

        @raise GuardError: something else was.
        """
        try:
            make(table.interface, table.prefixes, table.others)
        except GuardError as error:
            asked = self._settings.echo
            if asked is not None:
                raise GuardError(OptionText("{echo:{0}}: {1}", asked.value, error)) from None
            self.mode, self._guard = EchoMode.KERNEL, None
            _log.warn("echo is left to the kernel: {error}", error=error)

    def _install(
        self, interface: str, prefixes: tuple[Prefix, ...], others: tuple[Prefix, ...]
    ) -> None:
        """
        Install the guard.
        """
        assert self._guard is not None
        self._guard.install(interface, prefixes, others)
        self._prefixes, self._others = prefixes, others

    def stopService(self) -> None:
        """
        Give echo back to the kernel.
        """
        super().stopService()
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _changed(self) -> None:
        """
        Follow the host's addresses, and the prefixes.

        @raise GuardError: nf_tables refused.
        """
        table = self._table()
        if self._guard is None or table is None:
            return
        if table.prefixes != self._prefixes:
            self._guard.serve(table.prefixes, table.others)
            self._prefixes, self._others = table.prefixes, table.others
        elif table.others != self._others:
            self._guard.update(table.others)
            self._others = table.others
