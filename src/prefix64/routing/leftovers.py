"""
Whose is a rule or a route that is in the kernel: of an earlier run of this instance, or of another
instance. Pure: nothing here touches the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable

from prefix64.addressing import Prefix
from prefix64.routing.entries import EVERYWHERE, LOOPBACK, MAIN_TABLE, Numbers, Route, Rule
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
    prefixes = {route.destination for route in plan.routes}

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
    @param others: the rules of other instances.
    """
    prefixes = destinations([*plan.rules, *mine]) | {route.destination for route in plan.routes}
    theirs = destinations(others) - {EVERYWHERE}
    return [
        route
        for route in found
        if any(prefix.covers(route.destination) for prefix in prefixes)
        and not any(prefix.covers(route.destination) for prefix in theirs)
    ]


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
