"""
Endpoints that share an interface, on fakes: who comes, who goes, what is undone when.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel
from zope.interface.verify import verifyObject

from prefix64.addressing import Prefix, parseAddress, parsePrefix
from prefix64.endpoint.listening import PrefixPort
from prefix64.endpoint.parser import parseEndpoint
from prefix64.endpoint.sharing import SharedLinks
from prefix64.endpoint.words import EndpointError, PortError
from prefix64.errors import InterfaceError, OptionError, Prefix64Error, PrivilegeError, RoutingError
from prefix64.kernel.messages import Link
from prefix64.option_text import OptionText
from prefix64.ownership import Owner
from prefix64.testing import MemoryLock
from tests.test_services import World

P, Q = "2001:db8::/64", "2001:db8:1::/64"

CONTRADICTIONS = (
    ("routing=none", "routing=ports:ports=tcp,udp", "routing=none", "routing=ports"),
    ("routing=ports:ports=tcp", "routing=ports:ports=tcp,udp", "ports=tcp", "ports=tcp,udp"),
    ("table=70", "", "table=70", "table=64"),
    ("priority=70", "", "priority=70", "priority=64"),
    ("routing=fwmark:fwmark=1", "routing=fwmark:fwmark=2", "fwmark=1", "fwmark=2"),
    ("ndp=none", "", "ndp=none", "ndp=protocol"),
    ("echo=none", "", "echo=none", "no echo"),
    ("", "echo=kernel", "no echo", "echo=kernel"),
    ("dad=ignore", "", "dad=ignore", "dad=auto"),
    ("na-source=link-local", "", "na-source=link-local", "na-source=target"),
    ("na-router=auto", "", "na-router=auto", "na-router=0"),
    (r"respond=hosts:hosts=2001\:db8\:\:1", r"hosts=2001\:db8\:\:1",
     "respond=hosts", "respond=all"),
    ("rate=20", "rate=10", "rate=20", "rate=10"),
    ("rate-source=1", "", "rate-source=1", "rate-source=0"),
    ("yield=yes", "", "yield=yes", "yield=no"),
    ("local=yes", "", "local=yes", "local=no"),
    ("trace=yes", "", "trace=yes", "trace=no"),
    ("state=/a", "state=/b", "state=/a", "state=/b"),
    (r"exclude=2001\:db8\:\:1", "", r"exclude=2001\:db8\:\:1", "no exclude"),
    ("", r"hosts=2001\:db8\:\:2,2001\:db8\:\:1", "no hosts",
     r"hosts=2001\:db8\:\:1,2001\:db8\:\:2"),
)  # fmt: skip
"""What one endpoint has, what the one before has, and how the error calls both."""


class SharingCase(World):
    """
    Endpoints on eth0, with real ports that the kernel picks.

    @ivar privileges: what was asked for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.privileges: list[tuple[bool, bool, list[int]]] = []
        self.missing: PrivilegeError | None = None
        self.links_ = SharedLinks(self.makeEdges(), self.find, self.check)
        self.triggers: list[Any] = []
        self.patch(self.reactor, "addSystemEventTrigger", self.addTrigger)
        self.patch(self.reactor, "removeSystemEventTrigger", self.triggers.remove)

    def addTrigger(self, phase: str, event: str, call: Any) -> Any:
        self.assertEqual((phase, event), ("after", "shutdown"))
        self.triggers.append(call)
        return call

    def find(self, name: str) -> Link:
        link = self.kernel.link("eth0" if name == "other-name" else name)
        if link is None:
            raise InterfaceError(OptionText("{iface:{0!r}}: there is no such interface", name))
        return link

    def check(self, admin: bool, packets: bool, ports: Iterable[int]) -> None:
        self.privileges.append((admin, packets, list(ports)))
        if self.missing is not None:
            raise self.missing

    def listening(self, *prefixes: str, port: int = 0, more: str = "") -> Deferred[IListeningPort]:
        """
        Listen on an endpoint.

        @param more: further arguments, as in a description.
        """
        named = {"iface": "eth0", "prefix": ",".join(prefixes or (P,))}
        named |= dict(one.split("=") for one in more.replace("\\:", ";").split(":") if one)
        named = {name: text.replace(";", ":") for name, text in named.items()}
        endpoint = parseEndpoint(self.reactor, (str(port),), named, self.links_)
        return endpoint.listen(Factory.forProtocol(Factory))

    def listen(self, *prefixes: str, port: int = 0, more: str = "") -> PrefixPort:
        """
        Listen, at once.
        """
        found = self.successResultOf(self.listening(*prefixes, port=port, more=more))
        assert isinstance(found, PrefixPort)
        self.addCleanup(self.close, found)
        return found

    def close(self, port: PrefixPort) -> None:
        """
        Close a port, and wait for it.
        """
        closed = port.stopListening()
        self.reactor.advance(0)
        self.successResultOf(closed)

    def served(self) -> set[Prefix]:
        """
        What has a rule.
        """
        return {rule.destination for rule in self.kernel.ourRules}

    def assertServed(self, *texts: str) -> None:
        self.assertEqual(self.served(), set(map(parsePrefix, texts)))
        assert self.guard is not None
        self.assertEqual(set(self.guard.prefixes), set(map(parsePrefix, texts)))

    def assertGivenUp(self) -> None:
        """
        Everything is undone, and nothing is left to be done at the end.
        """
        self.assertUndone()
        self.assertEqual((self.triggers, self.links_._links, self.links_._ending), ([], {}, {}))


