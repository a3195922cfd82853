"""
Ways of routing, neighbor proxies and what is behind this host, as services on fakes.
"""

from __future__ import annotations

from twisted.logger import LogLevel

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.errors import RoutingError
from prefix64.hosts.directory import SitesDirectory
from prefix64.hosts.model import Host, StaticSite
from prefix64.instance_lock import markLock
from prefix64.kernel.host_state import EVERY_INTERFACE
from prefix64.kernel.messages import InterfaceRoute
from prefix64.ownership import Owner, Ownership
from prefix64.routing.entries import (
    Numbers,
    Proxy,
    Route,
    RouteKind,
    Rule,
    Service,
    Steering,
    Sysctl,
    Way,
)
from prefix64.routing.plan import plan
from prefix64.services.following import LOOK_DELAY, REREAD_DELAY
from prefix64.settings import EchoMode, NdpMode
from prefix64.testing import MemoryLock
from tests.test_host_state import ETH1, Message, deletionEvent, linkEvent, routedEvent
from tests.test_services import PREFIX, World

PART = parsePrefix("2001:db8:0:0:c::/80")
HOST = parseAddress("2001:db8::1:1")
RULE = Rule("eth0", PREFIX)
FWMARK = Steering(Way.FWMARK)


def forwardingEvent(index: int, forwarding: bool) -> Message:
    """
    The kernel says whether an interface forwards.
    """
    attributes = {"NETCONFA_IFINDEX": index, "NETCONFA_FORWARDING": int(forwarding)}
    return Message({"event": "RTM_NEWNETCONF"}, attributes)


def downEvent(name: str, index: int, up: bool = False) -> Message:
    event = linkEvent(name=name, index=index)
    event["flags"] = 0x41 if up else 0
    return event


