"""
A plan in the kernel's tables: taken over, kept up, and taken out, and nobody else's touched.
"""

from __future__ import annotations

import contextlib

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.errors import PrivilegeError, RoutingError
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.tables import RoutingTables
from prefix64.ownership import Ownership
from prefix64.routing.entries import Route, RouteKind, Rule, Steering, Way
from prefix64.routing.leftovers import leftoverRules, overlappingRules
from prefix64.routing.plan import RoutingPlan, plan
from prefix64.testing import MemoryKernel

ONE = parsePrefix("2001:db8::/64")
TWO = parsePrefix("2001:db8:2::/64")
REFUSED = RoutingError("Operation not supported")


def wanted(*gateways: str, interface: str = "eth0", local: bool = False) -> RoutingPlan:
    """
    The plan for one prefix, with gateways inside it.
    """
    addresses = frozenset(map(parseAddress, gateways))
    return plan(Ownership((ONE,), gateways=addresses), interface, local)


def throw(text: str) -> Route:
    return Route(RouteKind.THROW, parsePrefix(text))


class Tables(SynchronousTestCase):
    """
    A kernel in memory, and what is in it on our behalf.
    """

    def setUp(self) -> None:
        self.kernel = MemoryKernel()
        self.tables = RoutingTables(self.kernel, "eth0")

    def reread(self, now: float = 0.0) -> tuple[list[str], list[str]]:
        """
        See what is still there; nothing is the kernel's own doing.
        """
        return self.tables.reread(now, lambda one: False)

    def assertInKernel(self, *plans: RoutingPlan) -> None:
        """
        These plans, and nothing else, are in the kernel.
        """
        self.assertEqual(self.kernel.ourRoutes, {route for p in plans for route in p.routes})
        self.assertEqual(self.kernel.ourRules, {rule for p in plans for rule in p.rules})

    def leave(self, left: RoutingPlan) -> None:
        """
        Have an earlier run, or another instance, leave its plan.
        """
        self.kernel.ourRoutes.update(left.routes)
        self.kernel.ourRules.update(left.rules)