class OnePortTests(SharingCase):
    """
    One endpoint.
    """

    def test_itOwnsThePrefixAndListens(self) -> None:
        """
        All of it at once, before the reactor runs too; the port is one of IPv6 on every address.
        """
        port = self.listen()
        self.assertTrue(verifyObject(IListeningPort, port))
        self.assertServed(P)
        self.assertTrue(self.monitor.reading)
        self.assertIn(self.links[0].fileno(), [r.fileno() for r in self.reactor.getReaders()])
        self.assertEqual(port.getHost().host, "::")
        self.assertTrue(port.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
        self.assertEqual(self.privileges, [(True, True, [0])])
        self.assertIn(
            "serving every address of 2001:db8::/64 on eth0; ping answered by the protocol",
            self.lines(),
        )

    def test_closingItUndoesEverything(self) -> None:
        """
        After the port is closed, and not before; whoever asks again is told when it is done.
        """
        port = self.listen()
        closed, again = port.stopListening(), port.stopListening()
        self.assertNoResult(closed)
        self.assertServed(P)
        self.reactor.advance(0)
        for one in (closed, again, port.stopListening()):
            self.assertIsNone(self.successResultOf(one))
        self.assertGivenUp()

    def test_anotherNameOfTheInterface(self) -> None:
        """
        It is the same interface, whichever name it was called by.
        """
        self.listen()
        self.listen(more="iface=other-name")
        self.assertEqual(self.notes.count("lock"), 1)

    def test_neverOpenedAgain(self) -> None:
        """
        A port that was closed has nothing to serve any more.
        """
        port = self.listen()
        self.close(port)
        self.assertRaises(CannotListenError, port.startListening)
        self.assertGivenUp()

    def test_nothingIsChangedWithoutRoutingAndSolicitations(self) -> None:
        """
        Nor is a privilege asked for, but for the port.
        """
        port = self.listen(more="routing=none:ndp=none")
        self.assertEqual(self.privileges, [(False, False, [0])])
        self.assertEqual((self.kernel.log, self.links, self.guard), ([], [], None))
        self.close(port)
        self.assertGivenUp()
        self.assertFalse(os.path.exists(self.state))

    def test_theKernelsProxy(self) -> None:
        """
        It answers for the hosts that are named; what its switches were is kept in the state
        directory.
        """
        hosts = r"hosts=2001\:db8\:\:7"
        port = self.listen(more=f"ndp=kernel:{hosts}:state={self.state}")
        self.assertEqual({p.address for p in self.kernel.ourProxies}, {parseAddress("2001:db8::7")})
        self.assertEqual(len(os.listdir(self.state)), 1)
        self.close(port)
        self.assertEqual((self.kernel.ourProxies, os.listdir(self.state)), (set(), []))
        self.assertEqual(self.kernel.switches["eth0", "forwarding"], "0")
        self.assertGivenUp()


class FailureTests(SharingCase):
    """
    One endpoint that cannot be.
    """

    def fails(self, kind: type[Prefix64Error], **arguments: Any) -> str:
        """
        Listen in vain.

        @return: why.
        """
        error = self.failureResultOf(self.listening(**arguments)).value
        self.assertIsInstance(error, kind)
        return str(error)

    def test_thePortIsInUse(self) -> None:
        """
        It fails as every endpoint does, and the prefix is given up.
        """
        taken = socket.socket(socket.AF_INET6)
        self.addCleanup(taken.close)
        taken.bind(("::", 0))
        taken.listen()
        number = taken.getsockname()[1]
        error = self.failureResultOf(self.listening(port=number), CannotListenError).value
        self.assertIsInstance(error, PortError)
        self.assertEqual(error.socketError.errno, errno.EADDRINUSE)
        self.assertIn(f"port {number} is in use", str(error))
        self.assertGivenUp()
        self.assertIn("link closed", self.notes)
        self.assertEqual(self.reactor.getReaders(), [])
        taken.close()
        self.assertEqual(self.listen(port=number).getHost().port, number)

    def test_theFactoryDoesNotStart(self) -> None:
        """
        What it raises is what is told, and the port is free again.
        """

        class Broken(Factory):
            def startFactory(self) -> None:
                raise KeyError("x")

        endpoint = parseEndpoint(self.reactor, ("0",), {"iface": "eth0", "prefix": P}, self.links_)
        sockets = len(os.listdir("/proc/self/fd"))
        self.failureResultOf(endpoint.listen(Broken()), KeyError)
        self.assertEqual(len(os.listdir("/proc/self/fd")), sockets)
        self.assertGivenUp()

    def test_thereIsNoSuchInterface(self) -> None:
        """
        Found before anything is made, in the words of a description.
        """
        text = self.fails(InterfaceError, more="iface=eth7")
        self.assertEqual(text, "iface='eth7': there is no such interface")
        self.assertEqual(self.notes, [])

    def test_theInterfaceCannot(self) -> None:
        """
        So is what it cannot do.
        """
        text = self.fails(OptionError, more="iface=lo:echo=protocol")
        self.assertIn("echo=protocol needs an Ethernet interface", text)
        self.assertEqual(self.notes, [])

    def test_aPrivilegeIsMissing(self) -> None:
        """
        So is that.
        """
        self.missing = PrivilegeError("this needs CAP_NET_ADMIN: run it as root (sudo)")
        self.assertIn("CAP_NET_ADMIN", self.fails(PrivilegeError, port=443))
        self.assertEqual(self.privileges, [(True, True, [443])])
        self.assertEqual(self.notes, [])

    def test_anotherProcessServesIt(self) -> None:
        """
        One line names it; when it has ended the endpoint can listen.
        """
        lock = MemoryLock("eth0")
        text = self.fails(InterfaceError)
        self.assertIn("interface 'eth0' is served already by another process", text)
        self.assertEqual(self.kernel.log, [])
        lock.release()
        self.listen()

    def test_theKernelRefuses(self) -> None:
        """
        What had been done is undone.
        """
        self.kernel.refusals.extend((None, None, RoutingError("no")))
        self.assertEqual(self.fails(RoutingError), "no")
        self.assertGivenUp()
        self.listen()
        self.assertServed(P)

    def test_anInterruption(self) -> None:
        """
        Ctrl-C before the reactor runs, while it starts: everything is undone.
        """
        self.failures["link"] = KeyboardInterrupt()  # type: ignore[assignment]
        self.failureResultOf(self.listening(), KeyboardInterrupt)
        self.assertGivenUp()


class SharedPrefixTests(SharingCase):
    """
    Two endpoints of the same prefix.
    """

    def test_theLastOneUndoes(self) -> None:
        """
        There is one instance for both, as long as there is one of them.
        """
        one, other = self.listen(), self.listen()
        self.assertEqual((self.notes.count("lock"), len(self.triggers)), (1, 1))
        before = list(self.kernel.log)
        self.close(one)
        self.assertEqual(self.kernel.log, before)
        self.assertServed(P)
        self.close(other)
        self.assertGivenUp()

    def test_aPortThatIsInUseTakesNothingFromTheOther(self) -> None:
        """
        It is not counted.
        """
        one = self.listen()
        number = one.getHost().port
        self.failureResultOf(self.listening(port=number), CannotListenError)
        self.assertServed(P)
        self.close(one)
        self.assertGivenUp()

    def test_oneComesWhileTheLastIsClosing(self) -> None:
        """
        It takes over: nothing is undone in between.
        """
        one = self.listen()
        closed = one.stopListening()
        other = self.listen()
        before = list(self.kernel.log)
        self.reactor.advance(0)
        self.successResultOf(closed)
        self.assertEqual(self.kernel.log, before)
        self.assertServed(P)
        self.close(other)
        self.assertGivenUp()

    def test_theyContradictEachOther(self) -> None:
        """
        The second one fails with a line that names the argument and both values, and the first goes
        on.
        """
        for mine, theirs, said, saidOfTheirs in CONTRADICTIONS:
            first = self.listen(more=theirs)
            before = list(self.kernel.log)
            error = self.failureResultOf(self.listening(more=mine), EndpointError).value
            self.assertTrue(
                str(error).startswith(
                    f"{said} contradicts {saidOfTheirs} of another endpoint of this process, which "
                    "serves "
                ),
                str(error),
            )
            self.assertTrue(str(error).endswith("eth0: give both the same"))
            self.assertEqual(self.kernel.log, before)
            self.close(first)
            self.assertGivenUp()

    def test_backlogIsEachOnesOwn(self) -> None:
        """
        It is of the port, not of the interface.
        """
        self.listen(more="backlog=5")
        self.listen(more="backlog=6")


class SeveralPrefixesTests(SharingCase):
    """
    Endpoints of different prefixes on one interface.
    """

    def test_eachComesAndGoes(self) -> None:
        """
        With its first port and its last, whatever the order; there is one instance all the time.
        """
        first = self.listen(P)
        second = self.listen(Q)
        self.assertServed(P, Q)
        both = self.listen(Q, P)
        self.close(first)
        self.assertServed(P, Q)
        self.close(both)
        self.assertServed(Q)
        self.assertEqual(self.notes.count("lock"), 1)
        self.close(second)
        self.assertGivenUp()
        said = [line for line in self.lines() if "serving" in line]
        self.assertEqual(
            said[1:],
            ["serving every address of 2001:db8:1::/64 on eth0 too",
             "no longer serving 2001:db8::/64 on eth0"],
        )  # fmt: skip

    def test_whatIsSaidOfOneIsNoMatterOfTheOther(self) -> None:
        """
        Each has its own exclusions and hosts, which come and go with it.
        """
        self.listen(P, more=r"exclude=2001\:db8\:\:1:hosts=2001\:db8\:\:7")
        second = self.listen(Q, more=r"exclude=2001\:db8\:1\:\:1:hosts=2001\:db8\:1\:\:7")
        tables = self.links_._links["eth0"].service.tables
        hosts = [parseAddress("2001:db8::7"), parseAddress("2001:db8:1::7")]
        self.assertEqual(list(tables.table.singleAddresses), hosts)
        self.assertEqual(len(self.groups[-1].joined), 1)  # both have the same group
        self.assertIs(tables.table.ownership.of(parseAddress("2001:db8:1::1")), Owner.EXCLUDED)
        self.close(second)
        self.assertEqual(list(tables.table.singleAddresses), hosts[:1])
        self.assertIs(tables.table.ownership.of(parseAddress("2001:db8::1")), Owner.EXCLUDED)

    def test_aPartOfAnother(self) -> None:
        """
        A sub-prefix or a larger one of what is served is refused; so is one of several.
        """
        first = self.listen(P)
        for texts in (("2001:db8::/80",), ("2001:db8::/48",), (Q, "2001:db8::/80")):
            error = self.failureResultOf(self.listening(*texts), EndpointError).value
            wrong = texts[-1].replace(":", "\\:")
            self.assertEqual(
                str(error),
                f"prefix={wrong} overlaps 2001:db8::/64, which another endpoint of this process "
                "serves on eth0: give both the same prefix",
            )
            self.assertServed(P)
        self.close(first)
        self.assertGivenUp()

    def test_theKernelRefusesTheSecond(self) -> None:
        """
        The first goes on as before, with its hosts; then the second can be tried again.
        """
        first = self.listen(P, more=r"hosts=2001\:db8\:\:7")
        self.kernel.refusals.extend((None, None, RoutingError("no")))
        more = r"hosts=2001\:db8\:1\:\:8"
        self.failureResultOf(self.listening(Q, more=more), RoutingError)
        self.assertServed(P)
        tables = self.links_._links["eth0"].service.tables
        self.assertEqual(list(tables.table.singleAddresses), [parseAddress("2001:db8::7")])
        second = self.listen(Q, more=more)
        self.assertServed(P, Q)
        self.close(first)
        self.close(second)
        self.assertGivenUp()

    def test_thePortOfTheSecondIsInUse(self) -> None:
        """
        Its prefix is given up again.
        """
        first = self.listen(P)
        number = first.getHost().port
        self.failureResultOf(self.listening(Q, port=number), CannotListenError)
        self.assertServed(P)
        self.assertEqual(self.lines(LogLevel.error), [])

    def test_tooMany(self) -> None:
        """
        Together they are no more than one instance may have.
        """
        self.listen(*(f"2001:db8:{number:x}::/64" for number in range(60)))
        more = [f"2001:db8:ff:{number:x}::/64" for number in range(5)]
        error = self.failureResultOf(self.listening(*more), EndpointError).value
        self.assertEqual(str(error), "65 prefixes on eth0: at most 64 are served")
        self.listen(*more[:4])
        self.assertEqual(len(self.served()), 64)


class EndTests(SharingCase):
    """
    Ends that take their time, and ends without a stop.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port = self.listen()
        self.service = self.links_._links["eth0"].service

    def slow(self) -> Deferred[None]:
        """
        Have the end of the interface take its time.
        """
        ended: Deferred[None] = Deferred()
        stop = self.service.stopService

        def stopService() -> Any:
            return ended.addCallback(lambda _: stop())

        self.patch(self.service, "stopService", stopService)
        return ended

    def test_whoComesMeanwhileWaits(self) -> None:
        """
        There is one instance after the other, never two.
        """
        ended = self.slow()
        closed = self.port.stopListening()
        self.reactor.advance(0)
        first, second = self.listening(), self.listening(Q)
        for one in (closed, first, second):
            self.assertNoResult(one)
        self.assertEqual(self.notes.count("lock"), 1)
        ended.callback(None)
        self.successResultOf(closed)
        ports = [self.successResultOf(first), self.successResultOf(second)]
        self.assertEqual(self.notes.count("lock"), 2)
        self.assertServed(P, Q)
        for port in ports:
            assert isinstance(port, PrefixPort)
            self.close(port)
        self.assertGivenUp()

    def test_whoWaitsMayGiveUp(self) -> None:
        """
        A listening that is cancelled never begins.
        """
        ended = self.slow()
        closed = self.port.stopListening()
        self.reactor.advance(0)
        waiting = self.listening()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        ended.callback(None)
        self.successResultOf(closed)
        self.assertGivenUp()

    def test_theReactorStopsWithoutAStopOfThePort(self) -> None:
        """
        What is left is undone; a stop that comes later finds nothing to do.
        """
        (trigger,) = self.triggers
        self.triggers.clear()
        trigger()
        self.port.connectionLost(None)  # as the reactor's own end does
        self.assertGivenUpBut("eth0")
        self.close(self.port)
        self.assertServed(P)

    def test_portsOfSeveralPrefixesAreStoppedTooLate(self) -> None:
        """
        Nor is there anything to change for those that are left, once everything is undone.
        """
        second = self.listen(Q)
        (trigger,) = self.triggers
        self.triggers.clear()
        trigger()
        before = list(self.kernel.log)
        for port in (self.port, second):
            self.close(port)
        self.assertEqual(self.kernel.log, before)
        self.assertUndone()

    def test_theProcessEndsWithoutARunningReactor(self) -> None:
        """
        So it is when the interpreter ends; but not in a process that was forked.
        """
        shared = self.links_._links["eth0"]
        process = os.getpid()
        self.patch(os, "getpid", lambda: process + 1)
        shared._atExit()
        self.assertServed(P)
        self.patch(os, "getpid", lambda: process)
        shared._atExit()
        self.triggers.clear()
        self.port.connectionLost(None)
        self.assertGivenUpBut("eth0")

    def assertGivenUpBut(self, name: str) -> None:
        """
        Everything is undone; the next endpoint, of which the old one knows nothing, begins anew.
        """
        self.assertUndone()
        self.listen()
        self.assertServed(P)
        self.assertTrue(self.links_._links[name].serves)
        self.close(self.listen())

    def test_aPortThatCannotBeClosed(self) -> None:
        """
        Its error is told, and the interface is given up all the same.
        """

        def doStop() -> None:
            raise KeyError("x")

        self.patch(self.port.factory, "doStop", doStop)
        closed = self.port.stopListening()
        self.reactor.advance(0)
        self.failureResultOf(closed, KeyError)
        self.successResultOf(self.port.stopListening())
        self.assertGivenUp()