class FightTests(World):
    """
    Somebody deletes what is ours.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service = self.started()

    def delete(self) -> None:
        self.kernel.ourRules.discard(RULE)
        self.events(deletionEvent(RULE))
        self.reactor.advance(REREAD_DELAY)

    def test_onceIsPutBackTwiceIsLeftAlone(self) -> None:
        """
        With one warning, and one error line.
        """
        self.delete()
        self.assertIn(RULE, self.kernel.ourRules)
        self.delete()
        self.delete()
        self.assertNotIn(RULE, self.kernel.ourRules)
        self.assertEqual(
            self.lines(LogLevel.warn),
            [f"somebody deleted {RULE}: putting it back"],
        )
        self.assertEqual(
            self.lines(LogLevel.error),
            [
                f"somebody deletes {RULE} again and again: it is left alone until prefix64 starts "
                "anew; find out who does it (ip monitor rule route)"
            ],
        )
        self.reactor.advance(1000)
        self.assertNotIn(RULE, self.kernel.ourRules)
        self.successResultOf(self.service.stopService())
        self.assertUndone()

    def test_loopbackDownAndUpIsNoFight(self) -> None:
        """
        The kernel deletes the routes with it, however often it goes down.
        """
        everything = set(self.kernel.ourRoutes)
        for _ in range(4):
            self.events(downEvent("lo", 1), *map(deletionEvent, self.kernel.ourRoutes))
            self.kernel.ourRoutes.clear()
            self.events(downEvent("lo", 1, up=True))
            self.reactor.advance(REREAD_DELAY)
            self.assertEqual(self.kernel.ourRoutes, everything)
        self.assertEqual(self.lines(LogLevel.error), [])

    def test_anExcuseHoldsUntilEverythingCouldBeRead(self) -> None:
        """
        The kernel cannot be asked when its flush is looked at for the first time.
        """
        for _ in range(2):
            self.events(downEvent("lo", 1), *map(deletionEvent, self.kernel.ourRoutes))
            self.kernel.ourRoutes.clear()

            def unreadable() -> None:
                raise RoutingError("the kernel's tables cannot be read")

            patched = self.patch(self.kernel, "rules", unreadable)
            self.reactor.advance(REREAD_DELAY)
            patched.restore()
            self.reactor.advance(REREAD_DELAY)
            self.assertEqual(len(self.kernel.ourRoutes), 3)
        self.assertEqual(
            [line for line in self.lines(LogLevel.error) if "again and again" in line], []
        )


class ProxyTests(World):
    """
    C{--ndp kernel}.
    """

    def setUp(self) -> None:
        super().setUp()
        host = Host(parsePrefix("2001:db8::1:1"), StaticSite("/nowhere"))
        self.before = dict(self.kernel.switches)
        self.service = self.started(
            ndp=NdpMode.KERNEL, sites=SitesDirectory(hosts=(host,), default=None)
        )

    def test_theProxiesAreTheHosts(self) -> None:
        """
        Those that are answered for; at the end everything is put back.
        """
        self.assertEqual(self.kernel.ourProxies, {Proxy("eth0", HOST)})
        self.assertEqual(self.kernel.switches["eth0", "proxy_ndp"], "1")
        self.events(routedEvent("2001:db8::1:0/112"))
        self.assertEqual(self.kernel.ourProxies, set())
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.kernel.switches, self.before)
        self.assertUndone()

    def test_theyAreLookedAtNowAndThen(self) -> None:
        """
        The kernel says nothing of them.
        """
        self.kernel.ourProxies.clear()
        self.kernel.setSwitch(Sysctl("eth0", "proxy_ndp", "0"))
        self.reactor.advance(LOOK_DELAY)
        self.assertEqual(self.kernel.ourProxies, {Proxy("eth0", HOST)})
        self.assertEqual(
            self.lines(LogLevel.warn),
            [
                "somebody deleted proxy 2001:db8::1:1 dev eth0: putting it back",
                "somebody changed sysctls: setting net/ipv6/conf/eth0/proxy_ndp=1 again",
            ],
        )

    def test_aLookReadsNoRoutes(self) -> None:
        """
        Of which a router has hundreds of thousands.
        """
        self.patch(self.kernel, "gateways", self.fail)
        self.patch(self.kernel, "routes", self.fail)
        self.reactor.advance(LOOK_DELAY)
        self.assertEqual(self.kernel.ourProxies, {Proxy("eth0", HOST)})

    def test_oneOfSomebodyElseGoes(self) -> None:
        """
        Then ours takes its place.
        """
        foreign = {Proxy("eth0", HOST)}
        self.patch(self.kernel, "foreignProxies", lambda: foreign)
        self.kernel.ourProxies.clear()
        self.reactor.advance(LOOK_DELAY)
        self.assertEqual(self.kernel.ourProxies, set())
        foreign = set()
        self.reactor.advance(LOOK_DELAY)
        self.assertEqual(self.kernel.ourProxies, {Proxy("eth0", HOST)})

    def test_ipv6GoesFromTheInterface(self) -> None:
        """
        And with it proxies and switches: no fight, however often. Others come with it.
        """
        names = ("accept_ra", "forwarding", "proxy_ndp")
        for _ in range(3):
            for name in names:
                del self.kernel.switches["eth0", name]
            self.kernel.ourProxies.clear()
            self.events(Message({"event": "RTM_DELNETCONF"}, {"NETCONFA_IFINDEX": 2}))
            self.reactor.advance(REREAD_DELAY)
            self.reactor.advance(LOOK_DELAY)
            self.assertNotIn(("eth0", "forwarding"), self.kernel.switches)
            self.kernel.switches.update({("eth0", name): "0" for name in names})
            self.reactor.advance(LOOK_DELAY)
            self.assertEqual([self.kernel.switches["eth0", n] for n in names], ["0", "1", "1"])
            self.assertEqual(self.kernel.ourProxies, {Proxy("eth0", HOST)})
        self.assertEqual(self.lines(LogLevel.error), [])

    def test_theInterfaceGoesDown(self) -> None:
        """
        The kernel deletes them with it: no fight, however often.
        """
        for _ in range(3):
            self.kernel.ourProxies.clear()
            self.events(downEvent("eth0", 2), downEvent("eth0", 2, up=True))
            self.reactor.advance(REREAD_DELAY)
            self.assertEqual(self.kernel.ourProxies, {Proxy("eth0", HOST)})
        self.assertEqual(self.lines(LogLevel.error), [])

    def test_theInterfaceIsRenamed(self) -> None:
        """
        What was set there is put back under its new name, and the proxies go.
        """
        (eth0,) = [link for link in self.kernel.links if link.name == "eth0"]
        self.kernel.links.remove(eth0)
        self.kernel.links.append(type(eth0)("wan", 2, 1, eth0.linkLayerAddress, True))
        for (name, switch), value in list(self.kernel.switches.items()):
            if name == "eth0":
                self.kernel.switches["wan", switch] = value
                del self.kernel.switches[name, switch]
        self.kernel.ourProxies = {Proxy("wan", HOST)}
        self.events(linkEvent(name="wan"))
        self.assertEqual(self.kernel.ourProxies, set())
        self.assertEqual(self.kernel.switches["wan", "forwarding"], "0")


class ForwardTests(World):
    """
    C{--forward}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.kernel.forwardingInterfaces |= {EVERY_INTERFACE, 2}
        self.kernel.interfaceRoutes.add(InterfaceRoute(ETH1, PART))

    def test_routesAreFollowed(self) -> None:
        """
        What is routed is answered for; without a route it is unreachable, and said.
        """
        service = self.started(behind=(PART,))
        of = service.tables.table.ownership.of
        self.assertIs(of(PART.network), Owner.FORWARDED)
        self.assertIn(Route(RouteKind.THROW, PART), self.kernel.ourRoutes)
        self.kernel.interfaceRoutes.clear()
        self.events(routedEvent(str(PART), event="RTM_DELROUTE"))
        self.reactor.advance(REREAD_DELAY)
        self.assertIs(service.tables.table.ownership.of(PART.network), Owner.UNROUTED)
        self.assertIn(Route(RouteKind.UNREACHABLE, PART), self.kernel.ourRoutes)
        self.assertEqual(
            self.lines(LogLevel.warn),
            [
                f"--forward {PART}: no route leads there by another interface: it is not answered "
                f"for until there is one: ip -6 route add {PART} dev INTERFACE"
            ],
        )
        self.events(routedEvent(str(PART)))
        self.assertIn(f"--forward {PART}: there is a route: it is answered for", self.lines())
        self.assertIn(Route(RouteKind.THROW, PART), self.kernel.ourRoutes)

    def test_forwardingOffAndOnIsSaidOnceEach(self) -> None:
        """
        Nothing behind is answered for meanwhile; on one or several interfaces the whole says so.
        """
        service = self.started(followsRoutes=True)
        for forwards, owner in ((False, Owner.ROUTED), (True, Owner.FORWARDED)):
            for _ in range(2):
                self.events(forwardingEvent(EVERY_INTERFACE, forwards))
            self.assertIs(service.tables.table.ownership.of(PART.network), owner)
        off = [line for line in self.lines() if "does not forward any more" in line]
        again = [line for line in self.lines() if "forwards again" in line]
        self.assertEqual((len(off), len(again)), (1, 1))

    def test_theWholePrefixBehind(self) -> None:
        """
        Nothing is the host's own then.
        """
        self.kernel.interfaceRoutes.add(InterfaceRoute(ETH1, PREFIX))
        service = self.started(behind=(PREFIX,))
        kinds = {route.kind for route in self.kernel.ourRoutes}
        self.assertEqual(kinds, {RouteKind.THROW})
        self.assertIs(service.tables.table.ownership.of(PREFIX.network + 9), Owner.FORWARDED)

    def test_withoutForwardingNothingIsChanged(self) -> None:
        """
        It is said before.
        """
        self.kernel.forwardingInterfaces.clear()
        service = self.made(behind=(PART,))
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertIn(f"--forward {PART}: this host does not forward", str(error.code))
        self.assertEqual(self.kernel.log, [])
        self.assertUndone()


