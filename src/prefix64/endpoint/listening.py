"""
The endpoint, and its port.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from prefix64.endpoint.refusal import RefusingSocket, localAddresses
from prefix64.endpoint.sharing import Share, SharedLinks
from prefix64.endpoint.wanted import Wanted
from prefix64.endpoint.words import PortError, sayInOneLine, translated
from prefix64.errors import Prefix64Error
from prefix64.web.listening import BACKLOG

EVERY_ADDRESS = "::"

_log = Logger("prefix64.endpoint")


@implementer(IStreamServerEndpoint)
class PrefixEndpoint:
    """
    A port on every address of some prefixes, which are this host's own as long as it listens.

    @ivar port: 1 to 65535; 0 for one that the kernel picks.
    @ivar wanted: what is wanted of the interface.
    @ivar backlog: how many connections may wait to be accepted.
    """

    def __init__(
        self, reactor: Any, port: int, wanted: Wanted, links: SharedLinks, backlog: int = BACKLOG
    ) -> None:
        """
        @param links: the interfaces that endpoints of this process serve.
        """
        self._reactor = reactor
        self._links = links
        self.port = port
        self.wanted = wanted
        self.backlog = backlog

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Own the prefixes, and listen. All of it is done when this returns, unless the interface is
        just being given up; it may take some seconds where another instance is starting.

        @return: fires with the port. It fails with a L{CannotListenError} if the port cannot be
            had, and with another L{Prefix64Error} if the prefixes cannot; then nothing is left.
        """
        listening: Deferred[IListeningPort] = self._listen(protocolFactory)
        return listening.addErrback(_inOneLine)

    @inlineCallbacks
    def _listen(self, factory: IProtocolFactory) -> Any:
        """
        Own the prefixes, then listen.
        """
        share: Share = yield self._links.join(self._reactor, self.wanted, self.port)
        isOurs = localAddresses(self.wanted.settings.prefixes, share.tables)
        port = PrefixPort(self._reactor, self.port, factory, self.backlog, isOurs, share.leave)
        try:
            port.startListening()
        except BaseException as error:
            yield share.leave()
            if isinstance(error, CannotListenError):
                raise PortError(error.interface, error.port, error.socketError) from None
            raise
        return port


def _inOneLine(failure: Failure) -> Failure:
    """
    Put an error into the words of a description.
    """
    if not isinstance(failure.value, Prefix64Error):
        return failure
    sayInOneLine()
    return Failure(translated(failure.value))


@implementer(IListeningPort)
class PrefixPort(Port):
    """
    A listening port that refuses connections to other addresses, and gives up its share of the
    interface when it is closed.
    """

    def __init__(
        self,
        reactor: Any,
        port: int,
        factory: IProtocolFactory,
        backlog: int,
        isOurs: Callable[[str], bool],
        leave: Callable[[], Deferred[None]],
    ) -> None:
        """
        @param isOurs: given the local address of a connection, whether it is accepted.
        @param leave: called when it is closed.
        """
        super().__init__(port, factory, backlog, EVERY_ADDRESS, reactor)
        self._isOurs = isOurs
        self._leave = leave
        self._listener: RefusingSocket | None = None
        self._stopping = False
        self._waiting: list[Deferred[None]] | None = []
        self._problem: Failure | None = None

    def createInternetSocket(self) -> socket.socket:
        """
        Make the listening socket, of IPv6 only, so that an IPv4 server on the same port is no
        conflict.
        """
        self._listener = listener = RefusingSocket(self._isOurs)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        return listener

    def startListening(self) -> None:
        """
        Listen.

        @raise CannotListenError: the port cannot be had; or it was closed, and with it the
            interface was given up: listen on the endpoint anew.
        """
        if self._stopping:
            raise CannotListenError(self.interface, self.port, "it was closed")
        try:
            super().startListening()
        except BaseException:
            if self._listener is not None:
                self._listener.close()
            raise

    def loseConnection(self, connDone: Any = None) -> Deferred[None]:
        """
        Close the port, then give up the interface; where this was its last port, undo everything.
        Connections that are open then are cut off from their address: end them before. May be
        called again.

        @return: fires when all of it is done.
        """
        if not self._stopping:
            self._stopping = True
            self._close()
        done: Deferred[None] = Deferred()
        if self._waiting is None:
            done.callback(None)
        else:
            self._waiting.append(done)
        return done

    stopListening = loseConnection

    @inlineCallbacks
    def _close(self) -> Any:
        """
        Close the port, give up the interface, and tell those who wait.
        """
        problem = None
        for step in (super().loseConnection, self._leave):
            try:
                yield maybeDeferred(step)
            except Exception:
                problem = problem or Failure()
        refused = 0 if self._listener is None else self._listener.refused
        if refused:
            what = "1 connection" if refused == 1 else f"{refused} connections"
            _log.info("refused {what} to other addresses", what=what)
        waiting, self._waiting = self._waiting or [], None
        for done in waiting:
            done.callback(None) if problem is None else done.errback(problem)
