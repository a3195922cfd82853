"""
One process on two interfaces, on fakes: what is the one's and what is the other's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import LogLevel

from prefix64.addressing import Prefix, parsePrefix
from prefix64.errors import GuardError, InterfaceError, ListenError, RoutingError
from prefix64.icmpv6.policies import DadPolicy
from prefix64.kernel.messages import InterfaceAddress, Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.option_text import Origin
from prefix64.ownership import Owner
from prefix64.routing.entries import GuardKind, Numbers, Route, RouteKind, Rule, Steering, Way
from prefix64.services.link import LinkService
from prefix64.services.prefix64 import Prefix64Service
from prefix64.settings import EchoMode, LinkSettings, Settings
from prefix64.testing import MemoryGuard, MemoryLink, MemoryLock, MemoryMonitor
from tests.frames import probe, solicitation
from tests.test_host_state import addressEvent, linkEvent
from tests.test_services import World

FIRST, SECOND = parsePrefix("2001:db8::/64"), parsePrefix("2001:db8:1::/64")
ETH0, ETH1 = 2, 3


class TwoLinks(World):
    """
    Everything outside, in memory, with eth0 and eth1.
    """

    def setUp(self) -> None:
        super().setUp()
        self.kernel.links.append(Link("eth1", ETH1, ETHERNET, b"\x02\0\0\0\0\x02", True))
        self.monitors: list[MemoryMonitor] = []
        self.guards: list[MemoryGuard] = []
        self.sockets: dict[str, MemoryLink] = {}

    def makeMonitor(self, *arguments: Any) -> MemoryMonitor:
        self.monitors.append(super().makeMonitor(*arguments))
        return self.monitors[-1]

    def makeGuard(self, kind: GuardKind) -> MemoryGuard:
        self.guards.append(super().makeGuard(kind))
        return self.guards[-1]

    def makeLink(self, name: str, program: bytes) -> MemoryLink:
        self.sockets[name] = super().makeLink(name, program)
        return self.sockets[name]

    def two(
        self, first: dict[str, Any] | None = None, second: dict[str, Any] | None = None
    ) -> Prefix64Service:
        """
        The service.

        @param first: what is otherwise on eth0.
        @param second: the same for eth1.
        """
        links = (
            LinkSettings(**{"interface": "eth0", "prefixes": (FIRST,), **(first or {})}),
            LinkSettings(**{"interface": "eth1", "prefixes": (SECOND,), **(second or {})}),
        )
        settings = Settings(links, stateDirectory=self.state)
        return Prefix64Service(settings, self.reactor, self.makeEdges())

    def running(self, *changed: dict[str, Any]) -> Prefix64Service:
        """
        The service, started.
        """
        service = self.two(*changed)
        service.privilegedStartService()
        service.startService()
        return service

    def everyMonitor(self, *messages: Any) -> None:
        """
        Have events come; each interface hears of all.
        """
        for monitor in self.monitors:
            for message in messages:
                monitor.messageReceived(message)
            monitor.batchEnded(False)

    def asked(self, name: str, address: str, ask: Callable[[str], bytes] = solicitation) -> int:
        """
        Solicit for an address on an interface.

        @return: how many answers were sent there.
        """
        link = self.sockets[name]
        before = len(link.sent)
        link.deliver(ask(address), 2)
        for reader in self.reactor.getReaders():
            reader.doRead()
        return len(link.sent) - before


class TwoLinksTests(TwoLinks):
    """
    Both run.
    """

    def test_nothingIsChangedBeforeBothAreLookedAt(self) -> None:
        """
        First both locks and both looks, then each in turn, HTTP last.
        """
        self.two().privilegedStartService()
        looked, begun = ["lock", "kernel", "monitor", "guard"], ["link", "link", "listen"]
        self.assertEqual(self.notes, [*looked, *looked, *begun])
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", FIRST), Rule("eth1", SECOND)})
        self.assertEqual([guard.interface for guard in self.guards], ["eth0", "eth1"])
        self.assertEqual([guard.prefixes for guard in self.guards], [[FIRST], [SECOND]])
        for prefix in (FIRST, SECOND):
            self.assertIn(Route(RouteKind.LOCAL, prefix), self.kernel.ourRoutes)

    def test_theEndIsInReverse(self) -> None:
        """
        HTTP, then the second interface, then the first; and nothing is left.
        """
        service = self.running()
        ended: list[str] = []
        for link in service.links:
            stop = link.stopService

            def stopped(link: LinkService = link, stop: Any = stop) -> Any:
                ended.append(link.name)
                return stop()

            link.stopService = stopped  # type: ignore[method-assign]
        self.successResultOf(service.stopService())
        self.assertEqual(ended, ["eth1", "eth0"])
        self.assertUndone()
        self.assertEqual([guard.interface for guard in self.guards], [None, None])

    def test_oneLineSaysWhatIsServed(self) -> None:
        """
        What is true of both is said once, with both names.
        """
        self.running({"local": True}, {"echo": EchoMode.KERNEL})
        (line,) = self.lines()
        self.assertIn(
            "serving every address of 2001:db8::/64 on eth0 and 2001:db8:1::/64 on eth1; ping "
            "answered by the protocol (eth0); reachable from this host, which then reaches no "
            "other machine inside the prefix but excluded ones, gateways and known neighbors "
            "(eth0); ping answered by the kernel (eth1). Try http://[2001:db8::cafe]/",
            line,
        )

    def test_eachAnswersForItsOwnPrefix(self) -> None:
        """
        On its own link; what the frames became is said of each.
        """
        service = self.running()
        self.assertEqual(self.asked("eth0", "2001:db8::cafe"), 1)
        self.assertEqual(self.asked("eth1", "2001:db8:1::cafe"), 1)
        self.assertEqual(self.asked("eth0", "2001:db8:1::cafe"), 0)
        self.assertEqual(self.asked("eth1", "2001:db8::cafe"), 0)
        self.successResultOf(service.stopService())
        for name in ("eth0", "eth1"):
            self.assertTrue(any(f"{name} frames: advertised 1" in one for one in self.lines()))

    def test_theTraceNamesTheInterface(self) -> None:
        """
        Of each packet.
        """
        self.running({"trace": True}, {"trace": True})
        self.asked("eth1", "2001:db8:1::cafe")
        lines = [line for line in self.lines() if "neighbor" in line]
        self.assertEqual([line.partition(" ")[0] for line in lines], ["eth1", "eth1"])

    def test_anAddressOfTheHostIsItsOwnForBoth(self) -> None:
        """
        One of the first prefix that comes on the second interface is known to the table of HTTP, of
        the first, and to its guard; to the second it is outside of its prefix.
        """
        service = self.running()
        own = FIRST.network + 0xB
        self.kernel.hostAddresses = {InterfaceAddress(ETH1, own)}
        self.everyMonitor(addressEvent("2001:db8::b", index=ETH1))
        first, second = (link.tables.table.ownership for link in service.links)
        self.assertEqual((first.of(own), second.of(own)), (Owner.HOST, Owner.OUTSIDE))
        self.assertIn(service.tables.table.ownership.of(own), (Owner.HOST, Owner.INTERFACE))
        self.assertIn(Prefix(own, 128), self.guards[0].others)
        self.assertNotIn(Prefix(own, 128), self.guards[1].others)

    def test_oneGoesAndComesBackWhileTheOtherGoesOn(self) -> None:
        """
        Only its own socket is closed and opened anew.
        """
        self.running()
        first, second = self.sockets["eth0"], self.sockets["eth1"]
        gone = self.kernel.links.pop()
        self.everyMonitor(linkEvent("RTM_DELLINK", "eth1", ETH1))
        self.assertEqual((first.closed, second.closed), (False, True))
        self.assertEqual(self.asked("eth0", "2001:db8::1"), 1)
        self.assertEqual(
            self.lines(LogLevel.warn), ["eth1 is gone: nothing is answered until it is back"]
        )
        self.kernel.links.append(gone)
        self.everyMonitor(linkEvent(name="eth1", index=ETH1))
        self.assertIsNot(self.sockets["eth1"], second)
        self.assertIs(self.sockets["eth0"], first)
        self.assertEqual(self.asked("eth1", "2001:db8:1::1"), 1)

    def test_eachHasItsOwnChoices(self) -> None:
        """
        Here a probe gets a defence, there it does not.
        """
        self.running({"dad": DadPolicy.DEFEND}, {"dad": DadPolicy.IGNORE})
        self.assertEqual(self.asked("eth0", "2001:db8::cafe", probe), 1)
        self.assertEqual(self.asked("eth1", "2001:db8:1::cafe", probe), 0)

    def test_whatAnEarlierRunLeftOfBothIsNoSecondInstance(self) -> None:
        """
        Also if the prefixes have changed places, and if one has another table.
        """
        left = {Rule("eth0", SECOND), Rule("eth1", FIRST)}
        self.kernel.ourRules = set(left)
        service = self.running()
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", FIRST), Rule("eth1", SECOND)})
        self.successResultOf(service.stopService())
        steering = Steering(Way.FWMARK, (), Numbers(table=65))
        service = self.running({}, {"steering": steering})
        rules = set(self.kernel.ourRules)
        self.assertEqual(len(rules), 2)
        MemoryLock.held.clear()  # as after a SIGKILL
        service = self.running({}, {"steering": steering})
        self.assertEqual(self.kernel.ourRules, rules)
        self.successResultOf(service.stopService())
        self.assertEqual(self.kernel.ourRules, set())


class FailedStartTests(TwoLinks):
    """
    What fails on one interface leaves nothing of either.
    """

    def fails(self, *changed: dict[str, Any]) -> str:
        """
        Start, and fail.

        @return: the line.
        """
        error = self.assertRaises(SystemExit, self.two(*changed).privilegedStartService)
        self.assertUndone()
        self.assertEqual([guard.interface for guard in self.guards], [None] * len(self.guards))
        return str(error.code)

    def test_theSecondIsServedAlready(self) -> None:
        """
        By another process.
        """
        MemoryLock("eth1")
        error = self.assertRaises(SystemExit, self.two().privilegedStartService)
        self.assertIn("interface 'eth1' is served already by another process", str(error.code))
        self.assertEqual(set(MemoryLock.held), {"eth1"})
        self.assertEqual(self.kernel.log, [])

    def test_theSecondIsMissing(self) -> None:
        """
        It went between the look of the options and this one.
        """
        self.kernel.links.pop()
        self.assertIn("interface 'eth1' does not exist", self.fails())
        self.assertEqual(self.kernel.log, [])

    def test_theKernelRefusesTheSecond(self) -> None:
        """
        When the first has all of its rules and routes.
        """
        service = self.running()
        added = sum(1 for line in self.kernel.log if "add" in line) // 2
        self.successResultOf(service.stopService())
        self.kernel.log.clear()
        self.kernel.refusals.extend([*[None] * added, RoutingError("no room")])
        self.assertIn("no room", self.fails())
        self.assertGreater(len(self.kernel.log), 0)

    def test_theSocketOfEitherCannotBeHad(self) -> None:
        """
        Or HTTP's.
        """
        for name, failure in (
            ("link", InterfaceError("no socket")),
            ("listen", ListenError("no port")),
            ("guard", GuardError("no guard")),
        ):
            self.failures = {name: failure}
            self.assertEqual(self.fails(), f"prefix64: {failure}")

    def test_theLineHasThePlaceInTheFile(self) -> None:
        """
        That of the interface that it is about.
        """
        self.guardRefusal = GuardError("no tables")
        origins = [Origin("p.toml", {"echo": f"[[interface]] {n}"}) for n in (1, 2)]
        second = {"echo": EchoMode.PROTOCOL, "origin": origins[1]}
        self.assertEqual(
            self.fails({"echo": EchoMode.KERNEL, "origin": origins[0]}, second),
            'prefix64: p.toml: [[interface]] 2: echo = "protocol": no tables',
        )
