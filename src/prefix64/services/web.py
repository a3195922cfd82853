"""
HTTP as a service: listening sockets and a host table, and nothing else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import inlineCallbacks, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from prefix64.edges import Edges
from prefix64.errors import ListenError
from prefix64.hosts.table import CurrentTable
from prefix64.option_text import OptionText
from prefix64.settings import Settings
from prefix64.web.access_log import openAccessLog
from prefix64.web.site import END_TIMEOUT, AddressSite
from prefix64.web.sites import SiteResources
from prefix64.web.vhost import AddressVirtualHost

_LOOK_AGAIN = 0.05
"""Seconds from one look at what is still being delivered to the next."""


class WebService(Service):
    """
    Serves every address.

    @ivar ports: the listening ports.
    """

    name = "web server"  # with a blank, for an interface may be called C{web}

    def __init__(
        self, reactor: Any, settings: Settings, tables: CurrentTable, edges: Edges
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._tables = tables
        self._edges = edges
        self._site: AddressSite | None = None
        self._closeLog: Callable[[], None] = lambda: None
        self.ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        """
        Open the access log, and listen.

        @raise ListenError: the log cannot be opened, or a port cannot be listened on.
        """
        if not self._settings.http:
            return
        writeLine, self._closeLog = openAccessLog(self._settings.accessLog)
        resource = AddressVirtualHost(SiteResources(self._tables))
        self._site = AddressSite(resource, self._tables, writeLine, self._reactor)
        # Ports first: an endpoint may leave a file behind when a port then cannot be had.
        for where in sorted(self._settings.http, key=lambda where: isinstance(where, str)):
            listen = self._listenOnPort if isinstance(where, int) else self._listenOnEndpoint
            self.ports.append(listen(where))  # type: ignore[arg-type]

    def _listenOnPort(self, port: int) -> IListeningPort:
        """
        Listen on a port of all addresses.
        """
        with self._edges.listen(port) as listener:
            listening: IListeningPort = self._reactor.adoptStreamPort(
                listener.fileno(), socket.AF_INET6, self._site
            )
        return listening

    def _listenOnEndpoint(self, description: str) -> IListeningPort:
        """
        Listen on an endpoint.

        @raise ListenError: it cannot be listened on, or not at once.
        """
        result: list[Any] = []
        serverFromString(self._reactor, description).listen(self._site).addBoth(result.append)
        if not result or isinstance(result[0], Failure):
            error = result[0].value if result else "it is not ready at once"
            reason = error.socketError if isinstance(error, CannotListenError) else error
            raise ListenError(OptionText("{http:{0!r}}: {1}", description, reason))
        port: IListeningPort = result[0]
        return port

    @inlineCallbacks
    def stopService(self) -> Any:
        """
        Close the ports, let requests in flight end, wait until their answers have arrived (for a
        few seconds at most), close the log.
        """
        super().stopService()
        ports, self.ports = self.ports, []
        numbers = [getattr(port.getHost(), "port", 0) for port in ports]
        deadline = self._edges.clock() + END_TIMEOUT
        for port in ports:
            yield maybeDeferred(port.stopListening)
        if self._site is not None:
            yield self._site.endConnections()
        while self._edges.isDelivering(numbers) and self._edges.clock() < deadline:
            yield deferLater(self._reactor, _LOOK_AGAIN)
        self._closeLog()
