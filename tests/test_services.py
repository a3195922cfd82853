"""
The services as a whole, on fakes: the order of the start and of the end, and what events lead to.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Container
from typing import Any

from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock, StringTransport
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import Prefix, parseAddress, parsePrefix
from prefix64.edges import Edges
from prefix64.errors import GuardError, ListenError, Prefix64Error, PrivilegeError, RoutingError
from prefix64.hosts.directory import SitesDirectory
from prefix64.hosts.model import Host, StaticSite
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy
from prefix64.icmpv6.verdicts import Verdict
from prefix64.kernel.messages import InterfaceAddress, InterfaceRoute, Link
from prefix64.kernel.monitor import ADDRESS, LINK, NEIGHBOR, ROUTE, RULE
from prefix64.link.socket_filter import icmpv6Filter
from prefix64.ownership import Owner, Ownership
from prefix64.routing.entries import GuardKind, Route, RouteKind, Rule
from prefix64.routing.plan import RoutingPlan, plan
from prefix64.services.following import NEIGHBOR_DELAY, REREAD_DELAY
from prefix64.services.icmpv6 import MOST_CONFLICTS, countsInWords
from prefix64.services.prefix64 import Prefix64Service
from prefix64.services.signals import ENDING
from prefix64.settings import EchoMode, Launch, LinkSettings, Settings
from prefix64.testing import (
    MemoryGroups,
    MemoryGuard,
    MemoryKernel,
    MemoryLink,
    MemoryLock,
    MemoryMonitor,
    unlistened,
)
from prefix64.web.site import END_TIMEOUT
from tests.frames import ROUTER_LINK, advertisement, echoRequest, probe, solicitation
from tests.support import skipBecause
from tests.test_access_log import FULL
from tests.test_host_state import (
    ETH1,
    addressEvent,
    deletionEvent,
    linkEvent,
    neighborEvent,
    routedEvent,
    routeEvent,
)

PREFIX = parsePrefix("2001:db8::/64")
ETH0 = 2


class Port:
    """
    A listening port that closes when the test says so.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.closed: Deferred[None] | None = None

    def getHost(self) -> IPv6Address:
        return IPv6Address("TCP", "::", 80)

    def stopListening(self) -> Deferred[None] | None:
        self._note("port closed")
        return self.closed


class Reactor(MemoryReactorClock):
    """
    A reactor in memory that gives out such ports.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self.port = Port(note)

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.callLater(0, call)

    def adoptStreamPort(self, fileno: int, addressFamily: int, factory: Any) -> Any:
        super().adoptStreamPort(fileno, addressFamily, factory)
        return self.port


class Signal:
    """
    Something that is being opened when a signal comes.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def come(self) -> None:
        """
        It comes now.
        """
        os.kill(os.getpid(), self._number)


class World(SynchronousTestCase):
    """
    Everything outside, in memory. What is opened and closed is noted, in order.
    """

    ofProcess = ("http", "sites", "stateDirectory", "accessLog", "launch")

    def setUp(self) -> None:
        self.notes: list[str] = []
        self.kernel = MemoryKernel()
        self.sshPeers: set[int] = set()
        self.link = MemoryLink()
        self.links: list[MemoryLink] = []
        self.groups: list[MemoryGroups] = []
        self.programs: list[bytes] = []
        self.guard: MemoryGuard | None = None
        self.guardRefusal: GuardError | PrivilegeError | None = None
        self.failures: dict[str, Exception | Signal] = {}
        self.delivering = -1
        self.reactor = Reactor(self.notes.append)
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_UNBLOCK, ENDING)
        self.patch(MemoryLock, "held", {})
        self.patch(sys, "stderr", sys.stderr)
        self.patch(sys, "excepthook", sys.excepthook)
        self.state = os.path.abspath(self.mktemp())

    def made(self, **changed: Any) -> Prefix64Service:
        """
        The service, with settings for eth0 but for what is changed.
        """
        process = {"stateDirectory": self.state}
        link = {"interface": "eth0", "prefixes": (PREFIX,)}
        for name, value in changed.items():
            (process if name in self.ofProcess else link)[name] = value
        settings = Settings((LinkSettings(**link),), **process)
        return Prefix64Service(settings, self.reactor, self.makeEdges())

    def makeEdges(self) -> Edges:
        """
        The makers of all that is outside.
        """
        return Edges(
            lock=self.noted("lock", MemoryLock, "release"),
            holder=MemoryLock.holder,
            kernel=self.noted("kernel", lambda: self.kernel, "close"),
            monitor=self.noted("monitor", self.makeMonitor, "stopReading"),
            guard=self.noted("guard", self.makeGuard, "close"),
            link=self.noted("link", self.makeLink, "close"),
            groups=self.makeGroups,
            listen=self.noted("listen", unlistened),
            sshPeers=lambda: frozenset(self.sshPeers),
            clock=self.reactor.seconds,
            isDelivering=self.isDelivering,
        )

    def noted(
        self, name: str, make: Callable[..., Any], close: str | None = None
    ) -> Callable[..., Any]:
        """
        A maker that notes what it makes and when that is closed, or that fails as told.
        """

        def maker(*arguments: Any) -> Any:
            self.notes.append(name)
            failure = self.failures.get(name)
            if isinstance(failure, Signal):
                failure.come()
            elif failure is not None:
                raise failure
            made = make(*arguments)
            if close is not None:
                closing = getattr(made, close)

                def closed() -> None:
                    self.notes.append(f"{name} closed")
                    closing()

                setattr(made, close, closed)
            return made

        return maker

    def makeMonitor(self, *arguments: Any) -> MemoryMonitor:
        self.monitor = MemoryMonitor(*arguments)
        return self.monitor

    def isDelivering(self, ports: Container[int]) -> bool:
        return self.delivering in ports

    def makeGuard(self, kind: GuardKind) -> MemoryGuard:
        self.guard = MemoryGuard(kind, self.guardRefusal)
        return self.guard

    def makeLink(self, name: str, program: bytes) -> MemoryLink:
        self.programs.append(program)
        self.links.append(MemoryLink(self.kernel.link(name).linkLayerAddress))
        return self.links[-1]

    def makeGroups(self, name: str) -> MemoryGroups:
        self.groups.append(MemoryGroups())
        return self.groups[-1]

    def started(self, **changed: Any) -> Prefix64Service:
        service = self.made(**changed)
        service.privilegedStartService()
        service.startService()
        self.begin()
        return service

    def begin(self) -> None:
        """
        The reactor runs.
        """
        for hook, arguments, keywords in self.reactor.whenRunningHooks:
            hook(*arguments, **keywords)

    def lines(self, level: LogLevel | None = None) -> list[str]:
        """
        What was logged by prefix64.
        """
        return [
            formatEvent(event)
            for event in self.logged
            if event.get("log_namespace", "").startswith("prefix64")
            and level in (None, event["log_level"])
        ]

    def events(self, *messages: Any, lost: bool = False) -> None:
        """
        Have a batch of events come.
        """
        for message in messages:
            self.monitor.messageReceived(message)
        self.monitor.batchEnded(lost)

    def assertUndone(self) -> None:
        """
        Nothing is left in the kernel, nothing is held, nothing is open.
        """
        self.assertEqual((self.kernel.ourRoutes, self.kernel.ourRules), (set(), set()))
        self.assertEqual(MemoryLock.held, {})
        self.assertTrue(all(link.closed for link in self.links))
        self.assertTrue(all(groups.closed for groups in self.groups))
        self.assertTrue(self.guard is None or self.guard.interface is None)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.getReaders(), [])
        for name in ("kernel", "lock", "monitor"):
            if name in self.notes and name not in self.failures:
                self.assertIn(f"{name} closed", self.notes)


