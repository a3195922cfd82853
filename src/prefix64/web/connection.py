"""
A connection and its local address: looked up in the host table once, not for each request.
"""

from __future__ import annotations

import socket
from io import BytesIO
from typing import Any

from twisted.internet.address import IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from prefix64.hosts.table import CurrentTable, Match, Rule
from prefix64.ownership import Owner
from prefix64.web.pages import Page

MOST_BODY = 65_536
"""The most bytes of a request's body. No site reads one."""

_MOST_DIGITS = 18
_NOT_ONE_HOST = Page(400, "Bad Request", "A request has one Host header.")

NO_ADDRESS = Match(0, Owner.OUTSIDE, Rule.REFUSED, None, None)
"""What matches a connection whose local address is no IPv6 address of the wire."""


def matchLocalAddress(local: IAddress, tables: CurrentTable) -> Match:
    """
    Look up the address that a connection came in at.

    @param local: what the transport's C{getHost()} says. An address with a scope identifier
        (C{fe80::1%eth0}) is nobody's site, nor is one of another family.
    """
    if not isinstance(local, IPv6Address):
        return NO_ADDRESS
    try:
        packed = socket.inet_pton(socket.AF_INET6, local.host)
    except OSError:
        return NO_ADDRESS
    return tables.table.lookup(int.from_bytes(packed, "big"))


class BoundedRequest(Request):
    """
    A request that keeps no body: one of more than L{MOST_BODY} bytes is answered 413 and cut off.
    """

    _received = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """
        See, before a byte of the body is read, whether it is announced as too long.

        @param length: in bytes; L{None} if the headers do not say.
        """
        self.content = BytesIO()
        if length is not None and length > MOST_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """
        Count a piece of the body, and let it go.
        """
        self._received += len(data)
        if self._received > MOST_BODY and not self._refused:
            self._refuse()

    def _refuse(self) -> None:
        """
        Answer before the end of the request, and close.
        """
        self._refused = True
        channel: Any = self.channel
        self.requestHeaders.removeHeader(b"expect")  # no 100 Continue behind the refusal
        self.method, self.uri, self.clientproto = channel._command, channel._path, channel._version
        self.setResponseCode(413)
        channel.site.log(self)
        channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        channel.loseConnection()

    def process(self) -> None:
        """
        Answer the request, unless it was refused already. A target in absolute form (RFC 9112
        3.2.2) means its path: whose site is asked for is not for the visitor to say. So the Host
        header chooses nothing; but there has to be one, and one only (3.2).
        """
        if self._refused:
            return
        if self.path.lower().startswith((b"http://", b"https://")):
            self.path = b"/" + self.path.split(b"/", 3)[3] if self.path.count(b"/") > 2 else b"/"
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        if self.clientproto == b"HTTP/1.1" and len(hosts) != 1:
            self.write(_NOT_ONE_HOST.render(self))
            self.finish()
            return
        super().process()


class LocalAddressChannel(HTTPChannel):
    """
    An HTTP connection that knows what the host table says of its local address.
    """

    site: Any
    _generation = 0
    _match = NO_ADDRESS
    _ending = False

    def localMatch(self) -> Match:
        """
        The match of the local address: asked of the kernel and the table once, and again only when
        the table has changed.
        """
        tables: CurrentTable = self.site.tables
        if self._generation != tables.table.generation:
            self._generation = tables.table.generation
            self._match = matchLocalAddress(self.getHost(), tables)
        return self._match

    def connectionMade(self) -> None:
        """
        Tell the site that there is one connection more.
        """
        super().connectionMade()
        self.site.connectionOpened(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        Tell the site that there is one connection less.
        """
        super().connectionLost(reason)
        self.site.connectionClosed(self)

    def closeWhenDone(self) -> None:
        """
        Close now if no request is being answered, else when the answer is complete.
        """
        self._ending = True
        self.persistent = False
        if not self.requests:
            self.loseConnection()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """
        See whether the connection stays open behind a request: not when the server stops.
        """
        persistent: bool = super().checkPersistence(request, version)
        if self._ending:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return persistent and not self._ending

    def headerReceived(self, line: bytes) -> bool:
        """
        Take a header. A number of thousands of digits, which Python refuses to read, is a bad
        request.
        """
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and len(value.strip()) > _MOST_DIGITS:
            assert self.transport is not None
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self.loseConnection()
            return False
        taken: bool = super().headerReceived(line)
        return taken


def localMatch(request: Request) -> Match:
    """
    What the host table says of the local address of a request's connection.
    """
    channel = request.channel
    assert isinstance(channel, LocalAddressChannel)
    return channel.localMatch()
