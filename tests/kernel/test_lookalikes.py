"""
Every shape of rule, route and neighbor proxy in a real kernel: read as it was added, deleted alone;
and what looks like it and is somebody else's is neither read as ours nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.errors import RoutingError
from prefix64.kernel.tables import RoutingTables
from prefix64.ownership import Ownership
from prefix64.routing.entries import (
    EVERYWHERE,
    Numbers,
    Proxy,
    Route,
    RouteKind,
    Rule,
    Service,
    Steering,
    Way,
)
from prefix64.routing.plan import plan
from tests.kernel.lab import suiteOf
from tests.kernel.test_routing_kernel import KernelTablesTestCase

_T = TypeVar("_T", Rule, Route, Proxy)

P, PART = parsePrefix("2001:db8::/64"), parsePrefix("2001:db8::e:0/112")
TCP, HTTP, RANGE = Service(6), Service(6, 80, 80), Service(17, 6000, 6100)
RULES = (
    Rule("eth0", P),
    Rule("lo", P),
    Rule("eth0", P, TCP),
    Rule("eth0", P, HTTP),
    Rule("eth0", P, RANGE),
    Rule("eth0", P, Service(58)),
    Rule("eth0", P, Service(132)),
    Rule("eth0", PART, table=254),
    Rule("eth0", P, table=0, priority=65),
    Rule("", EVERYWHERE, mark=64),
    Rule("", EVERYWHERE, mark=0xFFFFFFFF, table=999_999_999, priority=32_764),
    Rule("eth0", P, table=6464, priority=1),
    Rule("none0", P),
)
ROUTES = tuple(
    Route(kind, prefix, table=table)
    for kind in RouteKind
    for prefix in (P, PART, parsePrefix("2001:db8::1"))
    for table in (64, 6464)
)
PLAIN = "iif eth0 to 2001:db8::/64 priority 64 protocol 64"
MORE = (
    "sport 5",
    "dport 80",
    "uidrange 0-100",
    "fwmark 64",
    "tos 0x10",
    "suppress_prefixlength 0",
    "oif eth0",
    "from 2001:db8:9::/64",
    "ipproto tcp sport 5",
    "tun_id 7",
)
"""Conditions that none of our rules has."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class ShapeTests(KernelTablesTestCase):
    """
    What is added is read back, and deleted without a trace.
    """

    def assertAllAndOneByOne(
        self,
        every: Iterable[_T],
        add: Callable[[_T], None],
        read: Callable[[], set[_T]],
        delete: Callable[[_T], None],
    ) -> None:
        """
        One after the other; then all of them, deleted in either order.
        """
        shapes = list(every)
        for one in shapes:
            add(one)
            self.assertEqual(read(), {one})
            delete(one)
            self.assertEqual(self.host.dump(), self.before, str(one))
        for order in (shapes, shapes[::-1]):
            left = set(shapes)
            for one in shapes:
                add(one)
            self.assertEqual(read(), left)
            for one in order:
                delete(one)
                left.remove(one)
                self.assertEqual(read(), left, f"after the deletion of {one}")
            self.assertEqual(self.host.dump(), self.before)

    def test_rules(self) -> None:
        """
        A deletion takes the first rule that has what it asks for: it meets exactly the one that it
        means, also where another one of ours, which asks for more, stands before it.
        """
        kernel = self.kernel
        self.assertAllAndOneByOne(RULES, kernel.addRule, kernel.rules, kernel.deleteRule)
        self.assertAllAndOneByOne(RULES[::-1], kernel.addRule, kernel.rules, kernel.deleteRule)

    def test_routes(self) -> None:
        """
        Of every kind, in tables whose numbers fit into a header and in others.
        """
        for kind in RouteKind:
            routes = [route for route in ROUTES if route.kind is kind]
            kernel = self.kernel
            self.assertAllAndOneByOne(routes, kernel.addRoute, kernel.routes, kernel.deleteRoute)

    def test_aRouteChangesItsKindAtOnce(self) -> None:
        """
        There are never two, and never none.
        """
        throw, unreachable = (
            Route(kind, PART) for kind in (RouteKind.THROW, RouteKind.UNREACHABLE)
        )
        self.kernel.addRoute(throw)
        for old, new in ((throw, unreachable), (unreachable, throw)):
            self.kernel.replaceRoute(old, new)
            self.assertEqual(self.kernel.routes(), {new})
        self.kernel.deleteRoute(throw)
        self.assertEqual(self.host.dump(), self.before)

    def test_proxies(self) -> None:
        """
        On an interface; where it is gone, so are they, and that is no error.
        """
        addresses = [parseAddress(f"2001:db8::{number:x}") for number in range(1, 40)]
        proxies = [Proxy("eth0", address) for address in addresses]
        missing, kernel = Proxy("none0", addresses[0]), self.kernel
        with self.host.entered():
            self.assertAllAndOneByOne(proxies, kernel.addProxy, kernel.proxies, kernel.deleteProxy)
            error = self.assertRaises(RoutingError, kernel.addProxy, missing)
            self.assertEqual(
                str(error), "neighbor proxy 2001:db8::1 dev none0: there is no such interface"
            )
            kernel.deleteProxy(missing)

    def test_aMixtureOfTwoWaysIsCleanedUp(self) -> None:
        """
        Runs of two ways were killed half-way: the rule for everything stands behind those for
        ports, and it alone is deleted.
        """
        ports = Steering(Way.PORTS, (HTTP, TCP))
        wanted = plan(Ownership((P,)), "eth0", True, ports)
        for rule in (*wanted.rules, *plan(Ownership((P,)), "eth0", True).rules):
            self.kernel.addRule(rule)
        tables = RoutingTables(self.kernel, "eth0", Numbers())
        tables.apply(wanted)
        self.assertEqual(self.kernel.rules(), set(wanted.rules))
        tables.undo()
        self.assertEqual(self.host.dump(), self.before)