class StartTests(World):
    """
    A start that succeeds.
    """

    def test_theRouteIsThereBeforeTheFirstAnswerAndTheAnswerBeforeThePort(self) -> None:
        """
        Lock, routing, guard, packet socket, port; what is read of the host is read after the
        monitor hears of changes.
        """
        service = self.made()
        service.privilegedStartService()
        self.assertEqual(self.notes, ["lock", "kernel", "monitor", "guard", "link", "listen"])
        self.assertIn(Route(RouteKind.LOCAL, PREFIX), self.kernel.ourRoutes)
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})
        self.assertEqual(self.guard.interface, "eth0")
        self.assertEqual([family for _, family, _ in self.reactor.adoptedPorts], [socket.AF_INET6])

    def test_nothingIsAnsweredBeforeEverythingStarted(self) -> None:
        """
        Frames and events are read from C{startService} on.
        """
        service = self.made()
        service.privilegedStartService()
        self.assertEqual((self.reactor.getReaders(), self.monitor.reading), ([], False))
        service.startService()
        self.assertEqual((len(self.reactor.getReaders()), self.monitor.reading), (1, True))

    def test_oneLineSaysWhatIsServedAndWhatToTry(self) -> None:
        """
        The prefix, the interface, who answers ping, a URL.
        """
        self.started()
        self.assertEqual(
            self.lines(),
            [
                "serving every address of 2001:db8::/64 on eth0; ping answered by the protocol. "
                "Try http://[2001:db8::cafe]/"
            ],
        )

    def test_theLineCountsSitesAndWarnsOfLocal(self) -> None:
        """
        Both prefixes, the rules, and what C{--local} costs.
        """
        hosts = tuple(Host(Prefix(PREFIX.network + n, 128), StaticSite("/")) for n in (1, 2))
        service = self.made(
            prefixes=(PREFIX, parsePrefix("2001:db8:2::/64")),
            sites=SitesDirectory(hosts),
            local=True,
            echo=EchoMode.KERNEL,
        )
        service.privilegedStartService()
        line = service.announcement()
        self.assertIn("2001:db8::/64 and 2001:db8:2::/64 on eth0", line)
        self.assertIn("; 2 host rules from the tree of sites; ", line)
        self.assertIn("ping answered by the kernel", line)
        self.assertIn("reaches no other machine inside the prefix", line)

    def test_theLineWarnsOnLoopbackToo(self) -> None:
        """
        There the prefix is reachable from this host without C{--local}; on eth0 it is not. Who only
        tries it, with the documentation prefix, has no machine in it to reach.
        """
        warning = "reachable from this host, which then reaches no other machine inside the prefix"
        own = (parsePrefix("2001:db8:2::/64"),)
        for changed, warned in (
            ({"interface": "lo", "prefixes": own}, True),
            ({"interface": "lo"}, False),
            ({"interface": "lo", "local": True}, True),
            ({"prefixes": own}, False),
        ):
            service = self.started(**changed)
            self.assertEqual(warning in service.announcement(), warned, changed)
            self.successResultOf(service.stopService())

    def test_theAddressToTryIsOneThatIsAnsweredFor(self) -> None:
        """
        A host's, where only hosts are; none, where there is no host.
        """
        one = SitesDirectory((Host(Prefix(PREFIX.network + 7, 128), StaticSite("/")),))
        only = "only addresses with a site of their own, or behind this host, are answered for"
        for changed, end in (
            ({"respond": RespondPolicy.HOSTS, "sites": one}, ". Try http://[2001:db8::7]/"),
            ({"respond": RespondPolicy.HOSTS}, "ping answered by the protocol"),
        ):
            service = self.started(**changed)
            self.assertTrue(service.announcement().endswith(end), service.announcement())
            self.assertIn(only, service.announcement())
            self.successResultOf(service.stopService())

    def test_withoutHttpTheLineNamesAnAddressToPing(self) -> None:
        """
        And no port is listened on.
        """
        service = self.started(http=())
        self.assertTrue(service.announcement().endswith("Try: ping 2001:db8::cafe"))
        self.assertEqual((self.reactor.adoptedPorts, service.web.ports), ([], []))

    def test_theUrlHasThePortThatIsNotTheUsualOne(self) -> None:
        """
        Of the first endpoint that was given; where a port was, of that.
        """
        service = self.started(http=("tcp6:8080", "tcp6:8081"))
        self.assertTrue(service.announcement().endswith("Try http://[2001:db8::cafe]:8080/"))
        self.assertEqual([port for port, *_ in self.reactor.tcpServers], [8080, 8081])
        self.successResultOf(service.stopService())
        service = self.started(http=("tcp6:8080", 80))
        self.assertTrue(service.announcement().endswith("Try http://[2001:db8::cafe]/"))

    def test_aPortThatDoesNotListenOnEveryAddressIsNotTheOneToTry(self) -> None:
        """
        The next one is, or ping.
        """
        places = (r"tcp6:8080:interface=\:\:1", "tcp:8081", "unix:/nowhere/prefix64")
        service = self.started(http=(*places, 80))
        self.assertTrue(service.announcement().endswith("Try http://[2001:db8::cafe]/"))
        self.successResultOf(service.stopService())
        service = self.started(http=places)
        self.assertTrue(service.announcement().endswith("Try: ping 2001:db8::cafe"))

    def test_theLineSaysThatNobodyAnswersPing(self) -> None:
        """
        C{none} is no name of anybody.
        """
        line = self.started(echo=EchoMode.NONE).announcement()
        self.assertIn("ping answered by no one. ", line)

    def test_theStateDirectoryIsMadeForNobodyElse(self) -> None:
        """
        0700, with those above it; one that is there is left as it is.
        """
        self.state = os.path.join(self.state, "inner")
        service = self.started()
        self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o700)
        self.successResultOf(service.stopService())
        os.chmod(self.state, 0o755)
        self.started()
        self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o755)

    def test_aLinkThatIsDownIsSaid(self) -> None:
        """
        With the command that brings it up.
        """
        self.kernel.links[1] = Link("eth0", ETH0, 1, b"\x02\0\0\0\0\x01", False)
        self.started()
        (warning,) = self.lines(LogLevel.warn)
        self.assertIn("ip link set eth0 up", warning)

    def test_onLoopbackThereIsNoPacketSocketAndNoGuard(self) -> None:
        """
        The kernel answers ping, and there are no solicitations.
        """
        service = self.started(interface="lo")
        self.assertEqual((self.links, self.guard), ([], None))
        self.assertIs(service.links[0].echoGuard.mode, EchoMode.KERNEL)
        self.assertIn("lo is not Ethernet: it needs no neighbor discovery", self.lines())
        self.assertEqual(self.kernel.ourRules, {Rule("lo", PREFIX)})

    def test_neighborsAreFollowedOnlyWhereTheyMatter(self) -> None:
        """
        Where this host itself reaches the prefix.
        """
        self.started()
        self.assertEqual(self.monitor.groups, [LINK, ADDRESS, ROUTE, RULE])
        MemoryLock.held.clear()
        self.started(local=True)
        self.assertEqual(self.monitor.groups, [LINK, ADDRESS, ROUTE, RULE, NEIGHBOR])

    def test_anAddressOfTheHostIsKnownAtTheStart(self) -> None:
        """
        To the table, and to the guard.
        """
        own = PREFIX.network + 5
        self.kernel.hostAddresses = {InterfaceAddress(ETH0, own)}
        service = self.started()
        self.assertIs(service.tables.table.ownership.of(own), Owner.INTERFACE)
        self.assertIn(Prefix(own, 128), self.guard.others)

    def test_aMissingLinkLocalAddressIsSaidWhereItIsNeeded(self) -> None:
        """
        With C{--na-source link-local}.
        """
        self.started(advertisementSource=AdvertisementSource.LINK_LOCAL)
        (warning,) = self.lines(LogLevel.warn)
        self.assertIn("eth0 has no link-local address", warning)


