"""
Which connections an endpoint accepts, with real ones on the loopback interface.
"""

from __future__ import annotations

import errno
import socket
from select import select
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.endpoint.listening import PrefixPort
from prefix64.endpoint.refusal import RefusingSocket, localAddresses
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.ownership import Ownership

PREFIX, OTHER = parsePrefix("2001:db8::/64"), parsePrefix("2001:db8:1::/64")
_SECONDS = 5.0


class LocalAddressTests(SynchronousTestCase):
    """
    Whose address it is that a connection came in at.
    """

    def setUp(self) -> None:
        self.ownership = Ownership(
            (PREFIX, OTHER),
            (parsePrefix("2001:db8::e:0/112"),),
            interfaceAddresses=frozenset({parseAddress("2001:db8::b:1"), parseAddress("fe80::2")}),
            hostAddresses=frozenset({parseAddress("2001:db8::b:2"), parseAddress("2001:db9::1")}),
            gateways=frozenset({parseAddress("2001:db8::1")}),
            routed=(parsePrefix("2001:db8::5:0:0:0/80"),),
        )
        self.tables = CurrentTable(HostTable(self.ownership))
        self.isOurs = localAddresses([PREFIX], self.tables)

    def test_accepted(self) -> None:
        """
        What is ours, and the host's own addresses inside the prefix, on this interface and others.
        """
        for text in ("2001:db8::cafe", "2001:db8::b:1", "2001:db8::b:2"):
            self.assertTrue(self.isOurs(text), text)

    def test_refused(self) -> None:
        """
        Everything else: outside, of another endpoint, excluded, an anycast address, a router's,
        routed elsewhere, with a scope, of IPv4, or unknown.
        """
        for text in (
            "2001:db9::1",
            "2001:db8:1::1",
            "2001:db8::e:1",
            "2001:db8::",
            "2001:db8::1",
            "2001:db8::5:0:0:1",
            "fe80::2%eth0",
            "fe80::2",
            "::1",
            "::ffff:192.0.2.1",
            "192.0.2.1",
            "",
        ):
            self.assertFalse(self.isOurs(text), text)

    def test_itFollowsTheTable(self) -> None:
        """
        What becomes somebody else's is refused from then on.
        """
        self.assertTrue(self.isOurs("2001:db8::7"))
        now = Ownership((PREFIX,), gateways=frozenset({parseAddress("2001:db8::7")}))
        self.tables.ownershipChanged(now)
        self.assertFalse(self.isOurs("2001:db8::7"))


class Greeting(Protocol):
    """
    Says something at once.
    """

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"welcome")


class PortTests(SynchronousTestCase):
    """
    A port, read by hand.
    """

    def setUp(self) -> None:
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.reactor = MemoryReactorClock()
        self.asked: list[str] = []
        self.answers: list[bool] = []
        self.built: list[Any] = []
        self.left = 0
        self.factory = Factory.forProtocol(Greeting)
        build = self.factory.buildProtocol

        def buildProtocol(peer: Any) -> Any:
            self.built.append(build(peer))
            return self.built[-1]

        self.patch(self.factory, "buildProtocol", buildProtocol)
        self.port = PrefixPort(self.reactor, 0, self.factory, 5, self.isOurs, self.leave)
        self.port.startListening()
        self.addCleanup(self.close)

    def isOurs(self, text: str) -> bool:
        self.asked.append(text)
        return self.answers.pop(0)

    def leave(self) -> Deferred[None]:
        self.left += 1
        return succeed(None)

    def close(self) -> None:
        self.port.stopListening()
        self.reactor.advance(0)
        while self.built:
            self.built.pop().transport.connectionLost(Failure(ConnectionDone()))

    def connect(self, *answers: bool) -> list[socket.socket]:
        """
        As many connections as answers, accepted in one go.
        """
        self.answers += answers
        visitors = []
        for _ in answers:
            visitor = socket.create_connection(("::1", self.port.getHost().port), _SECONDS)
            self.addCleanup(visitor.close)
            visitors.append(visitor)
        while self.answers:
            self.assertTrue(select([self.port], [], [], _SECONDS)[0])
            self.port.doRead()
        return visitors

    def test_accepted(self) -> None:
        """
        The factory builds the protocol as ever, and it has the reactor's own transport.
        """
        (visitor,) = self.connect(True)
        (protocol,) = self.built
        self.assertEqual(self.asked, ["::1"])
        self.assertIs(protocol.transport.protocol, protocol)
        self.assertEqual(protocol.transport.logPrefix(), "Greeting,0,::1")
        self.assertEqual(protocol.transport.getHost().host, "::1")
        self.assertIs(self.port.factory, self.factory)
        protocol.transport.doWrite()
        self.assertEqual(visitor.recv(99), b"welcome")

    def test_refused(self) -> None:
        """
        The visitor gets a reset, and the factory does not hear of it; nor is anything logged.
        """
        (visitor,) = self.connect(False)
        error = self.assertRaises(OSError, visitor.recv, 1)
        self.assertEqual(error.errno, errno.ECONNRESET)
        self.assertEqual(self.built, [])
        self.assertFalse([e for e in self.logged if "refuse" in formatEvent(e)])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_oneAfterTheOther(self) -> None:
        """
        Those that are refused keep nobody else waiting, and are counted.
        """
        visitors = self.connect(False, True, False, False, True)
        self.assertEqual(len(self.built), 2)
        for protocol in self.built:
            protocol.transport.doWrite()
        self.assertEqual([visitors[1].recv(7), visitors[4].recv(7)], [b"welcome"] * 2)
        self.close()
        self.assertIn(
            "refused 3 connections to other addresses", [formatEvent(e) for e in self.logged]
        )
        self.assertEqual(self.left, 1)

    def test_oneThatIsGoneAlready(self) -> None:
        """
        A visitor who reset the connection before it was accepted is no error.
        """
        visitor = socket.create_connection(("::1", self.port.getHost().port), _SECONDS)
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        visitor.close()
        self.answers.append(False)
        self.connect(False)
        self.assertEqual(self.built, [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_noneIsThere(self) -> None:
        """
        Without a connection there is nothing to refuse.
        """
        listener = RefusingSocket(self.isOurs)
        self.addCleanup(listener.close)
        listener.bind(("::1", 0))
        listener.listen()
        listener.setblocking(False)
        self.assertRaises(BlockingIOError, listener.accept)
        self.assertEqual((listener.refused, self.asked), (0, []))

    def test_theFactoryStartsAndStops(self) -> None:
        """
        As with every port: with the port, and after it.
        """
        self.assertEqual(self.factory.numPorts, 1)
        self.port.stopListening()
        self.assertEqual((self.factory.numPorts, self.left), (1, 0))
        self.reactor.advance(0)
        self.assertEqual((self.factory.numPorts, self.left), (0, 1))
