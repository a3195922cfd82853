"""
Other prefixes while it runs: all of what follows them does, or nothing changes.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.logger import LogLevel

from prefix64.addressing import Prefix, parseAddress, parsePrefix
from prefix64.errors import GuardError, InterfaceError, Prefix64Error, RoutingError
from prefix64.hosts.directory import SitesDirectory
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.kernel.message_classes import EVERY_INTERFACE
from prefix64.kernel.messages import InterfaceRoute, Link
from prefix64.kernel.monitor import NETCONF
from prefix64.link.socket_filter import icmpv6Filter
from prefix64.ownership import Owner
from prefix64.routing.entries import Route, RouteKind, Rule, Service, Steering, Way
from prefix64.routing.facts import RouteFact
from prefix64.routing.plan import plan
from prefix64.services.following import REREAD_DELAY
from prefix64.services.link import LinkService
from prefix64.settings import NdpMode
from prefix64.testing import MemoryLock
from tests.test_host_state import addressEvent, linkEvent, routeEvent
from tests.test_services import PREFIX, World

SECOND = parsePrefix("2001:db8:1::/64")
BOTH = (PREFIX, SECOND)
EXCLUDED = parsePrefix("2001:db8:1::e:0/112")
GATEWAY = parseAddress("2001:db8::1")


class ChangeCase(World):
    """
    A service on eth0.
    """

    def serving(self, **changed: Any) -> LinkService:
        """
        Start it.
        """
        self.service = self.started(**changed)
        return self.service.links[0]

    def served(self) -> tuple[set[Prefix], set[Prefix], set[Prefix]]:
        """
        What has a rule, what has a route, and what the guard keeps from the kernel.
        """
        routes = {r.destination for r in self.kernel.ourRoutes if r.kind is RouteKind.LOCAL}
        assert self.guard is not None
        return {rule.destination for rule in self.kernel.ourRules}, routes, set(self.guard.prefixes)

    def assertServed(self, link: LinkService, *prefixes: Prefix) -> None:
        """
        Everything that follows the prefixes has followed, and nothing is still to come.
        """
        self.assertEqual(self.served(), (set(prefixes),) * 3)
        self.assertEqual(link.tables.table.ownership.prefixes, prefixes)
        self.assertEqual(self.heard(), icmpv6Filter(prefixes, True))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def heard(self) -> bytes:
        """
        The filter of the packet socket of this moment.
        """
        return self.links[-1].program or self.programs[-1]


class GrowthTests(ChangeCase):
    """
    A prefix more.
    """

    def test_everythingFollows(self) -> None:
        """
        Rules, routes, the guard and the filter of the same packet socket, which stays open: no
        frame is lost.
        """
        link = self.serving()
        link.routing.setPrefixes(BOTH)
        self.assertServed(link, *BOTH)
        self.assertEqual((len(self.links), self.links[0].closed), (1, False))
        self.assertEqual(self.notes.count("guard"), 1)
        self.service.stopService()
        self.assertUndone()

    def test_whatIsExcludedFollows(self) -> None:
        """
        It has a hole, and is nobody's to answer for.
        """
        link = self.serving()
        link.routing.setPrefixes(BOTH, (EXCLUDED,))
        self.assertIn(Route(RouteKind.THROW, EXCLUDED), self.kernel.ourRoutes)
        owner = link.tables.table.ownership.of
        self.assertIs(owner(parseAddress("2001:db8:1::e:1")), Owner.EXCLUDED)
        self.assertIs(owner(parseAddress("2001:db8:1::1")), Owner.OURS)
        assert self.guard is not None
        self.assertIn(EXCLUDED, self.guard.others)

    def test_whatIsBehindFollowsAndForwardingIsWatched(self) -> None:
        """
        A part of the new prefix lives behind this host, which nothing did before.
        """
        block = parsePrefix("2001:db8:1:0:5::/80")
        self.kernel.links.append(Link("eth1", 3, 1, b"\x02\0\0\0\0\x03", True))
        self.kernel.forwardingInterfaces = {EVERY_INTERFACE}
        self.kernel.interfaceRoutes = {InterfaceRoute(3, block)}
        link = self.serving()
        before = self.monitor
        self.assertNotIn(NETCONF, before.groups)
        link.routing.setPrefixes(BOTH, (), (block,))
        owner = link.tables.table.ownership.of
        self.assertIs(owner(block.address(1)), Owner.FORWARDED)
        self.assertIn(NETCONF, self.monitor.groups)
        self.assertEqual((before.reading, self.monitor.reading), (False, True))

    def test_eventsGoOn(self) -> None:
        """
        What happens in the new prefix afterwards is followed.
        """
        link = self.serving()
        link.routing.setPrefixes(BOTH)
        own = parseAddress("2001:db8:1::b:1")
        self.events(addressEvent("2001:db8:1::b:1"))
        self.assertIs(link.tables.table.ownership.of(own), Owner.INTERFACE)
        assert self.guard is not None
        self.assertIn(Prefix(own, 128), self.guard.others)

    def test_whatAnEarlierRunLeftIsTakenOver(self) -> None:
        """
        Its rule and routes for the new prefix are no obstacle, and go at the end.
        """
        link = self.serving()
        hole = parsePrefix("2001:db8:1::77")
        self.kernel.ourRules.add(Rule("eth0", SECOND))
        self.kernel.ourRoutes |= {Route(RouteKind.LOCAL, SECOND), Route(RouteKind.THROW, hole)}
        link.routing.setPrefixes(BOTH)
        self.assertServed(link, *BOTH)
        self.assertNotIn(Route(RouteKind.THROW, hole), self.kernel.ourRoutes)
        self.assertIn("taking over 3 rules and routes of an earlier run", self.lines())
        self.service.stopService()
        self.assertUndone()

    def test_everyWay(self) -> None:
        """
        However packets are steered: the kernel has what is planned for both, then for one.
        """
        for steering in (
            Steering(Way.PORTS, (Service(6, 80, 80),)),
            Steering(Way.FWMARK),
            Steering(Way.NONE),
        ):
            link = self.serving(steering=steering)
            for prefixes in (BOTH, (SECOND,)):
                link.routing.setPrefixes(prefixes)
                wanted = plan(link.tables.table.ownership, "eth0", False, steering)
                self.assertEqual(self.kernel.ourRules, set(wanted.rules))
                self.assertEqual(self.kernel.ourRoutes, set(wanted.routes))
                self.assertEqual(self.heard(), icmpv6Filter(prefixes, True))
            self.service.stopService()
            self.assertUndone()

    def test_theKernelsProxy(self) -> None:
        """
        It answers for hosts of the new prefix too, and no longer when it is given up.
        """
        hosts = [
            Host(parsePrefix(text), WelcomeSite()) for text in ("2001:db8::7", "2001:db8:1::7")
        ]
        link = self.serving(ndp=NdpMode.KERNEL, sites=SitesDirectory(hosts=tuple(hosts)))
        seen = [{str(proxy) for proxy in self.kernel.ourProxies}]
        for prefixes in (BOTH, (PREFIX,)):
            link.routing.setPrefixes(prefixes)
            seen.append({str(proxy) for proxy in self.kernel.ourProxies})
        self.assertEqual([len(proxies) for proxies in seen], [1, 2, 1])
        self.assertEqual(seen[0], seen[2])

    def test_withoutTheProtocol(self) -> None:
        """
        Where the kernel answers ping there is no guard to follow.
        """
        link = self.serving(interface="lo")
        link.routing.setPrefixes(BOTH)
        self.assertEqual({rule.destination for rule in self.kernel.ourRules}, set(BOTH))
        self.assertIsNone(self.guard)


class RefusalTests(ChangeCase):
    """
    A prefix more that cannot be.
    """

    def refused(self, link: LinkService, kind: type[Prefix64Error]) -> str:
        """
        Ask for it: it is refused, and everything is as it was.
        """
        rules, routes = set(self.kernel.ourRules), set(self.kernel.ourRoutes)
        ownership = link.tables.table.ownership
        error = self.assertRaises(kind, link.routing.setPrefixes, BOTH)
        self.assertEqual((self.kernel.ourRules, self.kernel.ourRoutes), (rules, routes))
        self.assertEqual(link.tables.table.ownership, ownership)
        self.assertServed(link, PREFIX)
        self.assertFalse(self.links[-1].closed)
        self.assertEqual(self.lines(LogLevel.error), [])
        return str(error)

    def test_theKernelRefusesARule(self) -> None:
        """
        The first thing that is done.
        """
        link = self.serving()
        self.kernel.refusals.append(RoutingError("rule: no"))
        self.assertEqual(self.refused(link, RoutingError), "rule: no")

    def test_theKernelRefusesARoute(self) -> None:
        """
        The rule is there already by then, and a hole.
        """
        link = self.serving()
        self.kernel.refusals.extend((None, None, RoutingError("route: no")))
        self.assertEqual(self.refused(link, RoutingError), "route: no")

    def test_nfTablesRefuse(self) -> None:
        """
        The guard that was there still is.
        """
        link = self.serving()
        assert self.guard is not None
        guard, served = self.guard, []

        def serve(prefixes: Any, others: Any) -> None:
            served.append(list(prefixes))
            raise GuardError("nf_tables: no")

        self.patch(guard, "serve", serve)
        self.assertEqual(self.refused(link, GuardError), "nf_tables: no")
        self.assertEqual(served, [list(BOTH)])
        self.assertEqual(guard.interface, "eth0")

    def test_thePacketSocketRefuses(self) -> None:
        """
        It hears what it heard.
        """
        link = self.serving()

        def setFilter(program: bytes) -> None:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")

        self.patch(self.links[0], "setFilter", setFilter)
        self.assertIn("Cannot allocate memory", self.refused(link, InterfaceError))

    def test_anotherInstanceServesIt(self) -> None:
        """
        Found before anything is changed.
        """
        self.kernel.links.append(Link("eth1", 3, 1, b"\x02\0\0\0\0\x03", True))
        link = self.serving()
        lock = MemoryLock("eth1")
        self.addCleanup(lock.release)
        theirs = Rule("eth1", SECOND)
        self.kernel.ourRules.add(theirs)
        before = len(self.kernel.log)
        error = self.assertRaises(InterfaceError, link.routing.setPrefixes, BOTH)
        self.assertIn("is served on eth1 already by another process", str(error))
        self.assertEqual(self.kernel.log[before:], [])
        self.kernel.ourRules.remove(theirs)
        self.assertServed(link, PREFIX)

    def test_somethingElseIsInTheWay(self) -> None:
        """
        So is what the preflight objects to.
        """
        link = self.serving()
        self.kernel.othersRoutes.append(RouteFact(64, SECOND, 1, protocol=3))
        self.assertIn("table 64 is in use by somebody else", self.refused(link, RoutingError))

    def test_theInterfaceIsGone(self) -> None:
        """
        Nothing new begins there until it is back; then what was served is.
        """
        link = self.serving()
        eth0 = self.kernel.links.pop()
        self.events(linkEvent("RTM_DELLINK"))
        error = self.assertRaises(InterfaceError, link.routing.setPrefixes, BOTH)
        self.assertEqual(str(error), "interface 'eth0' does not exist")
        self.kernel.links.append(eth0)
        self.events(linkEvent())
        self.assertServed(link, PREFIX)

    def test_goingBackIsRefusedToo(self) -> None:
        """
        Then it is tried again, until what was served before is what is served.
        """
        link = self.serving()
        self.kernel.refusals.extend((None, None, RoutingError("no"), RoutingError("not back")))
        self.assertRaises(RoutingError, link.routing.setPrefixes, BOTH)
        self.assertEqual(self.lines(LogLevel.error), ["not back; trying again"])
        self.reactor.advance(REREAD_DELAY)
        self.assertServed(link, PREFIX)

    def test_aGatewayWhoseRouteIsGoneStaysOne(self) -> None:
        """
        It is remembered over the change that was refused.
        """
        self.kernel.nextHops = {GATEWAY}
        link = self.serving()
        self.kernel.nextHops = set()
        self.events(routeEvent("2001:db8::1", event="RTM_DELROUTE"))
        self.kernel.refusals.append(RoutingError("no"))
        self.assertRaises(RoutingError, link.routing.setPrefixes, (SECOND,))
        self.assertIs(link.tables.table.ownership.of(GATEWAY), Owner.GATEWAY)


class ShrinkTests(ChangeCase):
    """
    A prefix less.
    """

    def test_everythingFollows(self) -> None:
        """
        Also what was excluded from it.
        """
        link = self.serving(prefixes=BOTH, excluded=(EXCLUDED,))
        link.routing.setPrefixes((PREFIX,))
        self.assertServed(link, PREFIX)
        self.assertEqual(link.tables.table.ownership.excluded, ())
        self.assertTrue(all(PREFIX.covers(route.destination) for route in self.kernel.ourRoutes))

    def test_whatTheKernelRefusesIsTriedAgain(self) -> None:
        """
        What is given up is given up: nothing is answered for there, and the rest follows.
        """
        link = self.serving(prefixes=BOTH)
        self.kernel.refusals.append(RoutingError("no"))
        link.routing.setPrefixes((PREFIX,))
        self.assertEqual(self.lines(LogLevel.error), ["no; trying again"])
        self.assertIs(link.tables.table.ownership.of(SECOND.address(5)), Owner.OUTSIDE)
        self.reactor.advance(REREAD_DELAY)
        self.assertServed(link, PREFIX)

    def test_whileTheInterfaceIsGone(self) -> None:
        """
        It is no reason not to give up a prefix; when the interface is back it has the others.
        """
        link = self.serving(prefixes=BOTH)
        eth0 = self.kernel.links.pop()
        self.events(linkEvent("RTM_DELLINK"))
        link.routing.setPrefixes((PREFIX,))
        self.kernel.links.append(eth0)
        self.events(linkEvent())
        self.assertServed(link, PREFIX)

    def test_itsGatewaysTakeNoRoom(self) -> None:
        """
        They are forgotten, and not remembered when it is served again.
        """
        self.kernel.nextHops = {GATEWAY}
        link = self.serving(prefixes=BOTH)
        self.kernel.nextHops = set()
        link.routing.setPrefixes((SECOND,))
        self.assertEqual(link.routing.state.gateways, frozenset())
        self.events(routeEvent("2001:db8:1::1"))
        self.assertEqual(link.routing.state.gateways, {parseAddress("2001:db8:1::1")})
        link.routing.setPrefixes(BOTH)
        self.assertIs(link.tables.table.ownership.of(GATEWAY), Owner.OURS)