class EchoTests(World):
    """
    Who answers ping: one, and no more.
    """

    def test_theProtocolAnswersBehindTheGuard(self) -> None:
        """
        The filter lets echo requests through, and the guard keeps them from the kernel.
        """
        service = self.started()
        self.assertIs(service.links[0].echoGuard.mode, EchoMode.PROTOCOL)
        self.assertIs(self.guard.kind, GuardKind.PROTOCOL)
        self.assertEqual(self.guard.prefixes, [PREFIX])
        self.assertEqual(self.programs, [icmpv6Filter((PREFIX,), True)])

    def test_theKernelAnswersIfAsked(self) -> None:
        """
        No guard, and a filter without echo.
        """
        service = self.started(echo=EchoMode.KERNEL)
        self.assertIs(service.links[0].echoGuard.mode, EchoMode.KERNEL)
        self.assertIsNone(self.guard)
        self.assertEqual(self.programs, [icmpv6Filter((PREFIX,), False)])

    def test_nobodyAnswersIfAsked(self) -> None:
        """
        A guard against all of them, and a filter without echo.
        """
        self.started(echo=EchoMode.NONE)
        self.assertIs(self.guard.kind, GuardKind.NONE)
        self.assertEqual(self.programs, [icmpv6Filter((PREFIX,), False)])

    def test_withoutNftablesTheKernelAnswersAndOneLineSaysSo(self) -> None:
        """
        Nobody asked for the protocol: it is a default.
        """
        self.guardRefusal = GuardError("this kernel has no nf_tables")
        service = self.started()
        self.assertIs(service.links[0].echoGuard.mode, EchoMode.KERNEL)
        self.assertEqual(
            self.lines(LogLevel.warn),
            ["echo is left to the kernel: this kernel has no nf_tables"],
        )
        self.assertEqual(self.programs, [icmpv6Filter((PREFIX,), False)])
        self.assertIn("ping answered by the kernel", service.announcement())

    def test_withoutNftablesWhatWasAskedForIsAnError(self) -> None:
        """
        The protocol, or nobody: the kernel would answer.
        """
        for mode in (EchoMode.PROTOCOL, EchoMode.NONE):
            self.guardRefusal = GuardError("this kernel has no nf_tables")
            service = self.made(echo=mode)
            error = self.assertRaises(SystemExit, service.privilegedStartService)
            self.assertEqual(
                error.code, f"prefix64: --echo {mode.value}: this kernel has no nf_tables"
            )
            self.assertUndone()

    def test_theProtocolOnAnInterfaceThatIsNoEthernetIsAnError(self) -> None:
        """
        There are no frames to see.
        """
        service = self.made(interface="lo", echo=EchoMode.PROTOCOL)
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertIn("--echo protocol: interface 'lo' is not Ethernet", str(error.code))
        self.assertUndone()


class FailedStartTests(World):
    """
    A start that fails: everything is undone, and one line says why.
    """

    def assertFails(self, *words: str, **changed: Any) -> None:
        """
        The start ends with one line, and nothing is left.
        """
        del self.notes[:]
        service = self.made(**changed)
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        line = str(error.code)
        self.assertEqual(len(line.splitlines()), 1)
        for word in ("prefix64: ", *words):
            self.assertIn(word, line)
        self.assertUndone()

    def test_theStateDirectoryCannotBeMade(self) -> None:
        """
        Before anything is opened.
        """
        self.state += "\n"
        with open(self.state, "w"):
            pass
        for path in (self.state, os.path.join(self.state, "inner")):
            self.assertFails(f"--state {path!r}: ", stateDirectory=path)
        self.assertEqual(self.notes, [])

    def test_theInterfaceIsServedAlready(self) -> None:
        """
        The other instance keeps its lock and all it has.
        """
        other = MemoryLock("eth0")
        service = self.made()
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertIn("is served already", str(error.code))
        self.assertEqual((MemoryLock.held, self.notes), ({"eth0": other}, ["lock"]))

    def test_theInterfaceIsGone(self) -> None:
        """
        Between the check of the options and the start.
        """
        del self.kernel.links[1]
        self.assertFails("interface 'eth0' does not exist")

    def test_theKernelRefusesARoute(self) -> None:
        """
        Any of them, or the rule.
        """
        for point in range(4):
            self.kernel.refusals.extend([*[None] * point, RoutingError("route: refused")])
            self.assertFails("route: refused")

    def test_aPrivilegeIsMissing(self) -> None:
        """
        In what each child opens.
        """
        for name in ("kernel", "monitor", "guard", "link", "listen"):
            self.failures = {name: PrivilegeError(f"{name} needs CAP_NET_ADMIN")}
            self.assertFails(f"{name} needs CAP_NET_ADMIN")

    def test_aMissingPrivilegeOfTheGuardIsNotLeftToTheKernel(self) -> None:
        """
        It is there, and we may not: that is no kernel without nf_tables.
        """
        self.guardRefusal = PrivilegeError("nf_tables needs CAP_NET_ADMIN")
        self.assertFails("nf_tables needs CAP_NET_ADMIN")

    def test_aPortIsInUse(self) -> None:
        """
        The last thing that is opened: all before it is undone, in reverse.
        """
        self.failures = {"listen": ListenError("port 80 is in use")}
        self.assertFails("port 80 is in use")
        self.assertEqual(
            self.notes[6:],
            ["link closed", "guard closed", "monitor closed", "kernel closed", "lock closed"],
        )

    def test_theSecondPortIsInUse(self) -> None:
        """
        The first one is closed.
        """

        def refuse(*arguments: Any, **named: Any) -> None:
            raise CannotListenError("", 81, OSError(98, "Address already in use"))

        self.patch(Reactor, "listenTCP", refuse)
        self.assertFails("--http 'tcp:81': ", "Address already in use", http=(80, "tcp:81"))
        self.assertIn("port closed", self.notes)

    def test_aPortIsHadBeforeAnEndpointIs(self) -> None:
        """
        In whatever order they were given: an endpoint may leave a file behind.
        """
        self.failures = {"listen": ListenError("port 80 is in use")}
        self.assertFails("port 80 is in use", http=("unix:/nowhere/prefix64", "tcp:81", 80))
        self.assertEqual((self.reactor.unixServers, self.reactor.tcpServers), ([], []))

    def test_theAccessLogCannotBeOpened(self) -> None:
        """
        Before a port is opened.
        """
        self.assertFails("--access-log '/nowhere/access.log'", accessLog="/nowhere/access.log")
        self.assertNotIn("listen", self.notes)

    def test_aMistakeOfOursIsUndoneTooAndIsNotHidden(self) -> None:
        """
        Any other exception goes on, with its traceback.
        """
        mistake = ValueError("ours")
        self.failures = {"link": mistake}
        error = self.assertRaises(ValueError, self.made().privilegedStartService)
        self.assertIs(error, mistake)
        self.assertUndone()

    def test_inTheForegroundThePidFileIsRemoved(self) -> None:
        """
        twistd does not, when it ends by SystemExit. That it is gone already is no error.
        """
        pidFile = self.mktemp()
        with open(pidFile, "w"):
            pass
        self.failures = {"listen": ListenError("port 80 is in use")}
        for _ in range(2):
            self.assertFails("port 80 is in use", launch=Launch(pidFile=pidFile))
            self.assertFalse(os.path.exists(pidFile))

    def test_inTheForegroundTheLineIsNotLoggedToTheSameTerminal(self) -> None:
        """
        It is logged where the log goes elsewhere.
        """
        self.failures = {"listen": ListenError("port 80 is in use")}
        self.assertFails("port 80 is in use")
        self.assertEqual(self.lines(LogLevel.error), [])
        self.assertFails("port 80 is in use", launch=Launch(logsToTerminal=False))
        self.assertEqual(self.lines(LogLevel.error), ["port 80 is in use"])

    def test_inTheDaemonItIsAnExceptionThatFitsThePipe(self) -> None:
        """
        A SystemExit would leave the waiting parent hanging. twistd passes 100 bytes up, with the
        class; the log has all of it; the pid file is twistd's to remove.
        """
        pidFile = self.mktemp()
        with open(pidFile, "w"):
            pass
        for text in ("port 80 is in use", "x" * 300):
            self.failures = {"listen": ListenError(text)}
            service = self.made(launch=Launch(True, False, pidFile))
            error = self.assertRaises(RuntimeError, service.privilegedStartService)
            self.assertLessEqual(len(f"RuntimeError: {error}"), 100)
            self.assertTrue(text.startswith(str(error).removesuffix("...")))
            self.assertEqual(self.lines(LogLevel.error)[-1], text)
            self.assertUndone()
        self.assertTrue(os.path.exists(pidFile))

    def test_aChildThatThenFailsToStopDoesNotKeepTheRest(self) -> None:
        """
        The line is still the one of the first failure; the other is logged with its traceback.
        """
        self.failures = {"listen": ListenError("port 80 is in use")}

        def fail() -> None:
            raise OSError("the guard stays")

        self.patch(MemoryGuard, "close", lambda guard: fail())
        error = self.assertRaises(SystemExit, self.made().privilegedStartService)
        self.assertEqual(error.code, "prefix64: port 80 is in use")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.guard = None
        self.assertUndone()

    def test_afterAFailedStartAnotherOneSucceeds(self) -> None:
        """
        Nothing was left that stands in its way.
        """
        self.failures = {"listen": ListenError("port 80 is in use")}
        self.assertFails("port 80 is in use")
        self.failures = {}
        self.started()
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})


