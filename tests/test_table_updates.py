"""
From any plan to any other, step by step; and two instances that never touch each other's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.errors import RoutingError
from prefix64.kernel.messages import Link
from prefix64.kernel.tables import RoutingTables
from prefix64.link.packet_socket import ETHERNET
from prefix64.ownership import Ownership
from prefix64.routing.entries import Numbers, Proxy, Route, RouteKind, Rule, Steering, Way
from prefix64.routing.plan import RoutingPlan, plan
from prefix64.testing import MemoryKernel
from tests.routing_cases import ONE, TWO, Instance, covering, instances, leadsTo, ownerships

examples = settings(max_examples=250, deadline=None, derandomize=True)

REFUSED = RoutingError("Operation not supported")
HOLES = (RouteKind.THROW, RouteKind.UNREACHABLE)


class WatchedKernel(MemoryKernel):
    """
    A kernel in which somebody looks after every change.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__()
        self.look = look

    def addRoute(self, route: Route) -> None:
        super().addRoute(route)
        self.look()

    def replaceRoute(self, old: Route, new: Route) -> None:
        super().replaceRoute(old, new)
        self.look()

    def deleteRoute(self, route: Route) -> None:
        super().deleteRoute(route)
        self.look()

    def deleteRule(self, rule: Rule) -> None:
        super().deleteRule(rule)
        self.look()


def contents(kernel: MemoryKernel) -> tuple[set[Rule], set[Route], set[Proxy]]:
    """
    All that is there with our protocol.
    """
    return set(kernel.ourRules), set(kernel.ourRoutes), set(kernel.ourProxies)


def union(plans: Iterable[RoutingPlan]) -> tuple[set[Rule], set[Route], set[Proxy]]:
    """
    What several plans want together.
    """
    every = list(plans)
    return (
        {rule for one in every for rule in one.rules},
        {route for one in every for route in one.routes},
        {proxy for one in every for proxy in one.proxies},
    )


def withOwnership(instance: Instance, ownership: Ownership) -> RoutingPlan:
    """
    What an instance wants when the host, or the prefix, has changed.
    """
    changed = Instance(
        instance.interface, ownership, instance.local, instance.steering, instance.hosts[:1]
    )
    return changed.plan