class ApplyTests(Tables):
    """
    The start.
    """

    def test_whatAnEarlierRunLeftOfThePrefixGoesWhereNothingIsRouted(self) -> None:
        """
        Also where it was on another interface, or of its rules only that of lo is left.
        """
        for left in (plan(Ownership((ONE,)), "eth1", False), wanted(local=True)):
            self.leave(left)
            self.kernel.ourRules.discard(Rule("eth0", ONE))
            self.tables.apply(plan(Ownership((ONE,)), "eth0", False, Steering(Way.NONE)))
            self.assertInKernel()

    def test_theMemoryKernelIsAKernel(self) -> None:
        """
        It provides what the real one provides.
        """
        verifyObject(IRoutingKernel, self.kernel)

    def test_rulesComeFirstThenHolesThenThePrefixesAroundThem(self) -> None:
        """
        A process that is killed leaves no route that no rule leads to; and nothing is local for a
        moment that is not ours.
        """
        self.tables.apply(wanted("2001:db8::1"))
        self.assertEqual(
            self.kernel.log,
            [
                "add iif eth0 to 2001:db8::/64 lookup 64",
                "add throw 2001:db8:: table 64",
                "add throw 2001:db8::1 table 64",
                "add throw 2001:db8::fdff:ffff:ffff:ff80/121 table 64",
                "add local 2001:db8::/64 dev lo table 64",
            ],
        )
        self.assertEqual(set(self.tables.routes), {r.destination for r in self.kernel.ourRoutes})
        self.assertEqual(self.tables.rules, self.kernel.ourRules)

    def test_anEarlierRunsPlanIsTakenOver(self) -> None:
        """
        What is wanted and there is not touched; and it is taken out at the end.
        """
        self.leave(wanted("2001:db8::1"))
        self.tables.apply(wanted("2001:db8::1"))
        self.assertEqual(self.kernel.log, [])
        self.tables.undo()
        self.assertInKernel()

    def test_whatAnEarlierRunLeftAndNobodyWantsIsDeleted(self) -> None:
        """
        Another gateway, and the host's own rule, which this run does not have.
        """
        self.leave(wanted("2001:db8::9", local=True))
        self.tables.apply(wanted("2001:db8::1"))
        self.assertInKernel(wanted("2001:db8::1"))
        self.assertEqual(
            set(self.kernel.log),
            {
                "delete iif lo to 2001:db8::/64 lookup 64",
                "add throw 2001:db8::1 table 64",
                "delete throw 2001:db8::9 table 64",
            },
        )

    def test_anEarlierRunsOtherPrefixIsDeleted(self) -> None:
        """
        Its rule is of our interface, and its routes are found by the rule.
        """
        self.leave(plan(Ownership((TWO,)), "eth0", local=False))
        self.tables.apply(wanted())
        self.assertInKernel(wanted())

    def test_anEarlierRunsRuleForTheHostItselfIsDeletedToo(self) -> None:
        """
        C{iif lo} names no interface of ours: it is known by the rule beside it.
        """
        self.leave(plan(Ownership((TWO,)), "eth0", local=True))
        self.tables.apply(wanted())
        self.assertInKernel(wanted())

    def test_anEarlierRunsRuleForTheHostItselfIsLeftToAnotherInstance(self) -> None:
        """
        Where another interface has the prefix too.
        """
        other = plan(Ownership((TWO,)), "eth1", local=True)
        self.leave(plan(Ownership((TWO,)), "eth0", local=True))
        self.leave(other)
        self.tables.apply(wanted())
        self.assertTrue(set(other.rules) <= self.kernel.ourRules)
        self.assertNotIn(Rule("eth0", TWO), self.kernel.ourRules)

    def test_anEarlierRunThatWasCutInTheMiddleIsCompleted(self) -> None:
        """
        The rule and some routes, as our own order leaves them; or some routes and no rule, as
        somebody who deletes rules does.
        """
        whole = wanted("2001:db8::1")
        for rules in (whole.rules, ()):
            self.leave(RoutingPlan(whole.routes[:2], rules))
            self.tables.apply(whole)
            self.assertInKernel(whole)
            self.assertEqual(len(self.kernel.log), 3 - len(rules))
            self.tables.undo()
            self.kernel.log.clear()

    def test_anotherInstancesPlanIsNotTouched(self) -> None:
        """
        One that serves another prefix on another interface; not at the end either.
        """
        other = plan(Ownership((TWO,)), "eth1", local=True)
        self.leave(other)
        self.tables.apply(wanted("2001:db8::1", local=True))
        self.assertInKernel(wanted("2001:db8::1", local=True), other)
        self.tables.undo()
        self.assertInKernel(other)

    def test_somebodyElsesRouteInOurTableEndsTheStart(self) -> None:
        """
        It is left where it is, and nothing of ours is.
        """
        self.kernel.foreignDestinations.add(ONE)
        self.assertRaises(RoutingError, self.tables.apply, wanted("2001:db8::1"))
        self.assertInKernel()

    def test_aRefusalAtAnyPointUndoesEverything(self) -> None:
        """
        The first addition, the last, and each between.
        """
        whole = wanted("2001:db8::1", local=True)
        for point in range(len(whole.routes) + len(whole.rules)):
            self.kernel.refusals.extend([None] * point)
            self.kernel.refusals.append(REFUSED)
            error = self.assertRaises(RoutingError, self.tables.apply, whole)
            self.assertIs(error, REFUSED)
            self.assertInKernel()
            self.assertEqual((self.tables.routes, self.tables.rules), ({}, set()))
        self.tables.apply(whole)
        self.assertInKernel(whole)

    def test_aRefusalWhileTakingOverUndoesEverything(self) -> None:
        """
        What was left by an earlier run is undone too: it is ours. A missing privilege is no
        different.
        """
        other = plan(Ownership((TWO,)), "eth1", local=False)
        changes = 3  # the rule for the host itself and two holes
        self.leave(other)
        for point in range(changes):
            self.leave(wanted("2001:db8::9", local=True))
            self.kernel.refusals.extend([*[None] * point, PrivilegeError("no")])
            self.assertRaises(PrivilegeError, self.tables.apply, wanted("2001:db8::1"))
            self.assertInKernel(other)

    def test_moreThanOneRefusalInARowLeavesWhatTheKernelKeeps(self) -> None:
        """
        The kernel refuses the last route, and then to delete the first: the first refusal is the
        one that is told, the rest is undone, the other one is logged.
        """
        whole = wanted()
        self.kernel.refusals.extend([None] * len(whole.routes))
        again = RoutingError("Device or resource busy")
        self.kernel.refusals.extend([REFUSED, again])
        self.assertIs(self.assertRaises(RoutingError, self.tables.apply, whole), REFUSED)
        self.assertEqual(self.kernel.ourRoutes, {whole.routes[0]})
        self.assertEqual(self.kernel.ourRules, set())