class InterruptedStartTests(World):
    """
    A signal that would end the process comes while it starts.
    """

    def setUp(self) -> None:
        super().setUp()
        for number in ENDING:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, self.unexpected)

    def unexpected(self, number: int, frame: object) -> None:
        raise AssertionError("the handler of before was called")

    def assertInterrupted(self, number: int, name: str) -> None:
        """
        The start ends with one line, everything is undone, and the handlers are what they were.
        """
        del self.notes[:]
        error = self.assertRaises(SystemExit, self.made().privilegedStartService)
        came = f"prefix64: {signal.Signals(number).name} came during the start"
        self.assertEqual(error.code, came, name)
        self.assertUndone()
        for each in ENDING:
            self.assertEqual(signal.getsignal(each), self.unexpected)

    def test_whateverIsBeingOpenedEverythingIsUndone(self) -> None:
        """
        In each child.
        """
        for number in ENDING:
            for name in ("lock", "kernel", "monitor", "guard", "link", "listen"):
                self.failures = {name: Signal(number)}
                self.assertInterrupted(number, name)
                self.assertEqual(self.notes[-1], "lock" if name == "lock" else "lock closed")

    def test_whateverIsBeingAddedToTheKernelEverythingIsUndone(self) -> None:
        """
        The rule and each route: also one that the kernel has just taken.
        """
        for add, most in (("addRule", 1), ("addRoute", 3)):
            for point in range(1, most + 1):
                real = getattr(self.kernel, add)
                added: list[Any] = []

                def interrupt(what: Any, real: Any = real, added: list[Any] = added) -> None:
                    real(what)
                    added.append(what)
                    if len(added) == point:  # noqa: B023  called in this round only
                        os.kill(os.getpid(), signal.SIGTERM)

                patched = self.patch(self.kernel, add, interrupt)
                self.assertInterrupted(signal.SIGTERM, f"{add} {point}")
                self.assertEqual(len(added), point)
                patched.restore()

    def test_inTheDaemonTheWaitingParentIsTold(self) -> None:
        """
        As of every failed start.
        """
        self.failures = {"link": Signal(signal.SIGTERM)}
        service = self.made(launch=Launch(daemonized=True, logsToTerminal=False))
        error = self.assertRaises(RuntimeError, service.privilegedStartService)
        self.assertEqual(str(error), "SIGTERM came during the start")
        self.assertEqual(self.lines(LogLevel.error), ["SIGTERM came during the start"])
        self.assertUndone()

    def test_afterTheStartTheSignalsAreTheReactors(self) -> None:
        """
        They are what they were.
        """
        self.started()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(signal.getsignal(number), self.unexpected)


