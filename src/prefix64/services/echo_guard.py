"""
The echo guard as a service: it leaves echo to us, or to nobody.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.edges import Edges
from prefix64.errors import GuardError, InterfaceError
from prefix64.hosts.table import CurrentTable
from prefix64.link.packet_socket import ETHERNET
from prefix64.routing.guard import GuardKind, IGuard
from prefix64.services.routing import RoutingService
from prefix64.settings import EchoMode, Settings

_log = Logger("prefix64.icmpv6")


class EchoGuardService(Service):
    """
    Decides who answers echo, and sees that it is answered once.

    @ivar mode: who answers. What was asked for; or the protocol on Ethernet and the kernel
        elsewhere; or the kernel where the guard cannot be had.
    """

    name = "echo guard"

    def __init__(
        self, settings: Settings, routing: RoutingService, tables: CurrentTable, edges: Edges
    ) -> None:
        self._settings = settings
        self._routing = routing
        self._tables = tables
        self._edges = edges
        self._guard: IGuard | None = None
        self._others: list[Prefix] = []
        self.mode = EchoMode.KERNEL
        routing.whenChanged(self._changed)

    def privilegedStartService(self) -> None:
        """
        Install the guard where it is needed.

        @raise GuardError: it was asked for, and cannot be had.
        @raise InterfaceError: the protocol is to answer on an interface that is not Ethernet.
        """
        link = self._routing.link
        ethernet = link is not None and link.hardwareType == ETHERNET
        asked = self._settings.echo
        if asked is EchoMode.PROTOCOL and not ethernet:
            raise InterfaceError(
                f"--echo protocol: interface {self._settings.interface!r} is not Ethernet: "
                "leave echo to the kernel (--echo kernel)"
            )
        self.mode = asked or (EchoMode.PROTOCOL if ethernet else EchoMode.KERNEL)
        if self.mode is EchoMode.KERNEL:
            return
        try:
            self._install(GuardKind(self.mode.value))
        except GuardError as error:
            if asked is not None:
                raise GuardError(f"--echo {asked.value}: {error}") from None
            self.mode = EchoMode.KERNEL
            _log.warn("echo is left to the kernel: {error}", error=error)

    def _install(self, kind: GuardKind) -> None:
        """
        Install the guard.
        """
        ownership = self._tables.table.ownership
        self._others = ownership.echoedByOthers()
        guard = self._edges.guard(kind)
        guard.install(self._settings.interface, ownership.prefixes, self._others)
        self._guard = guard

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
        Follow the host's addresses.

        @raise GuardError: nf_tables refused.
        """
        others = self._tables.table.ownership.echoedByOthers()
        if self._guard is not None and others != self._others:
            self._guard.update(others)
            self._others = others