class UpdateTests(Tables):
    """
    A change of what is wanted.
    """

    def setUp(self) -> None:
        super().setUp()
        self.tables.apply(wanted("2001:db8::1"))
        self.kernel.log.clear()

    def test_theSamePlanChangesNothing(self) -> None:
        """
        No request goes to the kernel.
        """
        self.tables.update(wanted("2001:db8::1"))
        self.assertEqual(self.kernel.log, [])

    def test_onlyTheDifferenceGoesToTheKernel(self) -> None:
        """
        What is not wanted goes first: it may stand in the way.
        """
        self.tables.update(wanted("2001:db8::2"))
        self.assertEqual(
            self.kernel.log,
            ["delete throw 2001:db8::1 table 64", "add throw 2001:db8::2 table 64"],
        )
        self.assertInKernel(wanted("2001:db8::2"))

    def test_aRuleComesBeforeItsRoutesAndGoesAfterThem(self) -> None:
        """
        No route is ever there that no rule leads to.
        """
        self.tables.update(plan(Ownership((TWO,)), "eth0", local=False))
        deletedRule = self.kernel.log.index("delete iif eth0 to 2001:db8::/64 lookup 64")
        deletedRoute = self.kernel.log.index("delete local 2001:db8::/64 dev lo table 64")
        addedRoute = self.kernel.log.index("add local 2001:db8:2::/64 dev lo table 64")
        addedRule = self.kernel.log.index("add iif eth0 to 2001:db8:2::/64 lookup 64")
        self.assertLess(deletedRoute, deletedRule)
        self.assertLess(addedRule, addedRoute)

    def test_whenKilledAtAnyPointTheNextStartFindsEverything(self) -> None:
        """
        During the start, a change or the end: also where the next run has another prefix.
        """
        one = wanted("2001:db8::1", "2001:db8::2", local=True)
        two = plan(Ownership((TWO,)), "eth0", local=False)
        three = plan(Ownership((parsePrefix("2001:db8:3::/64"),)), "eth0", local=False)
        for point in range(40):
            self.kernel = MemoryKernel()
            killed = RoutingTables(self.kernel, "eth0")
            self.kernel.refusals.extend([*[None] * point, KeyboardInterrupt()])
            with contextlib.suppress(KeyboardInterrupt):
                killed.apply(one)
                killed.update(two)
                killed.undo()
            self.kernel.refusals.clear()
            RoutingTables(self.kernel, "eth0").apply(three)
            self.assertInKernel(three)

    def test_aRouteOfAnotherKindGoesBeforeItsSuccessorComes(self) -> None:
        """
        Two for one destination cannot stand side by side.
        """
        block = parsePrefix("2001:db8::ab00/120")
        hole = RoutingPlan((Route(RouteKind.THROW, block),), ())
        ground = RoutingPlan((Route(RouteKind.LOCAL, block),), ())
        self.tables.update(hole)
        for old, new in ((hole, ground), (ground, hole)):
            self.kernel.log.clear()
            self.tables.update(new)
            self.assertEqual(self.kernel.log, [f"delete {old.routes[0]}", f"add {new.routes[0]}"])
            self.assertInKernel(new)

    def test_whatSomebodyDeletedIsPutBack(self) -> None:
        """
        It is named, and the next update adds it; what was there before us or is nobody's is not
        touched.
        """
        whole = wanted("2001:db8::1")
        self.assertEqual(self.reread(), ([], []))
        self.leave(plan(Ownership((TWO,)), "eth1", local=False))
        everything = set(self.kernel.ourRoutes), set(self.kernel.ourRules)
        self.kernel.ourRules.discard(whole.rules[0])
        self.kernel.ourRoutes.discard(throw("2001:db8::1"))
        self.assertEqual(
            self.reread(),
            (["iif eth0 to 2001:db8::/64 lookup 64", "throw 2001:db8::1 table 64"], []),
        )
        self.tables.update(whole)
        self.assertEqual((self.kernel.ourRoutes, self.kernel.ourRules), everything)
        self.assertEqual(len(self.kernel.log), 2)
        self.assertEqual(self.reread(), ([], []))

    def test_whatWasDoneBeforeARefusalIsKnown(self) -> None:
        """
        The next update does what is left, and the end takes out all of it.
        """
        new = wanted("2001:db8::2", "2001:db8::3")
        self.kernel.refusals.extend([None, None, REFUSED])
        self.assertRaises(RoutingError, self.tables.update, new)
        self.assertIn(throw("2001:db8::2"), self.kernel.ourRoutes)
        self.kernel.log.clear()
        self.tables.update(new)
        self.assertEqual(self.kernel.log, ["add throw 2001:db8::3 table 64"])
        self.tables.undo()
        self.assertInKernel()


