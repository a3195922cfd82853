"""
What is asked of the kernel's tables.
"""

from __future__ import annotations

from zope.interface import Interface

from prefix64.kernel.messages import InterfaceAddress, InterfaceRoute, Link
from prefix64.routing.entries import Proxy, Route, Rule, Sysctl
from prefix64.routing.facts import RouteFact, RuleFact


class IRoutingKernel(Interface):
    """
    The kernel's tables: what there is, and adding and deleting what is ours.
    """

    def link(name: str) -> Link | None:
        """
        Find an interface by its name.
        """

    def linkNames() -> list[str]:
        """
        The names of all interfaces.
        """

    def addresses() -> set[InterfaceAddress]:
        """
        The IPv6 addresses of all interfaces.
        """

    def gateways() -> set[int]:
        """
        The IPv6 next hops of all routes in all tables.
        """

    def routed() -> set[InterfaceRoute]:
        """
        The host's IPv6 unicast routes in all tables, and where they lead.
        """

    def neighbors(interface: int) -> set[int]:
        """
        The IPv6 neighbors on an interface that have answered once.

        @param interface: the interface's index.
        """

    def forwarding() -> set[int]:
        """
        The indices of the interfaces that forward IPv6.
        """

    def names() -> dict[int, str]:
        """
        The names of all interfaces, by their indexes.
        """

    def switch(interface: str, name: str) -> str | None:
        """
        Read a switch below net.ipv6.conf.

        @param interface: the interface's name, or C{all}.
        @return: what it is; L{None} if there is none of that name.
        """

    def setSwitch(sysctl: Sysctl) -> None:
        """
        Set a switch.

        @raise RoutingError: the kernel refused.
        """

    def switchedInterfaces() -> list[str]:
        """
        The names of the interfaces that have switches.
        """

    def ruleFacts() -> list[RuleFact]:
        """
        Everybody's IPv6 rules, in the order in which the kernel goes through them.
        """

    def routeFacts() -> list[RouteFact]:
        """
        Everybody's IPv6 routes of all tables, but for those that path MTU discovery made.
        """

    def routes() -> set[Route]:
        """
        The routes with our protocol, of all tables.
        """

    def rules() -> set[Rule]:
        """
        The rules with our protocol, of all tables and priorities.
        """

    def proxies() -> set[Proxy]:
        """
        The neighbor proxies with our protocol, of all interfaces.
        """

    def foreignProxies() -> set[Proxy]:
        """
        The neighbor proxies of others.
        """

    def addRoute(route: Route) -> None:
        """
        Add a route.

        @raise RoutingError: the kernel refused, or somebody else's stands there.
        """

    def replaceRoute(old: Route, new: Route) -> None:
        """
        Put a route of ours in the place of another one of ours, for the same destination, at once.

        @raise RoutingError: the kernel refused.
        """

    def deleteRoute(route: Route) -> None:
        """
        Delete a route of ours. One that is gone already is no error.

        @raise RoutingError: the kernel refused.
        """

    def addRule(rule: Rule) -> None:
        """
        Add a rule.

        @raise RoutingError: the kernel refused.
        """

    def deleteRule(rule: Rule) -> None:
        """
        Delete a rule of ours. One that is gone already is no error.

        @raise RoutingError: the kernel refused.
        """

    def addProxy(proxy: Proxy) -> None:
        """
        Add a neighbor proxy. One that is there already would become ours: see first that there is
        none of somebody else's.

        @raise RoutingError: the kernel refused, or the interface is not there.
        """

    def deleteProxy(proxy: Proxy) -> None:
        """
        Delete a neighbor proxy of ours. One that is gone already is no error.

        @raise RoutingError: the kernel refused.
        """

    def close() -> None:
        """
        Close the socket.
        """
