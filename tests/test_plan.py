"""
The routing plan: which routes and rules are wanted, and in which order.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.ownership import Ownership
from prefix64.routing.entries import PRIORITY, PROTOCOL, TABLE, Route, RouteKind, Rule
from prefix64.routing.plan import RoutingPlan, plan

ONE = parsePrefix("2001:db8::/64")
TWO = parsePrefix("2001:db8:2::/64")


def texts(wanted: RoutingPlan) -> tuple[list[str], list[str]]:
    return [str(route) for route in wanted.routes], [str(rule) for rule in wanted.rules]


class PlanTests(SynchronousTestCase):
    """
    L{plan}.
    """

    def test_numbersAreAllSixtyFour(self) -> None:
        """
        The table, the priority and the routing protocol by which what is ours is known.
        """
        self.assertEqual((TABLE, PRIORITY, PROTOCOL), (64, 64, 64))

    def test_aPrefixOnAnInterface(self) -> None:
        """
        Holes for what is not ours, then the prefix; and a rule for what comes in.
        """
        routes, rules = texts(plan(Ownership((ONE,)), "eth0", local=False))
        self.assertEqual(
            routes,
            [
                "throw 2001:db8:: table 64",
                "throw 2001:db8::fdff:ffff:ffff:ff80/121 table 64",
                "local 2001:db8::/64 dev lo table 64",
            ],
        )
        self.assertEqual(rules, ["iif eth0 to 2001:db8::/64 lookup 64"])

    def test_everyHoleStandsBeforeEveryPrefix(self) -> None:
        """
        There is no moment in which a gateway's address is local.
        """
        ownership = Ownership(
            (TWO, ONE),
            (parsePrefix("2001:db8::e000/116"),),
            gateways=frozenset({parseAddress("2001:db8::1")}),
            neighbors=frozenset({parseAddress("2001:db8:2::9")}),
        )
        wanted = plan(ownership, "eth0", local=False)
        kinds = [route.kind for route in wanted.routes]
        self.assertEqual(kinds, [RouteKind.THROW] * 7 + [RouteKind.LOCAL] * 2)
        holes = {str(route.destination) for route in wanted.routes[:7]}
        self.assertTrue({"2001:db8::1", "2001:db8:2::9", "2001:db8::e000/116"} <= holes)
        reasons = {route.reason for route in wanted.routes[:7]}
        self.assertTrue({"a gateway", "a known neighbor", "excluded"} <= reasons)

    def test_localAddsARuleForWhatTheHostSends(self) -> None:
        """
        C{iif lo} is what this host itself sends.
        """
        _, rules = texts(plan(Ownership((ONE, TWO)), "eth0", local=True))
        self.assertEqual(
            rules,
            [
                "iif eth0 to 2001:db8::/64 lookup 64",
                "iif eth0 to 2001:db8:2::/64 lookup 64",
                "iif lo to 2001:db8::/64 lookup 64",
                "iif lo to 2001:db8:2::/64 lookup 64",
            ],
        )

    def test_onLoopbackThereIsOneRule(self) -> None:
        """
        The interface and the host itself are the same.
        """
        _, rules = texts(plan(Ownership((ONE,)), "lo", local=True))
        self.assertEqual(rules, ["iif lo to 2001:db8::/64 lookup 64"])

    def test_thePlanIsTheSameWheneverItIsMade(self) -> None:
        """
        Sorted: sets do not show.
        """
        addresses = [parseAddress(f"2001:db8::{number:x}") for number in range(1, 40)]
        plans = [
            plan(Ownership((ONE,), gateways=frozenset(order)), "eth0", local=False)
            for order in (addresses, addresses[::-1])
        ]
        self.assertEqual(texts(plans[0]), texts(plans[1]))

    def test_theReasonDoesNotTellRoutesApart(self) -> None:
        """
        The kernel keeps no reasons: a route read from it equals the wanted one.
        """
        self.assertEqual(Route(RouteKind.THROW, ONE, "excluded"), Route(RouteKind.THROW, ONE))
        self.assertEqual(len({Route(RouteKind.THROW, ONE, "x"), Route(RouteKind.THROW, ONE)}), 1)
        self.assertNotEqual(Route(RouteKind.THROW, ONE), Route(RouteKind.LOCAL, ONE))
        self.assertNotEqual(Rule("eth0", ONE), Rule("eth1", ONE))