class UpdateTests(SynchronousTestCase):
    """
    L{RoutingTables.update}.
    """

    @examples
    @given(instances(), ownerships(ONE) | ownerships(TWO))
    def test_noHoleIsMissingAndNoRouteIsWithoutItsRule(
        self, instance: Instance, ownership: Ownership
    ) -> None:
        """
        At no moment is an address local that was in a hole before and is in one afterwards; and
        what a killed process leaves is found by its rules.
        """
        old, new = instance.plan, withOwnership(instance, ownership)
        probes = [prefix.network + i for prefix in (ONE, TWO) for i in (*range(17), 1 << 40)]
        before, after = set(old.routes), set(new.routes)
        spared = [
            probe
            for probe in probes
            if covering(before, probe) in HOLES and covering(after, probe) in HOLES
        ]

        def look() -> None:
            local = [p for p in spared if covering(kernel.ourRoutes, p) is RouteKind.LOCAL]
            self.assertEqual(local, [], kernel.log[-1])
            for route in kernel.ourRoutes:
                self.assertTrue(leadsTo(kernel.ourRules, route), f"{route} after {kernel.log}")

        kernel = WatchedKernel(lambda: None)
        tables = RoutingTables(kernel, instance.interface, instance.steering.numbers)
        tables.apply(old)
        self.assertEqual(contents(kernel), union([old]))
        kernel.look = look
        tables.update(new)
        self.assertEqual(contents(kernel), union([new]))
        tables.undo()
        self.assertEqual(contents(kernel), union([]))

    @examples
    @given(instances(), ownerships(ONE), st.integers(0, 30))
    def test_aRefusalAtAnyStepIsGotOver(
        self, instance: Instance, ownership: Ownership, step: int
    ) -> None:
        """
        The next update does the rest; and an end instead leaves nothing.
        """
        old, new = instance.plan, withOwnership(instance, ownership)
        for again in (True, False):
            kernel = MemoryKernel()
            tables = RoutingTables(kernel, instance.interface, instance.steering.numbers)
            tables.apply(old)
            kernel.refusals.extend([*[None] * step, REFUSED])
            with contextlib.suppress(RoutingError):
                tables.update(new)
            kernel.refusals.clear()
            if again:
                tables.update(new)
                self.assertEqual(contents(kernel), union([new]))
            tables.undo()
            self.assertEqual(contents(kernel), union([]))

    def test_aHoleThatChangesItsKindIsNeverMissing(self) -> None:
        """
        What is behind this host loses its route: it was let through, and is unreachable then.
        """
        part = parsePrefix("2001:db8:0:0:c::/80")
        routed = plan(Ownership((ONE,), behind=(part,), routed=(part,)), "eth0", False)
        lost = plan(Ownership((ONE,), behind=(part,)), "eth0", False)
        kernel = MemoryKernel()
        tables = RoutingTables(kernel, "eth0")
        tables.apply(routed)
        kernel.log.clear()
        tables.update(lost)
        self.assertEqual(
            kernel.log, [f"replace throw {part} table 64 by unreachable {part} table 64"]
        )
        tables.update(routed)
        self.assertEqual(contents(kernel), union([routed]))

    def test_anotherHoleComesBeforeTheOneInItsPlaceGoes(self) -> None:
        """
        A route is replaced by a shorter one, or by two longer ones.
        """
        small, large = parsePrefix("2001:db8::c0/124"), parsePrefix("2001:db8::/120")
        kernel = MemoryKernel()
        tables = RoutingTables(kernel, "eth0")
        tables.apply(plan(Ownership((ONE,), routed=(small,)), "eth0", False))
        for new, old in ((large, small), (small, large)):
            kernel.log.clear()
            tables.update(plan(Ownership((ONE,), routed=(new,)), "eth0", False))
            self.assertEqual(
                kernel.log, [f"add throw {new} table 64", f"delete throw {old} table 64"]
            )


class ProxyTests(SynchronousTestCase):
    """
    Neighbor proxies.
    """

    def setUp(self) -> None:
        self.kernel = MemoryKernel()
        self.tables = RoutingTables(self.kernel, "eth0")
        self.one, self.two = (Proxy("eth0", ONE.network + host) for host in (0x100, 0x200))
        self.plain = plan(Ownership((ONE,)), "eth0", False)

    def wanting(self, *wanted: Proxy) -> RoutingPlan:
        return RoutingPlan(self.plain.routes, self.plain.rules, wanted)

    def test_theyComeAfterTheRoutesAndGoFirst(self) -> None:
        """
        Nothing is answered for that is not the host's own.
        """
        self.tables.apply(self.wanting(self.one))
        self.assertEqual(self.kernel.log[-1], f"add {self.one}")
        self.kernel.log.clear()
        self.tables.undo()
        self.assertEqual(self.kernel.log[0], f"delete {self.one}")

    def test_somebodyElsesIsSpared(self) -> None:
        """
        For an address that somebody else has made the kernel a proxy for, it answers already; and
        that entry is neither taken nor deleted.
        """
        self.kernel.othersProxies.add(self.two)
        self.tables.apply(self.wanting(self.one, self.two))
        self.assertEqual(self.kernel.ourProxies, {self.one})
        self.tables.undo()
        self.assertNotIn(f"delete {self.two}", self.kernel.log)
        self.assertEqual(contents(self.kernel), union([]))

    def test_anEarlierRunsAreTakenOver(self) -> None:
        """
        On this interface; those on another one are of another instance.
        """
        others = Proxy("eth1", self.one.address)
        self.kernel.ourProxies |= {self.two, others}
        self.tables.apply(self.wanting(self.one))
        self.assertEqual(self.kernel.ourProxies, {self.one, others})
        self.tables.undo()
        self.assertEqual(self.kernel.ourProxies, {others})

    def test_whatTheKernelFlushedIsPutBackHoweverOften(self) -> None:
        """
        What is excused is no fight; what is not is one.
        """
        self.tables.apply(self.wanting(self.one))
        for moment in range(5):
            self.kernel.ourProxies.clear()
            flushed = self.tables.reread(float(moment), lambda one: isinstance(one, Proxy))
            self.assertEqual(flushed, ([str(self.one)], []))
            self.tables.update(self.wanting(self.one))
            self.assertEqual(self.kernel.ourProxies, {self.one})
        for expected in (([str(self.one)], []), ([], [str(self.one)])):
            self.kernel.ourProxies.clear()
            self.assertEqual(self.tables.reread(10.0, lambda one: False), expected)
            self.tables.update(self.wanting(self.one))
        self.assertEqual(self.kernel.ourProxies, set())


