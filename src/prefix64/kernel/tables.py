"""
A plan brought into the kernel, kept up to date, and taken out again: only what is ours.

A route of ours never stands without the rule that leads to it, whenever the process may be killed:
rules are added first and deleted last. So the next start finds everything by the rules, also when
it serves another prefix. A rule that leads to nothing changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from twisted.logger import Logger

from prefix64.addressing import Prefix
from prefix64.errors import Prefix64Error, PrivilegeError, RoutingError
from prefix64.kernel.interface import IRoutingKernel
from prefix64.routing.entries import Numbers, Proxy, Route, RouteKind, Rule
from prefix64.routing.leftovers import (
    deletionOrder,
    isOfInstance,
    leftoverRoutes,
    leftoverRules,
    undoOrder,
)
from prefix64.routing.plan import RoutingPlan
from prefix64.routing.restraint import Restraint

_T = TypeVar("_T", Route, Rule, Proxy)

_log = Logger("prefix64.routing")


class RoutingTables:
    """
    What is in the kernel on our behalf: rules, routes and neighbor proxies. No other instance that
    runs serves an address of ours, which is seen to before anything is changed; so what has our
    numbers and lies in our prefixes is ours.

    @ivar routes: the routes that are there, by destination.
    @ivar rules: the rules that are there.
    @ivar proxies: the neighbor proxies that are there.
    """

    def __init__(
        self, kernel: IRoutingKernel, interface: str, numbers: Numbers | None = None
    ) -> None:
        """
        @param interface: the name of the interface that is served.
        @param numbers: of this instance.
        """
        self._kernel = kernel
        self._interface = interface
        self._numbers = numbers or Numbers()
        self._restraint = Restraint()
        self._marksAreOthers = False
        self.routes: dict[Prefix, Route] = {}
        self.rules: set[Rule] = set()
        self.proxies: set[Proxy] = set()

    def apply(self, plan: RoutingPlan, marksAreOthers: bool = False) -> None:
        """
        Bring the plan into the kernel. What an earlier run left (recognised by protocol, table,
        priority, and our interface or prefix) is taken over, or deleted where it is no longer
        wanted.

        @param marksAreOthers: whether another instance that runs has the rule for a firewall mark.
        @raise Prefix64Error: the kernel refused; everything is undone.
        """
        self._marksAreOthers = marksAreOthers
        self.takeOver(plan)
        try:
            self.update(plan)
        except Prefix64Error:
            self.undo()
            raise

    def takeOver(self, plan: RoutingPlan) -> None:
        """
        Find what an earlier run left of the plan, or on this interface. The next L{update} deletes
        of it what the plan does not want.

        @raise Prefix64Error: the kernel's tables cannot be read.
        """
        known = {*self.rules, *self.routes.values(), *self.proxies}
        self._findOurs(plan)
        count = len({*self.rules, *self.routes.values(), *self.proxies} - known)
        if count:
            _log.info("taking over {count} rules and routes of an earlier run", count=count)

    def _findOurs(self, plan: RoutingPlan) -> None:
        """
        Find what is ours in the kernel, if the plan is.
        """
        found = self._rulesInKernel()
        self.rules = leftoverRules(found, plan, self._interface, self._marksAreOthers)
        others = self._kernel.rules() - self.rules
        leadingHere = [rule for rule in others if rule.table == self._numbers.table]
        left = leftoverRoutes(self._routesInKernel(), plan, self.rules, leadingHere)
        self.routes = {route.destination: route for route in left}
        self.proxies = self._proxiesInKernel()

    def _rulesInKernel(self) -> set[Rule]:
        """
        The rules with our numbers.
        """
        return {rule for rule in self._kernel.rules() if isOfInstance(rule, self._numbers)}

    def _routesInKernel(self) -> set[Route]:
        """
        The routes with our protocol in our table.
        """
        return {route for route in self._kernel.routes() if route.table == self._numbers.table}

    def _proxiesInKernel(self) -> set[Proxy]:
        """
        The neighbor proxies with our protocol on our interface.
        """
        found = self._kernel.proxies()
        return {proxy for proxy in found if proxy.interface == self._interface}

    def update(self, plan: RoutingPlan) -> None:
        """
        Change what is there into what the plan wants.

        @raise Prefix64Error: the kernel refused. What was done until then is known, and the next
            update goes on from there.
        """
        for proxy in sorted(self.proxies.difference(plan.proxies), key=str):
            self._kernel.deleteProxy(proxy)
            self.proxies.remove(proxy)
        for rule in self._missing(plan.rules, self.rules):
            self._add(rule, self.rules.add, self._kernel.addRule, self.rules.remove)
        self._updateRoutes(plan)
        for rule in sorted(self.rules.difference(plan.rules), key=deletionOrder):
            self._kernel.deleteRule(rule)
            self.rules.remove(rule)
        self._addProxies(plan)

    def _updateRoutes(self, plan: RoutingPlan) -> None:
        """
        Change the routes. What was a hole and is one afterwards is one in between, too: one hole
        changes its kind at once, and one that others take the place of goes after they have come.
        """
        unwanted = undoOrder(set(self.routes.values()).difference(plan.routes))
        wanted = self._missing(plan.routes, set(self.routes.values()))
        holes = [route for route in wanted if route.kind is not RouteKind.LOCAL]
        local = [route for route in wanted if route.kind is RouteKind.LOCAL]
        changed = {route.destination for route in holes} & {
            route.destination for route in unwanted if route.kind is not RouteKind.LOCAL
        }
        rest = [route for route in unwanted if route.destination not in changed]
        self._deleteRoutes(route for route in rest if not _isTakenOver(route, holes))
        for route in holes:
            if route.destination in changed:
                self._kernel.replaceRoute(self.routes[route.destination], route)
                self._remember(route)
            else:
                self._add(route, self._remember, self._kernel.addRoute, self._forget)
        self._deleteRoutes(route for route in rest if _isTakenOver(route, holes))
        for route in local:
            self._add(route, self._remember, self._kernel.addRoute, self._forget)

    def renamed(self, name: str) -> None:
        """
        Take the neighbor proxies out of an interface that has another name now.

        @param name: what it is called.
        @raise Prefix64Error: the kernel refused.
        """
        mine = {proxy.address for proxy in self.proxies}
        for proxy in sorted(self._kernel.proxies(), key=str):
            if proxy.interface == name and proxy.address in mine:
                self._kernel.deleteProxy(proxy)

    def _deleteRoutes(self, routes: Iterable[Route]) -> None:
        """
        Delete routes that are not wanted any more.
        """
        for route in routes:
            self._kernel.deleteRoute(route)
            del self.routes[route.destination]

    def _missing(self, wanted: Iterable[_T], there: set[_T]) -> list[_T]:
        """
        What is to be added, in order: but for what somebody does not want there.
        """
        abandoned = self._restraint.abandoned
        return [one for one in wanted if one not in there and one not in abandoned]

    def _addProxies(self, plan: RoutingPlan) -> None:
        """
        Add the neighbor proxies that are missing. For an address for which somebody else has made
        one, the kernel answers already.
        """
        missing = self._missing(plan.proxies, self.proxies)
        foreign = self._kernel.foreignProxies() if missing else set()
        for proxy in missing:
            if proxy not in foreign:
                self._add(proxy, self.proxies.add, self._kernel.addProxy, self.proxies.remove)

    def _remember(self, route: Route) -> None:
        """
        Know a route.
        """
        self.routes[route.destination] = route

    def _forget(self, route: Route) -> None:
        """
        Know a route no longer.
        """
        del self.routes[route.destination]

    @staticmethod
    def _add(
        one: _T,
        remember: Callable[[_T], None],
        add: Callable[[_T], None],
        forget: Callable[[_T], None],
    ) -> None:
        """
        Add something. It is known before it is there: a signal that ends the start may come in
        between.
        """
        remember(one)
        try:
            add(one)
        except (RoutingError, PrivilegeError):
            forget(one)
            raise

    def reread(
        self, now: float, excused: Callable[[Hashable], bool]
    ) -> tuple[list[str], list[str]]:
        """
        See what of ours is still in the kernel. The next update adds what is missing, but for what
        was put back already not long ago.

        @param now: seconds, of any monotonic clock.
        @param excused: tells whether the kernel itself may have deleted something.
        @return: what is put back, and what is now left alone, as C{ip} would call it.
        @raise Prefix64Error: the kernel's tables cannot be read.
        """
        rules, routes, proxies = (
            self._rulesInKernel(), self._routesInKernel(), self._proxiesInKernel()
        )  # fmt: skip
        there: set[Hashable] = {*rules, *routes, *proxies}
        mine = [*sorted(self.rules, key=str), *self.routes.values(), *sorted(self.proxies, key=str)]
        gone = [one for one in mine if one not in there]
        self.rules &= rules
        self.proxies &= proxies
        self.routes = {key: route for key, route in self.routes.items() if route in routes}
        self._restraint.found(there)
        flushed = [str(one) for one in gone if excused(one)]
        back, left = self._restraint.judge([one for one in gone if not excused(one)], now)
        return [*flushed, *back], left

    def proxiesDiffer(self, plan: RoutingPlan) -> bool:
        """
        Tell whether a neighbor proxy of ours is gone or back, or one may be added in the place of
        somebody else's.

        @raise Prefix64Error: the kernel's tables cannot be read.
        """
        if self._proxiesInKernel() != self.proxies:
            return True
        missing = self._missing(plan.proxies, self.proxies)
        return bool(missing) and not self._kernel.foreignProxies().issuperset(missing)

    def undo(self) -> None:
        """
        Take everything out: the proxies, the local routes, the holes in them, and the rules last.
        What the kernel refuses is logged, and does not keep the rest.
        """
        for proxy in sorted(self.proxies, key=str):
            self._attempt(self._kernel.deleteProxy, proxy)
        for route in undoOrder(self.routes.values()):
            self._attempt(self._kernel.deleteRoute, route)
        for rule in sorted(self.rules, key=deletionOrder):
            self._attempt(self._kernel.deleteRule, rule)
        self.routes, self.rules, self.proxies = {}, set(), set()

    def _attempt(self, delete: Callable[[_T], None], what: _T) -> None:
        """
        Delete, and log an error.
        """
        try:
            delete(what)
        except (RoutingError, PrivilegeError) as error:
            _log.error("not undone: {error}", error=error)


def _isTakenOver(route: Route, holes: Iterable[Route]) -> bool:
    """
    Tell whether a hole has addresses that new holes are to have.
    """
    isHole = route.kind is not RouteKind.LOCAL
    return isHole and any(hole.destination.overlaps(route.destination) for hole in holes)
