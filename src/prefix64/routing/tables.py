"""
A plan brought into the kernel, kept up to date, and taken out again: only what is ours.

A route of ours never stands without the rule that leads to it, whenever the process may be killed:
rules are added first and deleted last. So the next start finds everything by the rules, also when
it serves another prefix. A rule that leads to nothing changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.errors import Prefix64Error, PrivilegeError, RoutingError
from prefix64.routing.kernel import IRoutingKernel
from prefix64.routing.plan import LOOPBACK, Route, RouteKind, RoutingPlan, Rule

_T = TypeVar("_T", Route, Rule)

_log = Logger("prefix64.routing")


class RoutingTables:
    """
    What is in the kernel on our behalf. No other instance that runs serves an address of ours
    (L{overlappingRules} finds one before anything is changed), so what has our numbers and lies in
    our prefixes is ours.

    @ivar routes: the routes that are there, by destination.
    @ivar rules: the rules that are there.
    """

    def __init__(self, kernel: IRoutingKernel, interface: str) -> None:
        """
        @param interface: the name of the interface that is served.
        """
        self._kernel = kernel
        self._interface = interface
        self.routes: dict[Prefix, Route] = {}
        self.rules: set[Rule] = set()

    def apply(self, plan: RoutingPlan) -> None:
        """
        Bring the plan into the kernel. What an earlier run left (recognised by protocol, table,
        priority, and our interface or prefix) is taken over, or deleted where it is no longer
        wanted.

        @raise Prefix64Error: the kernel refused; everything is undone.
        """
        found = self._kernel.rules()
        self.rules = leftoverRules(found, plan, self._interface)
        leftover = self._leftoverRoutes(plan, found - self.rules)
        self.routes = {route.destination: route for route in leftover}
        count = len(self.rules) + len(self.routes)
        if count:
            _log.info("taking over {count} rules and routes of an earlier run", count=count)
        try:
            self.update(plan)
        except Prefix64Error:
            self.undo()
            raise

    def update(self, plan: RoutingPlan) -> None:
        """
        Change what is there into what the plan wants.

        @raise Prefix64Error: the kernel refused. What was done until then is known, and the next
            update goes on from there.
        """
        wanted = {route.destination: route for route in plan.routes}
        for rule in plan.rules:
            if rule not in self.rules:
                self._addRule(rule)
        for route in _undoOrder(self.routes.values()):
            if wanted.get(route.destination) != route:
                self._kernel.deleteRoute(route)
                del self.routes[route.destination]
        for route in plan.routes:
            if route.destination not in self.routes:
                self._addRoute(route)
        for rule in sorted(self.rules.difference(plan.rules), key=_loopbackFirst):
            self._kernel.deleteRule(rule)
            self.rules.remove(rule)

    def _addRule(self, rule: Rule) -> None:
        """
        Add a rule. It is known before it is there: a signal that ends the start may come in
        between.
        """
        self.rules.add(rule)
        try:
            self._kernel.addRule(rule)
        except (RoutingError, PrivilegeError):
            self.rules.remove(rule)
            raise

    def _addRoute(self, route: Route) -> None:
        """
        Add a route; known before it is there, as a rule is.
        """
        self.routes[route.destination] = route
        try:
            self._kernel.addRoute(route)
        except (RoutingError, PrivilegeError):
            del self.routes[route.destination]
            raise

    def reread(self) -> list[str]:
        """
        See what of ours is still in the kernel. The next update adds what is missing.

        @return: what is missing, as C{ip} would call it.
        @raise Prefix64Error: the kernel's tables cannot be read.
        """
        rules, routes = self._kernel.rules(), self._kernel.routes()
        gone = [route for route in self.routes.values() if route not in routes]
        missing = [*map(str, sorted(self.rules - rules, key=str)), *map(str, gone)]
        self.rules &= rules
        for route in gone:
            del self.routes[route.destination]
        return missing

    def undo(self) -> None:
        """
        Take everything out: the local routes, the holes in them, and the rules last. What the
        kernel refuses is logged, and does not keep the rest.
        """
        for route in _undoOrder(self.routes.values()):
            self._attempt(self._kernel.deleteRoute, route)
        for rule in sorted(self.rules, key=_loopbackFirst):
            self._attempt(self._kernel.deleteRule, rule)
        self.routes, self.rules = {}, set()

    def _attempt(self, delete: Callable[[_T], None], what: _T) -> None:
        """
        Delete, and log an error.
        """
        try:
            delete(what)
        except (RoutingError, PrivilegeError) as error:
            _log.error("not undone: {error}", error=error)

    def _leftoverRoutes(self, plan: RoutingPlan, others: set[Rule]) -> list[Route]:
        """
        The routes that an earlier run left inside our prefixes, or inside those that its rules
        name, unless a rule of another instance leads to them.

        @param others: the rules of other instances.
        """
        mine = destinations([*plan.rules, *self.rules])
        theirs = destinations(others)
        return [
            route
            for route in self._kernel.routes()
            if any(prefix.covers(route.destination) for prefix in mine)
            and not any(prefix.covers(route.destination) for prefix in theirs)
        ]


def _undoOrder(routes: Iterable[Route]) -> list[Route]:
    """
    Local routes first: without its hole a local route would take what is not ours.
    """
    return sorted(routes, key=lambda route: (route.kind is RouteKind.THROW, route.destination))


def _loopbackFirst(rule: Rule) -> tuple[bool, str]:
    """
    An order in which no C{iif lo} rule is left without the rule of its interface, by which alone it
    is known whose it is.
    """
    return rule.interface != LOOPBACK, str(rule)


def destinations(rules: Iterable[Rule]) -> set[Prefix]:
    """
    The prefixes that rules name.
    """
    return {rule.destination for rule in rules}


def leftoverRules(found: set[Rule], plan: RoutingPlan, interface: str) -> set[Rule]:
    """
    Which of the rules with our numbers an earlier run left that was on this interface, or served an
    address of ours. The C{iif lo} rule of another prefix goes with the rule of its interface.

    @param found: all rules with our numbers.
    @param interface: the served one.
    """
    prefixes = destinations(plan.rules)

    def isOurs(rule: Rule) -> bool:
        if any(prefix.overlaps(rule.destination) for prefix in prefixes):
            return True
        if rule.interface != LOOPBACK:
            return rule.interface == interface
        same = {other.interface for other in found if other.destination == rule.destination}
        return same == {LOOPBACK, interface}

    return set(filter(isOurs, found))


def overlappingRules(found: set[Rule], plan: RoutingPlan, interface: str) -> list[Rule]:
    """
    The rules with our numbers that serve an address of ours on another interface: of an instance
    that runs, which is a contradiction, or left by one that crashed.

    @param found: all rules with our numbers.
    @param interface: the served one.
    """
    prefixes = destinations(plan.rules)
    ofAnInterface = destinations(rule for rule in found if rule.interface != LOOPBACK)

    def overlaps(rule: Rule) -> bool:
        if rule.interface == LOOPBACK and rule.destination in ofAnInterface:
            return False  # it came with the rule of that interface
        others = rule.interface != interface
        return others and any(prefix.overlaps(rule.destination) for prefix in prefixes)

    return sorted(filter(overlaps, found), key=str)