class HangupTests(World):
    """
    The end of the terminal, when everything runs.
    """

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.stops = 0
        self.patch(Reactor, "stop", self.stop)

    def stop(self) -> None:
        self.stops += 1

    def test_inTheForegroundItIsTheEnd(self) -> None:
        """
        As with SIGTERM; afterwards the signal is what it was.
        """
        service = self.started()
        os.kill(os.getpid(), signal.SIGHUP)
        self.reactor.advance(0)
        self.assertEqual((self.stops, self.lines()[-1]), (1, "SIGHUP: the terminal is gone"))
        self.successResultOf(service.stopService())
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)

    def test_aSecondOneChangesNothing(self) -> None:
        """
        Neither in the same turn of the reactor, nor while everything is being undone.
        """

        def stop(reactor: object) -> None:
            self.stops += 1
            if self.stops > 1:
                raise ReactorNotRunning

        self.patch(Reactor, "stop", stop)
        service = self.started()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        self.reactor.advance(0)
        self.assertEqual(self.stops, 2)
        self.kernel.close = lambda: os.kill(os.getpid(), signal.SIGHUP)  # type: ignore[method-assign]
        self.successResultOf(service.stopService())
        self.assertEqual(self.kernel.ourRules, set())

    def test_theDaemonGoesOn(self) -> None:
        """
        It has no terminal: who sends the signal wants something read anew.
        """
        self.started(launch=Launch(daemonized=True))
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            self.reactor.advance(0)
        self.assertEqual(self.stops, 0)
        self.assertEqual(self.lines()[-2:], ["SIGHUP: there is nothing to read anew"] * 2)

    def test_underNohupItIsIgnored(self) -> None:
        """
        As it was.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        service = self.started()
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)
        self.successResultOf(service.stopService())
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)


class EndpointTests(World):
    """
    An endpoint that cannot be listened on.
    """

    def test_itsDescriptionStaysInOneLine(self) -> None:
        """
        Whatever is in the description, the start ends with one line.
        """

        def refuse(*arguments: object, **named: object) -> None:
            raise CannotListenError("", 81, OSError(98, "Address already in use"))

        self.patch(Reactor, "listenTCP", refuse)
        service = self.made(http=("tcp:81:interface=a\nb",))
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertEqual(len(str(error.code).splitlines()), 1, error.code)


class StopTests(World):
    """
    The end.
    """

    def test_theEndIsTheStartInReverse(self) -> None:
        """
        The port closes first and the routes go last, so that answers in flight are still found.
        """
        service = self.started()
        del self.notes[:]
        self.successResultOf(service.stopService())
        self.assertEqual(
            self.notes,
            [
                "port closed",
                "link closed",
                "guard closed",
                "monitor closed",
                "kernel closed",
                "lock closed",
            ],
        )
        self.assertUndone()
        self.assertFalse(self.monitor.reading)

    def test_whatComesNextWaitsForThePort(self) -> None:
        """
        While it closes, addresses are answered for and are local.
        """
        service = self.started()
        closed = self.reactor.port.closed = Deferred()
        stopped = service.stopService()
        self.assertNoResult(stopped)
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})
        self.assertFalse(self.links[0].closed)
        closed.callback(None)
        self.successResultOf(stopped)
        self.assertUndone()

    def test_whatComesNextWaitsForRequestsInFlight(self) -> None:
        """
        An open connection that is idle is closed at once; the routes go when it is gone.
        """
        service = self.started()
        _, _, site = self.reactor.adoptedPorts[0]
        connection = site.buildProtocol(None)
        transport = StringTransport(IPv6Address("TCP", "2001:db8::cafe", 80))
        connection.makeConnection(transport)
        stopped = service.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(stopped)
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})
        connection.connectionLost(None)
        self.successResultOf(stopped)
        self.assertUndone()

    def test_whatComesNextWaitsForAnswersOnTheirWay(self) -> None:
        """
        What the kernel still delivers arrives only as long as the address is local.
        """
        service = self.started()
        self.delivering = 80
        stopped = service.stopService()
        self.reactor.advance(1)
        self.assertNoResult(stopped)
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})
        self.delivering = -1
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.assertUndone()

    def test_aVisitorWhoAcknowledgesNothingDoesNotKeepTheEnd(self) -> None:
        """
        Longer than a few seconds.
        """
        service = self.started()
        self.delivering = 80
        stopped = service.stopService()
        self.reactor.pump([0.1] * (int(END_TIMEOUT * 10) - 2))
        self.assertNoResult(stopped)
        self.reactor.pump([0.1] * 4)
        self.successResultOf(stopped)
        self.assertUndone()

    def test_theAccessLogIsClosedLast(self) -> None:
        """
        Requests that end during the stop are still logged.
        """
        path = os.path.abspath(self.mktemp())
        service = self.started(accessLog=path)
        _, _, site = self.reactor.adoptedPorts[0]
        closed = self.reactor.port.closed = Deferred()
        stopped = service.stopService()
        site._writeLine("late")
        closed.callback(None)
        self.successResultOf(stopped)
        with open(path) as file:
            self.assertEqual(file.read(), "late\n")
        self.assertRaises(ValueError, site._writeLine, "too late")

    def test_aDeletionThatIsRefusedIsLoggedAndTheRestIsUndone(self) -> None:
        """
        The process ends, whatever the kernel says.
        """
        service = self.started()
        self.kernel.refusals.append(RoutingError("busy"))
        self.successResultOf(service.stopService())
        self.assertEqual(self.lines(LogLevel.error), ["not undone: busy"])
        self.assertEqual(self.kernel.ourRules, set())
        self.assertEqual(self.kernel.ourRoutes, {Route(RouteKind.LOCAL, PREFIX)})
        self.assertEqual(MemoryLock.held, {})

    def test_aChildThatFailsToStopDoesNotKeepTheRest(self) -> None:
        """
        Whichever it is: it is logged with its name, and what can be undone is.
        """
        for failing, name, left in (
            (lambda: self.reactor.port, "stopListening", "web server"),
            (lambda: self.links[-1], "close", "icmpv6"),
            (lambda: self.guard, "close", "echo guard"),
        ):
            service = self.started()
            broken = self.patch(failing(), name, self.fail_)
            self.successResultOf(service.stopService())
            broken.restore()
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
            self.assertIn(f"{left} did not stop", self.lines(LogLevel.critical))
            self.assertEqual((self.kernel.ourRoutes, self.kernel.ourRules), (set(), set()))
            self.assertEqual((MemoryLock.held, self.monitor.reading), ({}, False))

    def fail_(self) -> None:
        raise OSError("it does not stop")

    def test_oneLineSaysWhatBecameOfTheFrames(self) -> None:
        """
        By verdict; what could not be sent, and what the kernel dropped. Nothing is said where no
        frames are read.
        """
        service = self.started()
        answer = (
            "frames: {}; replies not sent: {}; lost in a full queue: {}; signs of a conflict: {}"
        )
        self.successResultOf(service.stopService())
        self.assertEqual(self.lines()[-1], answer.format("none", "none", 0, 0))
        service = self.started()
        service.links[0].icmpv6.responder.counts[Verdict.ADVERTISED] = 10
        service.links[0].icmpv6.responder.counts[Verdict.HOP_LIMIT] = 2
        self.reactor.getReaders()[0].sendErrors.update(["ENOBUFS", "ENOBUFS", "ENETDOWN"])
        self.links[-1].dropped = 7
        self.successResultOf(service.stopService())
        self.assertEqual(
            self.lines()[-1],
            answer.format("advertised 10, hop_limit 2", "ENOBUFS 2, ENETDOWN 1", 7, 0),
        )
        self.successResultOf(self.started(interface="lo").stopService())
        self.assertEqual(len([line for line in self.lines() if "frames: " in line]), 2)

    def test_countersOutliveTheInterface(self) -> None:
        """
        One that was deleted and made again: what was counted before is not lost.
        """
        service = self.started()
        self.reactor.getReaders()[0].sendErrors.update(["ENETDOWN"])
        self.links[-1].dropped = 7
        self.kernel.links[1] = dataclasses.replace(self.kernel.links[1], index=9)
        self.events(linkEvent(index=9))
        self.assertEqual(len(self.links), 2)
        self.reactor.getReaders()[0].sendErrors.update(["ENETDOWN", "ENOBUFS"])
        self.links[-1].dropped = 5
        self.links[-1].deliver(solicitation("2001:db8::1"))
        self.successResultOf(service.stopService())
        line = self.lines()[-1]
        self.assertIn("replies not sent: ENETDOWN 2, ENOBUFS 1; lost in a full queue: 13;", line)

    def test_interfaceThatGoesDownBeforeItGoes(self) -> None:
        """
        The kernel unbinds the socket before it says that the interface is gone: nothing is opened
        in between, and one line says that it is gone.
        """
        service = self.started()
        self.links[-1].bound = False
        down = linkEvent()
        down["flags"] = 0
        self.events(down)
        self.assertEqual((len(self.links), self.links[-1].closed), (1, False))
        self.events(linkEvent("RTM_DELLINK"))
        self.assertTrue(self.links[-1].closed)
        self.events(addressEvent("2001:db8:9::1", index=7))
        self.assertEqual(len([line for line in self.lines() if "eth0 is gone" in line]), 1)
        self.successResultOf(service.stopService())

    def test_socketThatIsNoLongerBoundIsOpenedAnew(self) -> None:
        """
        Also if no event tells that the interface went: events may be lost.
        """
        self.started()
        self.links[-1].bound = False
        self.monitor.batchEnded(True)
        self.reactor.advance(REREAD_DELAY)
        self.assertEqual([link.closed for link in self.links], [True, False])

    def test_noDescriptorIsLeftWhenTheInterfaceComesBack(self) -> None:
        """
        It is tried again in a while, and nobody else who follows the host is kept from it.
        """
        service = self.started()
        self.kernel.links[1] = dataclasses.replace(self.kernel.links[1], index=9)
        self.failures["link"] = OSError(24, "Too many open files")
        self.events(linkEvent(index=9))
        self.assertEqual(
            self.lines(LogLevel.error),
            ["the host cannot be followed: Too many open files; trying again"],
        )
        self.assertEqual(self.reactor.getReaders(), [])
        del self.failures["link"]
        self.reactor.advance(REREAD_DELAY)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.assertIn("eth0 is back", self.lines())
        self.successResultOf(service.stopService())
        self.assertUndone()

    def test_countsAreSaidInWords(self) -> None:
        """
        In the order in which they are given.
        """
        self.assertEqual(countsInWords({}), "none")
        self.assertEqual(countsInWords({"b": 2, "a": 1}), "b 2, a 1")

    def test_afterAFullDiskTheEndIsComplete(self) -> None:
        """
        A log that cannot be written does not keep the routes.
        """
        if not os.path.exists(FULL):
            skipBecause(f"there is no {FULL}")
        service = self.started(accessLog=FULL)
        _, _, site = self.reactor.adoptedPorts[0]
        site._writeLine("x")
        self.successResultOf(service.stopService())
        self.assertUndone()


class OverlapTests(World):
    """
    No two instances that run serve the same address.
    """

    overlapping = ("2001:db8::/64", "2001:db8::/56", "2001:db8:0:0:1::/96")

    def left(self, text: str, *interfaces: str) -> RoutingPlan:
        """
        The plan of another instance, in the kernel.
        """
        ownership = Ownership((parsePrefix(text),))
        plans = [plan(ownership, name, False) for name in interfaces]
        for each in plans:
            self.kernel.ourRoutes.update(each.routes)
            self.kernel.ourRules.update(each.rules)
        return RoutingPlan(plans[0].routes, tuple(rule for each in plans for rule in each.rules))

    def assertRefused(self, text: str, on: str, *interfaces: str, **changed: Any) -> None:
        """
        The start ends with one line, and the other instance keeps its lock and all it has.
        """
        other = MemoryLock(on)
        theirs = self.left(text, *interfaces)
        error = self.assertRaises(SystemExit, self.made(**changed).privilegedStartService)
        self.assertEqual(
            error.code,
            f"prefix64: {text} is served on {on} already by another process: "
            "stop that first, or serve another prefix",
        )
        self.assertEqual(self.kernel.log, [])
        self.assertEqual(self.kernel.ourRoutes, set(theirs.routes))
        self.assertEqual(self.kernel.ourRules, set(theirs.rules))
        self.assertEqual(MemoryLock.held, {on: other})
        other.release()
        self.kernel.ourRoutes.clear()
        self.kernel.ourRules.clear()
        self.assertUndone()

    def test_anInstanceThatRunsKeepsItsPrefix(self) -> None:
        """
        The same one, one around ours, one inside ours; on an interface or on lo.
        """
        for text in self.overlapping:
            self.assertRefused(text, "eth1", "eth1")
            self.assertRefused(text, "eth1", "eth1", "lo")
            self.assertRefused(text, "lo", "lo")
            self.assertRefused(text, "eth1", "eth1", "lo", interface="lo")

    def test_ofSeveralPrefixesOneIsEnough(self) -> None:
        """
        Whichever it is.
        """
        prefixes = (parsePrefix("2001:db8:2::/64"), PREFIX)
        self.assertRefused("2001:db8::/64", "eth1", "eth1", prefixes=prefixes)

    def test_nothingIsOpenedThen(self) -> None:
        """
        No guard, no packet socket, no port.
        """
        self.assertRefused("2001:db8::/64", "eth1", "eth1")
        self.assertEqual(
            self.notes,
            ["lock", "kernel", "monitor", "monitor closed", "kernel closed", "lock closed"],
        )

    def test_whatAnInstanceThatCrashedLeftIsTakenOver(self) -> None:
        """
        Nobody holds the lock of its interface: what it left is ours, and goes at the end.
        """
        for text in self.overlapping:
            for interfaces in (("eth1",), ("eth1", "lo"), ("lo",), ("eth0", "eth1")):
                self.left(text, *interfaces)
                service = self.started()
                self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})
                ownership = service.tables.table.ownership
                self.assertEqual(self.kernel.ourRoutes, set(plan(ownership, "eth0", False).routes))
                self.successResultOf(service.stopService())
                self.assertUndone()

    def test_anInstanceWithAnotherPrefixIsNoMatter(self) -> None:
        """
        Both run, and what is the other's stays.
        """
        MemoryLock("eth1")
        theirs = self.left("2001:db8:2::/64", "eth1", "lo")
        service = self.started(local=True)
        self.assertTrue(set(theirs.rules) <= self.kernel.ourRules)
        self.successResultOf(service.stopService())
        self.assertEqual(self.kernel.ourRoutes, set(theirs.routes))
        self.assertEqual(self.kernel.ourRules, set(theirs.rules))


class LoopbackLeftoverTests(World):
    """
    What a crashed instance with C{--local} left.
    """

    def test_theLoRuleGoesWithTheRuleOfItsInterface(self) -> None:
        """
        Another instance that runs on lo, with another prefix, does not make it its own.
        """
        other = MemoryLock("lo")
        self.addCleanup(other.release)
        for interface in ("eth1", "lo"):
            self.kernel.ourRules.add(Rule(interface, PREFIX))
        self.started()
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX)})


class EventTests(World):
    """
    What the host has changes, and everybody follows.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service = self.started()
        self.kernel.log.clear()

    def owner(self, text: str) -> Owner:
        return self.service.tables.table.ownership.of(parseAddress(text))

    @property
    def generation(self) -> int:
        return self.service.tables.table.generation

    def test_anAddressOfTheHostComes(self) -> None:
        """
        The table has it, and the guard leaves its echo to the kernel. The kernel's own local table
        comes first: no route is needed.
        """
        before = self.generation
        self.events(addressEvent("2001:db8::5"))
        self.assertIs(self.owner("2001:db8::5"), Owner.INTERFACE)
        self.assertEqual(self.generation, before + 1)
        self.assertIn(parsePrefix("2001:db8::5"), self.guard.others)
        self.assertEqual(self.kernel.log, [])
        self.events(addressEvent("2001:db8::5", "RTM_DELADDR"))
        self.assertNotIn(parsePrefix("2001:db8::5"), self.guard.others)

    def test_aGatewayComes(self) -> None:
        """
        The table, the guard and the kernel's tables follow.
        """
        self.events(routeEvent("2001:db8::1"))
        self.assertIs(self.owner("2001:db8::1"), Owner.GATEWAY)
        self.assertIn(parsePrefix("2001:db8::1"), self.guard.others)
        self.assertEqual(self.kernel.log, ["add throw 2001:db8::1 table 64"])

    def test_whatDoesNotMatterChangesNothing(self) -> None:
        """
        The table keeps its generation: nobody looks anything up again.
        """
        before = self.generation
        self.events(routeEvent("2001:db8:1::1"), addressEvent("fe80::5", index=3))
        self.events(addressEvent("fe80::5", "RTM_DELADDR", 3))
        after = self.generation
        self.events()
        self.assertEqual(self.generation, after)
        self.assertLessEqual(after - before, 2)
        self.assertEqual(self.kernel.log, [])

    def test_aGatewayStaysOneThroughAFlapOfTheLink(self) -> None:
        """
        Its route goes and comes with the link: we do not answer for the router meanwhile, and
        nothing is read anew.
        """
        for _ in range(3):
            self.events(routeEvent("2001:db8::1"))
            self.events(routeEvent("2001:db8::1", event="RTM_DELROUTE"))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.events(lost=True)
        self.reactor.advance(REREAD_DELAY)
        self.assertIs(self.owner("2001:db8::1"), Owner.GATEWAY)
        self.assertEqual(self.kernel.log, ["add throw 2001:db8::1 table 64"])

    def test_whatTheHostRoutesElsewhereIsLeftToIt(self) -> None:
        """
        A container bridge inside the prefix: the table, the guard and the kernel's tables follow;
        when the route has gone, some time later, once, however often it flaps in that time.
        """
        part = "2001:db8::a000/116"
        self.events(routedEvent(part))
        self.assertIs(self.owner("2001:db8::a001"), Owner.ROUTED)
        self.assertIn(parsePrefix(part), self.guard.others)
        self.assertEqual(self.kernel.log, [f"add throw {part} table 64"])
        self.kernel.log.clear()
        for _ in range(3):
            self.events(routedEvent(part, event="RTM_DELROUTE"))
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.advance(REREAD_DELAY - 0.01)
        self.assertIs(self.owner("2001:db8::a001"), Owner.ROUTED)
        self.reactor.advance(0.01)
        self.assertIs(self.owner("2001:db8::a001"), Owner.OURS)
        self.assertNotIn(parsePrefix(part), self.guard.others)
        self.assertEqual(self.kernel.log, [f"delete throw {part} table 64"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_anEndWhileEverythingIsToBeReadIsClean(self) -> None:
        """
        The call is cancelled.
        """
        self.events(routedEvent("2001:db8::a000/116"))
        self.events(routedEvent("2001:db8::a000/116", event="RTM_DELROUTE"))
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.successResultOf(self.service.stopService())
        self.assertUndone()

    def test_afterLostEventsEverythingIsReadAnew(self) -> None:
        """
        What came and went unheard. In a while: a host that loses events has no time to be asked
        after each loss; but the events that are there count at once.
        """
        self.kernel.hostAddresses = {InterfaceAddress(ETH0, parseAddress("2001:db8::5"))}
        self.kernel.nextHops = {parseAddress("2001:db8::1")}
        self.kernel.interfaceRoutes = {InterfaceRoute(ETH1, parsePrefix("2001:db8::a000/116"))}
        for _ in range(3):
            self.events(addressEvent("2001:db8::6"), lost=True)
        self.assertIs(self.owner("2001:db8::6"), Owner.INTERFACE)
        self.assertIs(self.owner("2001:db8::5"), Owner.OURS)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.advance(REREAD_DELAY)
        self.assertEqual(
            [self.owner(f"2001:db8::{end}") for end in ("5", "6", "1", "a001")],
            [Owner.INTERFACE, Owner.OURS, Owner.GATEWAY, Owner.ROUTED],
        )
        self.assertIn(Route(RouteKind.THROW, parsePrefix("2001:db8::1")), self.kernel.ourRoutes)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_whatTheKernelRefusesIsLoggedAndTheTableFollowsAllTheSame(self) -> None:
        """
        An address that is no longer ours is not answered for, whatever becomes of its route.
        """
        self.kernel.refusals.append(RoutingError("no room"))
        self.events(routeEvent("2001:db8::1"))
        self.assertEqual(self.lines(LogLevel.error), ["no room; trying again"])
        self.assertIs(self.owner("2001:db8::1"), Owner.GATEWAY)
        self.assertIn(parsePrefix("2001:db8::1"), self.guard.others)

    def test_whatTheKernelRefusesIsTriedAgain(self) -> None:
        """
        After a while, until it is there; and then no more.
        """
        self.kernel.nextHops = {parseAddress("2001:db8::1")}
        self.kernel.refusals.extend([RoutingError("no room")] * 3)
        self.events(routeEvent("2001:db8::1"))
        for _ in range(3):
            self.assertEqual(self.kernel.log, [])
            self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
            self.reactor.advance(REREAD_DELAY)
        self.assertEqual(self.kernel.log, ["add throw 2001:db8::1 table 64"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_whatTheKernelRefusesIsTriedAgainWithTheNextEventToo(self) -> None:
        """
        Though that does not matter to us.
        """
        self.kernel.refusals.append(RoutingError("no room"))
        self.events(routeEvent("2001:db8::1"))
        self.events(routeEvent("2001:db8:1::1"))
        self.assertEqual(self.kernel.log, ["add throw 2001:db8::1 table 64"])

    def test_whatIsNoLongerWantedIsNotTriedAgain(self) -> None:
        """
        What the host has is read before it is.
        """
        self.kernel.refusals.append(RoutingError("no room"))
        self.events(routedEvent("2001:db8::a000/116"))
        self.reactor.advance(REREAD_DELAY)
        self.assertIs(self.owner("2001:db8::a001"), Owner.OURS)
        self.assertEqual((self.kernel.log, self.reactor.getDelayedCalls()), ([], []))

    def test_theSameRefusalIsLoggedOnce(self) -> None:
        """
        Another one is logged too; and so is the same one after a success.
        """
        self.kernel.nextHops = {parseAddress("2001:db8::1")}
        texts = ("no room", "no room", "busy", "busy", "busy", "no room")
        self.kernel.refusals.extend(map(RoutingError, texts))
        self.events(routeEvent("2001:db8::1"))
        self.reactor.pump([REREAD_DELAY] * len(texts))
        self.assertEqual(self.kernel.log, ["add throw 2001:db8::1 table 64"])
        self.kernel.refusals.append(RoutingError("no room"))
        self.events(routeEvent("2001:db8::2"))
        self.assertEqual(
            self.lines(LogLevel.error),
            [f"{text}; trying again" for text in ("no room", "busy", "no room", "no room")],
        )

    def test_whatSomebodyDeletedIsPutBack(self) -> None:
        """
        Some time later, once for all of it, and it is said.
        """
        hole = Route(RouteKind.THROW, Prefix(PREFIX.network, 128))
        before = set(self.kernel.ourRoutes), set(self.kernel.ourRules)
        self.kernel.ourRoutes.discard(hole)
        self.kernel.ourRules.clear()
        self.events(deletionEvent(hole))
        self.events(deletionEvent(Rule("eth0", PREFIX)))
        self.assertEqual((self.kernel.log, len(self.reactor.getDelayedCalls())), ([], 1))
        self.reactor.advance(REREAD_DELAY)
        self.assertEqual((self.kernel.ourRoutes, self.kernel.ourRules), before)
        self.assertEqual(
            self.lines(LogLevel.warn),
            [
                "somebody deleted iif eth0 to 2001:db8::/64 lookup 64 and "
                "throw 2001:db8:: table 64: putting it back"
            ],
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_whatWeDeletedOurselvesIsNotMissed(self) -> None:
        """
        The kernel tells us of it too.
        """
        self.events(routeEvent("2001:db8::1"))
        self.events(deletionEvent(Route(RouteKind.THROW, parsePrefix("2001:db8::1"))))
        self.events(lost=True)
        self.kernel.log.clear()
        self.reactor.advance(REREAD_DELAY)
        self.assertEqual((self.kernel.log, self.lines(LogLevel.warn)), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_whatCannotBeReadIsReadAgain(self) -> None:
        """
        Until the kernel answers; meanwhile everybody goes on with what was known.
        """

        def refuse() -> None:
            raise RoutingError("the kernel's tables cannot be read")

        self.kernel.hostAddresses = {InterfaceAddress(ETH0, parseAddress("2001:db8::5"))}
        hidden = self.patch(self.kernel, "addresses", refuse)
        self.events(lost=True)
        self.reactor.pump([REREAD_DELAY] * 3)
        self.assertEqual(
            self.lines(LogLevel.error), ["the kernel's tables cannot be read; trying again"]
        )
        self.assertIs(self.owner("2001:db8::5"), Owner.OURS)
        hidden.restore()
        self.reactor.advance(REREAD_DELAY)
        self.assertIs(self.owner("2001:db8::5"), Owner.INTERFACE)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_anEndWhileARefusalIsToBeTriedAgainIsClean(self) -> None:
        """
        The call is cancelled, and what is there is taken out.
        """
        self.kernel.refusals.append(RoutingError("no room"))
        self.events(routeEvent("2001:db8::1"))
        self.successResultOf(self.service.stopService())
        self.assertUndone()

    def test_aGuardThatDoesNotFollowIsTriedAgain(self) -> None:
        """
        Until nf_tables takes it; the rest goes on, and it is said once.
        """

        def refuse(others: object) -> None:
            raise GuardError("nf_tables: no room")

        own = parsePrefix("2001:db8::5")
        self.kernel.hostAddresses = {InterfaceAddress(ETH0, own.network)}
        broken = self.patch(self.guard, "update", refuse)
        self.events(addressEvent("2001:db8::5"))
        self.reactor.pump([REREAD_DELAY] * 3)
        self.assertEqual(self.lines(LogLevel.error), ["nf_tables: no room; trying again"])
        self.assertIs(self.owner("2001:db8::5"), Owner.INTERFACE)
        self.assertNotIn(own, self.guard.others)
        broken.restore()
        self.reactor.advance(REREAD_DELAY)
        self.assertIn(own, self.guard.others)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_theGuardIsToldOnlyWhatIsNew(self) -> None:
        """
        An event that does not change what it spares costs no transaction of nf_tables.
        """
        updates: list[object] = []
        self.patch(self.guard, "update", updates.append)
        self.events(linkEvent())
        self.events(addressEvent("2001:db8:1::1"), addressEvent("fe80::5"))
        self.events(linkEvent(index=9))
        self.assertEqual(updates, [])
        self.events(addressEvent("2001:db8::5"))
        self.events(addressEvent("2001:db8::5", index=ETH1))
        self.assertEqual(len(updates), 1)

    def test_anInterfaceThatWasMadeAnewGetsANewPacketSocket(self) -> None:
        """
        The old one is deaf without any error; it is closed when the interface goes.
        """
        self.events(linkEvent("RTM_DELLINK"))
        self.assertTrue(self.links[0].closed)
        self.assertEqual(self.reactor.getReaders(), [])
        (warning,) = self.lines(LogLevel.warn)
        self.assertIn("eth0 is gone: nothing is answered until it is back", warning)
        self.kernel.links[1] = Link("eth0", 9, 1, b"\x02\0\0\0\0\x09", True)
        self.events(linkEvent(index=9))
        self.assertEqual([link.closed for link in self.links], [True, False])
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.assertEqual(self.reactor.getReaders()[0]._link, self.links[1])

    def test_anInterfaceThatWasRenamedIsNotAnsweredOn(self) -> None:
        """
        Until it has its name again: no rule makes the prefix local under the other.
        """
        self.events(linkEvent(name="wan"))
        self.assertEqual(
            ([link.closed for link in self.links], len(self.lines(LogLevel.warn))), ([True], 1)
        )
        self.events(linkEvent(name="lan"))
        self.assertEqual(len(self.lines(LogLevel.warn)), 1)
        self.events(linkEvent())
        self.assertEqual([link.closed for link in self.links], [True, False])
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.assertEqual(self.lines()[-1], "eth0 is back")

    def test_anInterfaceThatOnlyWentDownKeepsItsPacketSocket(self) -> None:
        """
        It follows the index.
        """
        self.events(linkEvent())
        self.assertEqual(len(self.links), 1)

    def test_aPacketSocketThatCannotBeOpenedAgainIsLogged(self) -> None:
        """
        The interface may be gone again: the rest goes on, and so does the end.
        """
        self.failures = {"link": Prefix64Error("no packet socket")}
        self.events(linkEvent(index=9))
        self.assertEqual(self.lines(LogLevel.error), ["no packet socket; trying again"])
        self.assertEqual(self.reactor.getReaders(), [])
        self.successResultOf(self.service.stopService())
        self.assertUndone()


class ReopenTests(World):
    """
    An interface that came back, and a packet socket that cannot be opened on it.
    """

    def test_itIsTriedAgainWithTheNextChange(self) -> None:
        """
        A failed attempt does not count as done.
        """
        self.started()
        self.failures = {"link": Prefix64Error("no packet socket")}
        self.events(linkEvent(index=9))
        self.failures = {}
        self.events(addressEvent("2001:db8::5", index=9))
        self.assertEqual(len(self.reactor.getReaders()), 1)

    def test_itIsTriedAgainInAWhile(self) -> None:
        """
        Though nothing changes any more; and then it is said that it is back.
        """
        self.started()
        self.failures = {"link": Prefix64Error("no packet socket")}
        self.kernel.links[1] = Link("eth0", 9, 1, b"\x02\0\0\0\0\x09", True)
        self.events(linkEvent(index=9))
        self.reactor.pump([REREAD_DELAY] * 3)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.lines(LogLevel.error), ["no packet socket; trying again"])
        self.failures = {}
        self.reactor.advance(REREAD_DELAY)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.assertEqual(self.lines()[-1], "eth0 is back")
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class LocalEventTests(World):
    """
    Where this host reaches the prefix itself.
    """

    def test_aNeighborIsLeftOutOfThePrefix(self) -> None:
        """
        For the host to reach it; but not for an address that has a site.
        """
        host = Host(parsePrefix("2001:db8::8"), StaticSite("/"))
        service = self.started(local=True, sites=SitesDirectory((host,)))
        self.events(neighborEvent("2001:db8::7"), neighborEvent("2001:db8::8"))
        self.reactor.advance(NEIGHBOR_DELAY)
        ownership = service.tables.table.ownership
        self.assertIs(ownership.of(parseAddress("2001:db8::7")), Owner.NEIGHBOR)
        self.assertIs(ownership.of(parseAddress("2001:db8::8")), Owner.OURS)
        self.assertIn(Route(RouteKind.THROW, parsePrefix("2001:db8::7")), self.kernel.ourRoutes)

    def test_neighborsAreGathered(self) -> None:
        """
        With C{--local} each that comes has a route; however many come at once, they are brought to
        the kernel together, and nothing is left to be done at the end.
        """
        service = self.started(local=True)
        log = len(self.kernel.log)
        for number in range(1, 6):
            self.events(neighborEvent(f"2001:db8::{number:x}"))
        self.assertEqual(len(self.kernel.log), log)
        self.reactor.advance(NEIGHBOR_DELAY)
        self.assertEqual(len(self.kernel.log), log + 5)
        self.reactor.advance(10 * NEIGHBOR_DELAY)
        self.assertEqual(len(self.kernel.log), log + 5)
        self.events(neighborEvent("2001:db8::77"))
        self.successResultOf(service.stopService())
        self.assertUndone()


class FrameTests(World):
    """
    Frames that come in, answered as the settings say.
    """

    listed = "2001:db8::cafe"

    def setUp(self) -> None:
        super().setUp()
        host = Host(parsePrefix(f"{self.listed}/128"), StaticSite("/"))
        self.sites = SitesDirectory((host,))

    def deliver(self, *frames: bytes, packetType: int = 2) -> int:
        """
        Have frames come in.

        @return: how many were answered.
        """
        link, (port,) = self.links[-1], self.reactor.getReaders()
        before = len(link.sent)
        for frame in frames:
            link.deliver(frame, packetType)
        port.doRead()
        return len(link.sent) - before

    def test_everyAddressIsAnsweredFor(self) -> None:
        """
        Without options, as often as it is asked for.
        """
        self.started(sites=self.sites)
        self.assertEqual(self.deliver(*[solicitation("2001:db8::1")] * 100), 100)
        self.assertEqual(self.deliver(solicitation(self.listed)), 1)

    def test_respondHosts(self) -> None:
        """
        Only for addresses with a host rule, by solicitation, probe and ping.
        """
        service = self.started(sites=self.sites, respond=RespondPolicy.HOSTS, dad=DadPolicy.DEFEND)
        for address, count in (("2001:db8::1", 0), (self.listed, 3)):
            frames = solicitation(address), probe(address), echoRequest(address)
            self.assertEqual(sum(self.deliver(f, packetType=0) for f in frames), count, address)
        self.assertEqual(service.links[0].icmpv6.responder.counts[Verdict.UNLISTED], 3)

    def test_rates(self) -> None:
        """
        Answers in all, and to each link-layer address; what is over a limit is counted.
        """
        service = self.started(rate=10, sourceRate=6)
        one = [solicitation(f"2001:db8::{number:x}") for number in range(1, 21)]
        other = [echoRequest("2001:db8::1", linkSource="02:00:00:00:00:77")] * 20
        self.assertEqual(self.deliver(*one), 6)
        self.assertEqual(self.deliver(*other, packetType=0), 4)
        counts = service.links[0].icmpv6.responder.counts
        self.assertEqual((counts[Verdict.SOURCE_RATE], counts[Verdict.RATE]), (14, 16))
        self.reactor.advance(1)
        self.assertEqual(self.deliver(*one), 6)

    def test_traceHasALineForEach(self) -> None:
        """
        And frames are answered all the same.
        """
        self.started(trace=True)
        self.assertEqual(self.deliver(solicitation("2001:db8::1"), solicitation("2001:db9::1")), 1)
        self.assertEqual(sum("neighbor" in line for line in self.lines()), 3)

    def test_conflictsAreSaidOnceForEachAddress(self) -> None:
        """
        Of a listed address, which is kept; of another one, which is left; and of no more than a
        bounded number.
        """
        service = self.started(sites=self.sites)
        for _ in range(3):
            self.deliver(*map(advertisement, (self.listed, "2001:db8::77")))
        self.assertEqual(
            self.lines(LogLevel.warn),
            [
                f"conflict: {ROUTER_LINK} uses {self.listed} too, which has a site of its own: "
                "it is answered for all the same (--yield would not)",
                f"conflict: {ROUTER_LINK} uses 2001:db8::77 too: it is left to that machine, "
                "for a day after its last sign of life",
            ],
        )
        self.assertEqual(self.deliver(*map(solicitation, (self.listed, "2001:db8::77"))), 1)
        for number in range(2 * MOST_CONFLICTS):
            self.deliver(advertisement(f"2001:db8::1:{number:x}"))
        lines = self.lines(LogLevel.warn)
        self.assertEqual(len(lines), MOST_CONFLICTS + 1)
        self.assertEqual(lines[-1], "of further conflicts nothing is said; they are counted")
        self.assertEqual(
            service.links[0].icmpv6.responder.neighbor.conflicts, 4 + 2 * MOST_CONFLICTS
        )

    def test_yield(self) -> None:
        """
        A listed address is left to another machine that advertises it.
        """
        self.started(sites=self.sites, yields=True)
        self.assertEqual(self.deliver(solicitation(self.listed)), 1)
        self.deliver(advertisement(self.listed))
        self.assertIn("it is left to that machine", self.lines(LogLevel.warn)[0])
        self.assertEqual(self.deliver(solicitation(self.listed), probe(self.listed)), 0)