class OverlapTests(World):
    """
    Another instance that is led to by marks serves the same prefix.
    """

    def test_aPrefixThatIsServedByMarks(self) -> None:
        """
        Its rule names no prefix, but its table has it; whichever way this one would go.
        """
        for table in (64, 65):
            for way in (Way.INPUT, Way.FWMARK, Way.PORTS):
                numbers = Numbers(table=table)
                theirs = plan(
                    Ownership((PREFIX,)), "eth1", False, Steering(Way.FWMARK, (), numbers)
                )
                self.kernel.ourRules, self.kernel.ourRoutes = set(theirs.rules), set(theirs.routes)
                other = MemoryLock(markLock(table))
                mine = Steering(way, (Service(6, 80, 80),), Numbers(table=66))
                service = self.made(steering=mine)
                error = self.assertRaises(SystemExit, service.privilegedStartService)
                self.assertIn(
                    f"is served by --routing fwmark and table {table} already by another process: "
                    "stop that first, or serve another prefix",
                    str(error.code),
                )
                self.assertEqual(self.kernel.log, [])
                self.assertEqual(self.kernel.ourRoutes, set(theirs.routes))
                other.release()
                self.assertEqual(MemoryLock.held, {})

    def test_whatAKilledOneLeftIsTakenOver(self) -> None:
        """
        Nobody has the lock of the table; and where somebody has, what the rule of our interface
        leads to is ours.
        """
        ours = plan(Ownership((PREFIX,)), "eth0", False)
        marked = plan(Ownership((parsePrefix("2001:db8:2::/64"),)), "eth1", False, FWMARK)
        self.kernel.ourRules = {*ours.rules, *marked.rules}
        self.kernel.ourRoutes = {*ours.routes, *marked.routes}
        MemoryLock(markLock(64))
        service = self.started()
        self.successResultOf(service.stopService())
        self.assertEqual(self.kernel.ourRules, set(marked.rules))
        self.assertEqual(self.kernel.ourRoutes, set(marked.routes))