class UndoTests(Tables):
    """
    The end.
    """

    def test_localRoutesGoFirstThenTheHolesInThemThenTheRules(self) -> None:
        """
        Nothing is local for a moment that is not ours, and no route stays without its rule.
        """
        self.tables.apply(wanted("2001:db8::1"))
        self.kernel.log.clear()
        self.tables.undo()
        self.assertEqual(
            self.kernel.log,
            [
                "delete local 2001:db8::/64 dev lo table 64",
                "delete throw 2001:db8:: table 64",
                "delete throw 2001:db8::1 table 64",
                "delete throw 2001:db8::fdff:ffff:ffff:ff80/121 table 64",
                "delete iif eth0 to 2001:db8::/64 lookup 64",
            ],
        )

    def test_theOrderIsTheSameForWhatWasTakenOver(self) -> None:
        """
        In whatever order the kernel tells of it.
        """
        whole = wanted(*(f"2001:db8::{number:x}" for number in range(1, 30)), local=True)
        self.leave(whole)
        self.tables.apply(whole)
        self.tables.undo()
        self.assertEqual(
            [line.split()[:2] for line in self.kernel.log],
            [["delete", "local"]] + [["delete", "throw"]] * 31 + [["delete", "iif"]] * 2,
        )
        self.assertInKernel()

    def test_aSecondUndoDoesNothing(self) -> None:
        """
        Not even ask.
        """
        self.tables.apply(wanted())
        self.tables.undo()
        self.kernel.log.clear()
        self.tables.undo()
        self.assertEqual(self.kernel.log, [])

    def test_aRefusalIsLoggedAndDoesNotKeepTheRest(self) -> None:
        """
        Each deletion has its own try; what stays is what was refused.
        """
        whole = wanted("2001:db8::1")
        *holes, local = whole.routes
        for point, left in enumerate((local, *holes)):
            self.tables.apply(whole)
            self.kernel.refusals.extend([*[None] * point, REFUSED])
            self.tables.undo()
            self.assertInKernel(RoutingPlan((left,), ()))
            self.kernel.ourRoutes.clear()

    def test_aRuleThatTheKernelKeepsDoesNotKeepTheRoutes(self) -> None:
        """
        It leads to nothing: packets go as they went before, and the next start takes it over.
        """
        whole = wanted("2001:db8::1")
        self.tables.apply(whole)
        self.kernel.refusals.extend([*[None] * len(whole.routes), REFUSED])
        self.tables.undo()
        self.assertInKernel(RoutingPlan((), whole.rules))
        self.tables.apply(whole)
        self.assertInKernel(whole)

    def test_whatIsGoneAlreadyIsNoError(self) -> None:
        """
        Somebody flushed the table.
        """
        self.tables.apply(wanted())
        self.kernel.ourRoutes.clear()
        self.kernel.ourRules.clear()
        self.tables.undo()
        self.assertInKernel()


def served(*texts: str, interface: str, local: bool = False, excluded: str = "") -> RoutingPlan:
    """
    The plan for some prefixes.
    """
    blocks = tuple(map(parsePrefix, excluded.split()))
    return plan(Ownership(tuple(map(parsePrefix, texts)), blocks), interface, local)


