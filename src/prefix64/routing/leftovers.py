"""
Whose is a rule or a route that is in the kernel: of an earlier run of this instance, of another
instance, or of nobody who runs. Pure: nothing here touches the kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from prefix64.addressing import Prefix
from prefix64.routing.entries import (
    EVERYWHERE,
    LOOPBACK,
    MAIN_TABLE,
    Numbers,
    Proxy,
    Route,
    RouteKind,
    Rule,
)
from prefix64.routing.plan import RoutingPlan


def isOfInstance(rule: Rule, numbers: Numbers) -> bool:
    """
    Tell whether a rule with our protocol has the table and the priority of an instance.
    """
    if rule.drops:
        return rule.priority == numbers.priority + 1
    return rule.priority == numbers.priority and rule.table in (numbers.table, MAIN_TABLE)


def destinations(rules: Iterable[Rule]) -> set[Prefix]:
    """
    The prefixes that rules name.
    """
    return {rule.destination for rule in rules}


def leftoverRules(
    found: set[Rule], plan: RoutingPlan, interface: str, marksAreOthers: bool = False
) -> set[Rule]:
    """
    Which of the rules with our numbers an earlier run left that was on this interface, or served an
    address of ours. The C{iif lo} rule of another prefix goes with the rule of its interface. The
    rule for a firewall mark is of whoever runs with it, or of nobody who runs.

    @param found: all rules with our numbers.
    @param interface: the served one.
    @param marksAreOthers: whether another instance that runs has the rule for a firewall mark.
    """
    prefixes = {*plan.prefixes, *(route.destination for route in plan.routes)}

    def isOurs(rule: Rule) -> bool:
        if not rule.interface:
            return not marksAreOthers
        if any(prefix.overlaps(rule.destination) for prefix in prefixes):
            return True
        if rule.interface != LOOPBACK:
            return rule.interface == interface
        same = {other.interface for other in found if other.destination == rule.destination}
        return same == {LOOPBACK, interface}

    return set(filter(isOurs, found))


def leftoverRoutes(
    found: Iterable[Route], plan: RoutingPlan, mine: Iterable[Rule], others: Iterable[Rule]
) -> list[Route]:
    """
    The routes that an earlier run left inside our prefixes, or inside those that its rules name,
    unless a rule of another instance leads to them. A rule for a firewall mark names no prefix: the
    routes of nobody else in its table are its own.

    @param found: the routes with our protocol in our table.
    @param mine: the rules of the earlier run.
    @param others: the rules of other instances that lead to our table, of whichever priority.
    """
    served = {*plan.prefixes, *(route.destination for route in plan.routes)}
    named = destinations([*plan.rules, *mine])
    theirs = destinations(others) - {EVERYWHERE}

    def isOurs(route: Route) -> bool:
        if any(prefix.covers(route.destination) for prefix in served):
            return True
        isNamed = any(prefix.covers(route.destination) for prefix in named)
        return isNamed and not any(prefix.covers(route.destination) for prefix in theirs)

    return list(filter(isOurs, found))


def overlappingRules(
    found: Iterable[Rule], prefixes: Iterable[Prefix], interface: str
) -> list[Rule]:
    """
    The rules of ours that serve an address of some prefixes on another interface: of an instance
    that runs, which is a contradiction, or left by one that crashed.

    @param found: all rules with our protocol.
    @param prefixes: the served ones.
    @param interface: where they are served.
    """
    rules, served = [rule for rule in found if rule.interface], list(prefixes)
    ofAnInterface = destinations(rule for rule in rules if rule.interface != LOOPBACK)

    def overlaps(rule: Rule) -> bool:
        if rule.interface == LOOPBACK and rule.destination in ofAnInterface:
            return False  # it came with the rule of that interface
        others = rule.interface != interface
        return others and any(prefix.overlaps(rule.destination) for prefix in served)

    return sorted(filter(overlaps, rules), key=str)


def overlappingRoutes(
    found: Iterable[Route],
    rules: Iterable[Rule],
    prefixes: Iterable[Prefix],
    marked: Collection[int],
) -> list[Route]:
    """
    The routes of ours by which an instance that is led to by a firewall mark serves an address of
    some prefixes: its rule names neither a prefix nor an interface. What the rule of an interface
    leads to is of that interface.

    @param found: all routes with our protocol.
    @param rules: all rules with our protocol.
    @param prefixes: the served ones.
    @param marked: the tables to which the marks of others that run lead.
    """
    named = [(rule.table, rule.destination) for rule in rules if rule.interface]
    served = list(prefixes)

    def overlaps(route: Route) -> bool:
        if any(t == route.table and p.covers(route.destination) for t, p in named):
            return False
        return any(prefix.overlaps(route.destination) for prefix in served)

    return sorted((one for one in found if one.table in marked and overlaps(one)), key=str)


@dataclass(frozen=True)
class Running:
    """
    Who runs.

    @ivar interfaces: the names of those that are served.
    @ivar marks: the tables to which somebody who runs leads a firewall mark.
    """

    interfaces: Collection[str] = frozenset()
    marks: Collection[int] = frozenset()


@dataclass(frozen=True)
class Leftovers:
    """
    What nobody who runs has put into the kernel, in the order in which it is to be deleted: the
    proxies, the routes, and the rules last.
    """

    proxies: tuple[Proxy, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()


def leftovers(
    rules: Collection[Rule],
    routes: Iterable[Route],
    proxies: Iterable[Proxy],
    numbers: Numbers,
    running: Running,
    only: str | None = None,
) -> Leftovers:
    """
    Find what crashed runs left.

    @param rules: all rules with our protocol; so with the others.
    @param numbers: of the crashed runs. A proxy has none.
    @param only: the name of the one interface that is asked for; L{None} for every one. What no
        interface can be told of goes in either case.
    """
    mine = {rule for rule in rules if isOfInstance(rule, numbers)}
    left = {r for r in mine if not _runs(r, mine, running) and _isAsked(r, mine, only)}
    others = set(rules) - mine
    kept = {r for r in others if _runs(r, others, running)} | (mine - left)
    inTable = [route for route in routes if route.table == numbers.table]
    leading = [rule for rule in kept if rule.table == numbers.table]
    named = {rule.interface for rule in rules}
    hidden = numbers.table in running.marks or any(i not in named for i in running.interfaces)
    gone = [
        proxy
        for proxy in proxies
        if proxy.interface not in running.interfaces and only in (None, proxy.interface)
    ]
    return Leftovers(
        tuple(sorted(gone, key=str)),
        tuple(undoOrder(_ledNowhere(inTable, left, leading, hidden))),
        tuple(sorted(left, key=deletionOrder)),
    )


def _owners(rule: Rule, found: Iterable[Rule]) -> set[str]:
    """
    The names of the interfaces that an instance may serve which has a rule. An C{iif lo} rule came
    with the rule of an interface for the same prefix, if there is one.
    """
    if rule.interface != LOOPBACK:
        return {rule.interface}
    same = {other.interface for other in found if other.destination == rule.destination}
    return same - {LOOPBACK} or {LOOPBACK}


def _runs(rule: Rule, found: Iterable[Rule], running: Running) -> bool:
    """
    Tell whether a rule is of somebody who runs.

    @param found: the rules with the same numbers.
    """
    if not rule.interface:
        return rule.table in running.marks
    return not _owners(rule, found).isdisjoint(running.interfaces)


def _isAsked(rule: Rule, found: Iterable[Rule], only: str | None) -> bool:
    """
    Tell whether a rule is to be deleted where only one interface is asked for.
    """
    return only is None or not rule.interface or only in _owners(rule, found)


def _ledNowhere(
    routes: Iterable[Route], left: Iterable[Rule], kept: Iterable[Rule], hidden: bool
) -> list[Route]:
    """
    The routes in our table to which only rules lead that are left, or none.

    @param left: the rules that are to be deleted.
    @param kept: the rules that stay and lead to the table.
    @param hidden: whether somebody runs whose rules do not name his prefixes, or are gone for a
        moment: routes to which no rule leads may be his.
    """
    ours, theirs = (destinations(rules) - {EVERYWHERE} for rules in (left, kept))
    return [
        route
        for route in routes
        if not any(prefix.covers(route.destination) for prefix in theirs)
        and (not hidden or any(prefix.covers(route.destination) for prefix in ours))
    ]


def otherNumbers(rules: Collection[Rule], numbers: Numbers, running: Running) -> list[Numbers]:
    """
    Under which other tables and priorities crashed runs seem to have left rules.

    @param rules: all rules with our protocol.
    @param numbers: those that are looked at already.
    """
    pairs = {(rule.table, rule.priority) for rule in rules if rule.table not in (0, MAIN_TABLE)}
    others = [Numbers(*pair) for pair in sorted(pairs - {(numbers.table, numbers.priority)})]
    found = {one: leftovers(rules, (), (), one, running).rules for one in others}
    return [one for one in others if any(rule.table == one.table for rule in found[one])]


def undoOrder(routes: Iterable[Route]) -> list[Route]:
    """
    Local routes first: without its hole a local route would take what is not ours.
    """
    return sorted(routes, key=lambda route: (route.kind is not RouteKind.LOCAL, route.destination))


def deletionOrder(rule: Rule) -> tuple[bool, bool, str]:
    """
    An order in which nothing is dropped that was let through, and in which no C{iif lo} rule is
    left without the rule of its interface, by which alone it is known whose it is.
    """
    return not rule.drops, rule.interface != LOOPBACK, str(rule)
