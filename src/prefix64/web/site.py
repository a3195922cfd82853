"""
The HTTP server of all addresses: connections, the access log, and an orderly end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import IResource
from twisted.web.server import Site

from prefix64.hosts.table import CurrentTable
from prefix64.web.access_log import accessLine
from prefix64.web.connection import BoundedRequest, LocalAddressChannel

END_TIMEOUT = 5.0
"""Seconds that requests in flight get to end in when the server stops."""


class AddressSite(Site):
    """
    A site for every address: its resource chooses by the connection's local address.

    @ivar tables: where the host table of this moment is found.
    """

    protocol = LocalAddressChannel  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        resource: IResource,
        tables: CurrentTable,
        writeLine: Callable[[str], None] | None,
        reactor: Any,
    ) -> None:
        """
        @param resource: the root resource.
        @param writeLine: takes a line of the access log, without its end; L{None} for no log.
        """
        super().__init__(
            resource,
            requestFactory=BoundedRequest,
            parsePOSTFormSubmission=False,
            logFormatter=accessLine,
            reactor=reactor,
        )
        self.tables = tables
        self._writeLine = writeLine
        self._connections: set[LocalAddressChannel] = set()
        self._ended: Deferred[None] | None = None

    def log(self, request: Any) -> None:
        """
        Write a request's line to the access log.
        """
        if self._writeLine is not None:
            self._writeLine(accessLine(self._logDateTime or "-", request))

    def connectionOpened(self, connection: LocalAddressChannel) -> None:
        """
        Keep a connection, so that the end can wait for it.
        """
        self._connections.add(connection)

    def connectionClosed(self, connection: LocalAddressChannel) -> None:
        """
        Forget a connection; the last one fires what L{endConnections} returned.
        """
        self._connections.discard(connection)
        if self._ended is not None and not self._connections:
            ended, self._ended = self._ended, None
            ended.callback(None)

    def endConnections(self) -> Deferred[None]:
        """
        Close idle connections at once, the others when their answer is complete, and after
        L{END_TIMEOUT} seconds what is left.

        @return: fires when no connection is left.
        """
        ended: Deferred[None] = Deferred()
        if not self._connections:
            ended.callback(None)
            return ended
        self._ended = ended
        cut = self.reactor.callLater(END_TIMEOUT, self._cut)
        ended.addBoth(lambda _: cut.cancel() if cut.active() else None)
        for connection in list(self._connections):
            connection.closeWhenDone()
        return ended

    def _cut(self) -> None:
        """
        Close every connection that is left, whatever it is doing.
        """
        for connection in list(self._connections):
            connection.forceAbortClient()