class TakeOverTests(Tables):
    """
    No other instance that runs serves an address of ours. What is left inside our prefixes is of a
    run that crashed, on whichever interface.
    """

    def assertTakenOver(self, left: RoutingPlan, ours: RoutingPlan) -> None:
        """
        Afterwards there is what we want and nothing else, and at the end nothing.
        """
        self.leave(left)
        self.tables.apply(ours)
        self.assertInKernel(ours)
        self.tables.undo()
        self.assertInKernel()

    def test_theSamePrefixOnAnotherInterface(self) -> None:
        """
        Its routes are the same: only the rules change.
        """
        self.leave(wanted("2001:db8::1", interface="eth1"))
        self.tables.apply(wanted("2001:db8::1"))
        self.assertEqual(
            self.kernel.log,
            [
                "add iif eth0 to 2001:db8::/64 lookup 64",
                "delete iif eth1 to 2001:db8::/64 lookup 64",
            ],
        )
        self.assertInKernel(wanted("2001:db8::1"))

    def test_withTheRuleForTheHostItself(self) -> None:
        """
        Theirs goes where ours has none; where it has, it is the same one.
        """
        left = wanted(interface="eth1", local=True)
        self.assertTakenOver(left, wanted())
        self.leave(left)
        self.kernel.log.clear()
        self.tables.apply(wanted(local=True))
        self.assertInKernel(wanted(local=True))
        self.assertNotIn("delete iif lo to 2001:db8::/64 lookup 64", self.kernel.log)

    def test_aLongerOrShorterPrefix(self) -> None:
        """
        Inside ours, or around it: also its routes outside of ours, which no rule leads to any more.
        """
        for theirs in ("2001:db8::/96", "2001:db8:0:0:1::/96", "2001:db8::/56"):
            for interface in ("eth0", "eth1"):
                left = served(theirs, interface=interface, local=True)
                for local in (False, True):
                    self.assertTakenOver(left, wanted("2001:db8::1", local=local))

    def test_whatWasExcludedIsServedAndWhatWasServedIsExcluded(self) -> None:
        """
        A hole becomes ground, and ground a hole.
        """
        outer = served("2001:db8::/60", interface="eth0", excluded="2001:db8:0:1::/64")
        inner = served("2001:db8:0:1::/64", interface="eth0")
        self.assertTakenOver(outer, inner)
        self.assertTakenOver(inner, outer)

    def test_onLoopbackTheRulesOfOtherInstancesStay(self) -> None:
        """
        C{iif lo} beside another interface's rule is that one's, though our interface is lo.
        """
        other = served("2001:db8:2::/64", interface="eth1", local=True)
        self.leave(other)
        tables = RoutingTables(self.kernel, "lo")
        tables.apply(wanted(interface="lo", local=True))
        self.assertInKernel(wanted(interface="lo", local=True), other)
        tables.undo()
        self.assertInKernel(other)

    def test_onLoopbackAnEarlierRunsOtherPrefixIsDeleted(self) -> None:
        """
        C{iif lo} alone is of a run on lo; elsewhere it is left to that.
        """
        left = served("2001:db8:2::/64", interface="lo", local=True)
        self.leave(left)
        self.tables.apply(wanted())
        self.assertInKernel(wanted(), left)
        self.tables.undo()
        tables = RoutingTables(self.kernel, "lo")
        tables.apply(wanted(interface="lo", local=True))
        self.assertInKernel(wanted(interface="lo", local=True))

    def test_whichRulesAreLeftOvers(self) -> None:
        """
        Those of our interface, those that serve an address of ours, and the C{iif lo} beside them.
        """
        ours = [Rule("eth0", TWO), Rule("lo", TWO), Rule("eth1", ONE), Rule("lo", ONE)]
        part = parsePrefix("2001:db8:0:0:1::/96")
        ours += [Rule("eth2", part), Rule("lo", part), Rule("eth2", parsePrefix("2001:db8::/32"))]
        three = parsePrefix("2001:db8:3::/64")
        others = [Rule("eth1", three), Rule("lo", three)]
        self.assertEqual(leftoverRules({*ours, *others}, wanted(), "eth0"), set(ours))

    def test_whichRulesOverlap(self) -> None:
        """
        Those on another interface that serve an address of ours.
        """
        part = parsePrefix("2001:db8:0:0:1::/96")
        around = parsePrefix("2001:db8::/48")
        overlapping = [Rule("eth1", ONE), Rule("eth2", part), Rule("eth3", around)]
        others = [Rule("eth0", ONE), Rule("eth0", part), Rule("eth1", TWO), Rule("lo", TWO)]
        found = overlappingRules({*overlapping, *others}, (ONE,), "eth0")
        self.assertEqual(set(found), set(overlapping))
        self.assertEqual(found, sorted(found, key=str), "the same one is named each time")
        self.assertEqual(overlappingRules(set(), (ONE,), "eth0"), [])