class LookAlikeTests(KernelTablesTestCase):
    """
    What has our protocol, table and priority, and is none of ours all the same.
    """

    def assertSpared(self, text: str, ours: Rule) -> None:
        """
        A rule of somebody else's before one of ours is not read as ours, and not deleted: neither
        when ours is gone, nor in its place. Where the kernel cannot tell the two apart, it says so
        when ours is added, or we do when ours is to be deleted.
        """
        self.host.ip(f"-6 rule add {text}")
        before = self.host.dump()
        self.assertEqual(self.kernel.rules(), set(), text)
        self.kernel.deleteRule(ours)
        self.assertEqual(self.host.dump(), before, text)
        try:
            self.kernel.addRule(ours)
            self.assertEqual(self.kernel.rules(), {ours}, text)
            self.kernel.deleteRule(ours)
            self.assertEqual(self.host.dump(), before, text)
        except RoutingError as error:
            self.assertRegex(str(error), "there is a rule like ours|stands before it")
        self.host.ip(f"-6 rule del {text}")
        self.kernel.deleteRule(ours)
        self.assertEqual(self.host.dump(), self.before, text)

    def test_rulesThatAskForMore(self) -> None:
        """
        A port of the sender, a user, a mark, a traffic class, and so on.
        """
        for more in MORE:
            self.assertSpared(f"{PLAIN} {more} lookup 64", Rule("eth0", P))
        self.assertSpared(f"{PLAIN} ipproto tcp dport 80 sport 5 lookup 64", Rule("eth0", P, HTTP))

    def test_rulesThatAreForTheRest(self) -> None:
        """
        Inverted; of another kind; or with another mask of the mark.
        """
        self.assertSpared(f"not {PLAIN} lookup 64", Rule("eth0", P))
        self.assertSpared(f"{PLAIN} goto 32766", Rule("eth0", P))
        self.assertSpared(f"{PLAIN} unreachable", Rule("eth0", P, table=0))
        mark = Rule("", EVERYWHERE, mark=64)
        self.assertSpared("fwmark 64/0xff priority 64 protocol 64 lookup 64", mark)
        self.assertSpared("fwmark 64 to 2001:db8::/64 priority 64 protocol 64 lookup 64", mark)
        self.assertSpared("fwmark 64 iif eth0 priority 64 protocol 64 lookup 64", mark)

    def test_routes(self) -> None:
        """
        Of another metric, protocol or kind.
        """
        for text in (
            "throw 2001:db8::/64 table 64 proto 64 metric 5",
            "local 2001:db8::/64 dev lo table 64 proto 64 metric 2000",
            "blackhole 2001:db8::/64 table 64 proto 64 metric 5",
            "unreachable 2001:db8::/64 table 64 proto 65 metric 5",
            "2001:db8::/64 dev eth0 table 64 proto 64 metric 5",
            "2001:db8::/64 dev eth0 table 64 proto 64",
        ):
            self.host.ip(f"-6 route add {text}")
            before = self.host.dump()
            self.assertEqual(self.kernel.routes(), set(), text)
            self.kernel.deleteRoute(Route(RouteKind.THROW, P))
            self.assertEqual(self.host.dump(), before, text)
            self.host.ip(f"-6 route del {text}")
        self.assertEqual(self.host.dump(), self.before)

    def test_proxies(self) -> None:
        """
        Of another protocol, or of none: a deletion does not ask the kernel for that.
        """
        for protocol in ("", "protocol 99"):
            self.host.ip(f"neigh add proxy 2001:db8::7 dev eth0 {protocol}")
            before = self.host.dump()
            theirs = Proxy("eth0", parseAddress("2001:db8::7"))
            self.assertEqual(self.kernel.proxies(), set())
            self.assertEqual(self.kernel.foreignProxies(), {theirs})
            with self.host.entered():
                self.kernel.deleteProxy(theirs)
            self.assertEqual(self.host.dump(), before)
            self.host.ip("neigh del proxy 2001:db8::7 dev eth0")