class AnnouncementTests(World):
    """
    The line that the start ends with.
    """

    def line(self, **changed: object) -> str:
        service = self.started(**changed)
        self.successResultOf(service.stopService())
        return next(line for line in self.lines() if line.startswith("serving")).partition("; ")[2]

    def test_ports(self) -> None:
        """
        What is taken.
        """
        steering = Steering(Way.PORTS, (Service(6, 80, 80), Service(17, 6000, 6100), Service(132)))
        self.assertTrue(
            self.line(steering=steering).startswith(
                "only tcp:80, udp:6000-6100, sctp and ICMPv6 are taken; ping answered by the"
            )
        )

    def test_marksAndSolicitationsOfOthers(self) -> None:
        """
        Who does what prefix64 does not.
        """
        steering = Steering(Way.FWMARK, (), Numbers(mark=7))
        self.assertEqual(
            self.line(steering=steering, ndp=NdpMode.NONE, echo=EchoMode.NONE).partition(". ")[0],
            "what the firewall marks with 7 is taken; solicitations left to somebody else; "
            "ping answered by no one",
        )

    def test_nothingIsRouted(self) -> None:
        """
        And what is behind is named.
        """
        self.kernel.forwardingInterfaces.add(EVERY_INTERFACE)
        line = self.line(steering=Steering(Way.NONE), behind=(PART,), followsRoutes=True)
        self.assertIn("routing is left as it is; behind this host: 2001:db8:0:0:c::/80, auto", line)