class InstancesTests(SynchronousTestCase):
    """
    Two instances with disjoint prefixes on two interfaces, whatever ways and numbers.
    """

    @examples
    @given(
        instances("eth0", ONE),
        instances("eth1", TWO) | instances("lo", TWO),
        st.data(),
        st.integers(0, 25),
    )
    def test_aKilledOneIsCleanedUpAndTheOtherIsNotTouched(
        self, killed: Instance, other: Instance, data: st.DataObject, step: int
    ) -> None:
        """
        One is killed at any step, starts anew with whatever way and prefix, and ends: what is left
        is exactly the other's.
        """
        numbers = killed.steering.numbers
        again = data.draw(instances("eth0", ONE, numbers))
        marks = other.steering.way is Way.FWMARK and self.sameTable(killed, other)
        assume(not marks or Way.FWMARK not in (killed.steering.way, again.steering.way))
        kernel = MemoryKernel()
        kernel.links.append(Link("eth1", 3, ETHERNET, b"\x02\0\0\0\0\x03", True))
        RoutingTables(kernel, other.interface, other.steering.numbers).apply(other.plan)
        kernel.refusals.extend([*[None] * step, KeyboardInterrupt()])
        tables = RoutingTables(kernel, "eth0", numbers)
        with contextlib.suppress(KeyboardInterrupt):
            tables.apply(killed.plan, marks)
            tables.undo()
        kernel.refusals.clear()
        kernel.log.clear()
        after = RoutingTables(kernel, "eth0", numbers)
        after.apply(again.plan, marks)
        self.assertEqual(contents(kernel), union([other.plan, again.plan]))
        after.undo()
        self.assertEqual(contents(kernel), union([other.plan]))
        theirs = {f"delete {one}" for one in (*other.plan.routes, *other.plan.rules)}
        mine = {f"delete {one}" for one in (*killed.plan.rules, *again.plan.rules)}
        self.assertEqual((theirs - mine) & set(kernel.log), set())

    @staticmethod
    def sameTable(one: Instance, other: Instance) -> bool:
        return one.steering.numbers.table == other.steering.numbers.table

    def test_aMarkRuleIsNotTakenForAllOfATableOfSeveralPriorities(self) -> None:
        """
        Another instance has the same table and another priority: whoever leads firewall marks to
        that table does not take its routes for what an earlier run left.
        """
        for way in (Way.FWMARK, Way.INPUT):
            self.startsBesideAnother(way)

    def startsBesideAnother(self, way: Way) -> None:
        kernel = MemoryKernel()
        theirs = Steering(Way.INPUT, (), Numbers(64, 70))
        other = plan(Ownership((TWO,)), "eth1", False, theirs)
        RoutingTables(kernel, "eth1", theirs.numbers).apply(other)
        marked = plan(Ownership((ONE,)), "eth0", False, Steering(Way.FWMARK))
        RoutingTables(kernel, "eth0").apply(marked)  # and it is killed
        tables = RoutingTables(kernel, "eth0")
        again = plan(Ownership((ONE,)), "eth0", False, Steering(way))
        tables.apply(again)
        self.assertEqual(contents(kernel), union([other, again]))
        tables.undo()
        self.assertEqual(contents(kernel), union([other]))
