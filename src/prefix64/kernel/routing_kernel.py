"""
The kernel's tables: what there is, and adding and deleting what is ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import (
    RTM_DELNEIGH,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETNETCONF,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_NEWRULE,
)
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from zope.interface import implementer

from prefix64.errors import PrivilegeError, RoutingError
from prefix64.kernel.encoding import (
    oneProxyRequest,
    proxyMessage,
    proxyRequest,
    routeMessage,
    ruleMessage,
)
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.message_classes import netconfmsg, readForwarding, rulemsg
from prefix64.kernel.messages import (
    InterfaceAddress,
    InterfaceRoute,
    Link,
    readAddress,
    readGateways,
    readLink,
    readNeighbor,
    readRouted,
)
from prefix64.kernel.requests import RtnetlinkSocket
from prefix64.kernel.rule_list import RuleList
from prefix64.kernel.switches import readSwitch, switchedInterfaces, writeSwitch
from prefix64.kernel.table_messages import (
    readProxy,
    readRoute,
    readRouteFact,
    readRule,
    readRuleFact,
)
from prefix64.routing.entries import PROTOCOL, Proxy, Route, Rule, Sysctl
from prefix64.routing.facts import RouteFact, RuleFact

_T = TypeVar("_T")


@implementer(IRoutingKernel)
class RoutingKernel(RtnetlinkSocket):
    """
    The kernel of the network namespace in which this was made.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rules: RuleList | None = None
        self._rulesUsed = 0.0

    def link(self, name: str) -> Link | None:
        """
        See L{IRoutingKernel.link}.
        """
        message = ifinfmsg()
        message["attrs"] = [("IFLA_IFNAME", name)]
        try:
            return readLink(self._request(RTM_GETLINK, message, NLM_F_ACK)[0])
        except NetlinkError as error:
            if error.code in (errno.ENODEV, errno.EINVAL, errno.ERANGE):
                return None
            raise RoutingError(f"interface {name!r} cannot be read: {error}") from None

    def linkNames(self) -> list[str]:
        """
        See L{IRoutingKernel.linkNames}.
        """
        return [link.name for link in self._dump(RTM_GETLINK, ifinfmsg, readLink)]

    def addresses(self) -> set[InterfaceAddress]:
        """
        See L{IRoutingKernel.addresses}.
        """
        return set(self._dump(RTM_GETADDR, ifaddrmsg, readAddress))

    def gateways(self) -> set[int]:
        """
        See L{IRoutingKernel.gateways}.
        """
        hops = self._dump(RTM_GETROUTE, rtmsg, lambda message: list(readGateways(message)))
        return {gateway for found in hops for gateway in found}

    def routed(self) -> set[InterfaceRoute]:
        """
        See L{IRoutingKernel.routed}.
        """
        found = self._dump(RTM_GETROUTE, rtmsg, lambda message: list(readRouted(message)))
        return {route for routes in found for route in routes}

    def neighbors(self, interface: int) -> set[int]:
        """
        See L{IRoutingKernel.neighbors}.
        """
        found = self._dump(RTM_GETNEIGH, ndmsg, readNeighbor)
        return {n.address for n in found if n.known and n.interface == interface}

    def forwarding(self) -> set[int]:
        """
        See L{IRoutingKernel.forwarding}.
        """
        found = self._dump(RTM_GETNETCONF, netconfmsg, readForwarding)
        return {index for index, forwarding in found if forwarding}

    def names(self) -> dict[int, str]:
        """
        See L{IRoutingKernel.names}.
        """
        return {link.index: link.name for link in self._dump(RTM_GETLINK, ifinfmsg, readLink)}

    def switch(self, interface: str, name: str) -> str | None:
        """
        See L{IRoutingKernel.switch}.
        """
        return readSwitch(interface, name)

    def setSwitch(self, sysctl: Sysctl) -> None:
        """
        See L{IRoutingKernel.setSwitch}.
        """
        writeSwitch(sysctl)

    def switchedInterfaces(self) -> list[str]:
        """
        See L{IRoutingKernel.switchedInterfaces}.
        """
        return switchedInterfaces()

    def ruleFacts(self) -> list[RuleFact]:
        """
        See L{IRoutingKernel.ruleFacts}.
        """
        return list(self._dumpRules(readRuleFact))

    def routeFacts(self) -> list[RouteFact]:
        """
        See L{IRoutingKernel.routeFacts}.
        """
        names = self.names()
        return list(self._dump(RTM_GETROUTE, rtmsg, lambda message: readRouteFact(message, names)))

    def routes(self) -> set[Route]:
        """
        See L{IRoutingKernel.routes}.
        """
        return set(self._dump(RTM_GETROUTE, rtmsg, readRoute))

    def rules(self) -> set[Rule]:
        """
        See L{IRoutingKernel.rules}.
        """
        return set(self._dumpRules(readRule))

    def _dumpRules(self, read: Callable[[Any], _T | None]) -> Iterator[_T]:
        """
        Read all rules. A kernel may have been built without (CONFIG_IPV6_MULTIPLE_TABLES): then
        there are none, not even the kernel's own.
        """
        return self._dump(RTM_GETRULE, rulemsg, read, _WITHOUT_RULES)

    def proxies(self) -> set[Proxy]:
        """
        See L{IRoutingKernel.proxies}.
        """
        names = self.names()
        found = self._dump(RTM_GETNEIGH, proxyRequest, lambda message: readProxy(message, names))
        return set(found)

    def addRoute(self, route: Route) -> None:
        """
        See L{IRoutingKernel.addRoute}.
        """
        try:
            self._request(RTM_NEWROUTE, routeMessage(route), _ADD)
        except NetlinkError as error:
            if error.code == errno.EEXIST:
                raise RoutingError(
                    f"table {route.table} has a route for {route.destination} already, and it is "
                    f"not ours: ip -6 route del {route.destination} table {route.table} removes it"
                ) from None
            raise _refused("route", route, error) from None

    def replaceRoute(self, old: Route, new: Route) -> None:
        """
        See L{IRoutingKernel.replaceRoute}.
        """
        try:
            self._request(RTM_NEWROUTE, routeMessage(new), _REPLACE)
        except NetlinkError as error:
            raise _refused("route", new, error) from None

    def deleteRoute(self, route: Route) -> None:
        """
        See L{IRoutingKernel.deleteRoute}.
        """
        self._delete(RTM_DELROUTE, routeMessage(route), "route", route)

    def addRule(self, rule: Rule) -> None:
        """
        See L{IRoutingKernel.addRule}.
        """
        self._rules = None
        try:
            self._request(RTM_NEWRULE, ruleMessage(rule), _ADD)
        except NetlinkError as error:
            if error.code == errno.EEXIST:
                raise RoutingError(
                    f"there is a rule like ours ({rule}) that is not ours: "
                    "ip -6 rule shows it, ip -6 rule del removes it"
                ) from None
            raise _refused("rule", rule, error) from None

    def deleteRule(self, rule: Rule) -> None:
        """
        See L{IRoutingKernel.deleteRule}.
        """
        rules = self._ruleList()
        alike, isThere = rules.before(rule)
        if alike and not isThere:
            return  # gone already
        for specific in alike:
            if specific is None:
                self._rules = None
                raise RoutingError(
                    f"rule {rule}: somebody else's rule with our protocol stands before it, and "
                    "would be deleted in its place: ip -6 rule shows it, ip -6 rule del removes it"
                )
            self.deleteRule(specific)
            self.addRule(specific)  # which puts it behind
        self._delete(RTM_DELRULE, ruleMessage(rule), "rule", rule)
        rules.deleted(rule)
        self._rulesUsed = time.monotonic()

    def _ruleList(self) -> RuleList:
        """
        The rules in their order. For deletions in a row they are read once.
        """
        if self._rules is None or time.monotonic() - self._rulesUsed > _IN_A_ROW:
            self._rules = RuleList(self._dumpRules(lambda message: message))
        return self._rules

    def foreignProxies(self) -> set[Proxy]:
        """
        See L{IRoutingKernel.foreignProxies}.
        """
        names = self.names()
        found = self._dump(
            RTM_GETNEIGH, proxyRequest, lambda message: readProxy(message, names, ours=False)
        )
        return set(found)

    def addProxy(self, proxy: Proxy) -> None:
        """
        See L{IRoutingKernel.addProxy}.
        """
        try:
            self._request(RTM_NEWNEIGH, proxyMessage(proxy), NLM_F_ACK | NLM_F_CREATE)
        except NetlinkError as error:
            raise _refused("neighbor", proxy, error) from None
        except OSError as error:
            reason = error.strerror or "there is no such interface"
            raise RoutingError(f"neighbor {proxy}: {reason}") from None

    def deleteProxy(self, proxy: Proxy) -> None:
        """
        See L{IRoutingKernel.deleteProxy}.
        """
        with contextlib.suppress(OSError):  # gone with its interface
            if self._isOurs(proxy):
                self._delete(RTM_DELNEIGH, proxyMessage(proxy), "neighbor", proxy)

    def _isOurs(self, proxy: Proxy) -> bool:
        """
        Tell whether an entry has our protocol: by its deletion the kernel does not ask.
        """
        try:
            found = self._request(RTM_GETNEIGH, oneProxyRequest(proxy), NLM_F_ACK)
        except NetlinkError:
            return True  # let the deletion say what is wrong
        return any(message.get_attr("NDA_PROTOCOL") == PROTOCOL for message in found)

    def _delete(self, kind: int, message: Any, what: str, value: object) -> None:
        """
        Delete; what is gone already is no error.
        """
        try:
            self._request(kind, message, NLM_F_ACK)
        except NetlinkError as error:
            if error.code not in (errno.ESRCH, errno.ENOENT):
                raise _refused(what, value, error) from None


_IN_A_ROW = 0.005
"""Seconds between deletions for which the order of the rules need not be read anew."""

_WITHOUT_RULES = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)
_ADD = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
_REPLACE = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE


def _refused(what: str, value: object, error: NetlinkError) -> Exception:
    """
    The error of a request that the kernel refused.
    """
    if error.code in (errno.EPERM, errno.EACCES):
        return PrivilegeError(f"{what} {value}: it needs CAP_NET_ADMIN: run it as root (sudo)")
    return RoutingError(f"{what} {value}: {os.strerror(error.code)}")
