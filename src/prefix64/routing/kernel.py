"""
Requests to rtnetlink(7), on a plain socket with pyroute2's message classes.

The kernel answers inside C{send()}, so a request never waits: it is safe in any reactor, and needs
no event loop or thread of its own (pyroute2's synchronous calls run one, which the asyncio reactor
refuses).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyroute2.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
)
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import (
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETNETCONF,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
)
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from zope.interface import Interface, implementer

from prefix64.addressing import formatAddress
from prefix64.errors import PrivilegeError, RoutingError
from prefix64.routing.messages import (
    FR_ACT_TO_TBL,
    KIND_NUMBERS,
    InterfaceAddress,
    InterfaceRoute,
    Link,
    readAddress,
    readGateways,
    readLink,
    readNeighbor,
    readRoute,
    readRouted,
    readRule,
)
from prefix64.routing.netconf import Marshal, netconfmsg, readForwarding
from prefix64.routing.plan import LOOPBACK, PRIORITY, PROTOCOL, TABLE, Route, RouteKind, Rule

_T = TypeVar("_T")

_SOL_NETLINK = 270
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_NLM_F_DUMP_INTR = 0x10
_DUMP_TRIES = 8
_RECEIVE = 1 << 16
_TIMEOUT = 5.0


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

    def routes() -> set[Route]:
        """
        Our routes: those with our protocol in our table.
        """

    def rules() -> set[Rule]:
        """
        Our rules: those with our protocol, priority and table.
        """

    def addRoute(route: Route) -> None:
        """
        Add a route.

        @raise RoutingError: the kernel refused, or somebody else's stands there.
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

    def close() -> None:
        """
        Close the socket.
        """


@implementer(IRoutingKernel)
class RoutingKernel:
    """
    The kernel of the network namespace in which this was made.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._socket.settimeout(_TIMEOUT)
        for option in (_NETLINK_GET_STRICT_CHK, _NETLINK_EXT_ACK):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._marshal = Marshal()
        self._sequence = 0

    def close(self) -> None:
        """
        See L{IRoutingKernel.close}.
        """
        self._socket.close()

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

    def routes(self) -> set[Route]:
        """
        See L{IRoutingKernel.routes}.
        """
        return set(self._dump(RTM_GETROUTE, rtmsg, readRoute))

    def rules(self) -> set[Rule]:
        """
        See L{IRoutingKernel.rules}.
        """
        return set(self._dump(RTM_GETRULE, fibmsg, readRule))

    def addRoute(self, route: Route) -> None:
        """
        See L{IRoutingKernel.addRoute}.
        """
        try:
            self._request(RTM_NEWROUTE, _routeMessage(route), _ADD)
        except NetlinkError as error:
            if error.code == errno.EEXIST:
                raise RoutingError(
                    f"table {TABLE} has a route for {route.destination} already, and it is not "
                    f"ours: ip -6 route del {route.destination} table {TABLE} removes it"
                ) from None
            raise _refused("route", route, error) from None

    def deleteRoute(self, route: Route) -> None:
        """
        See L{IRoutingKernel.deleteRoute}.
        """
        self._delete(RTM_DELROUTE, _routeMessage(route), "route", route)

    def addRule(self, rule: Rule) -> None:
        """
        See L{IRoutingKernel.addRule}.
        """
        try:
            self._request(RTM_NEWRULE, _ruleMessage(rule), _ADD)
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
        self._delete(RTM_DELRULE, _ruleMessage(rule), "rule", rule)

    def _delete(self, kind: int, message: Any, what: str, value: Route | Rule) -> None:
        """
        Delete; what is gone already is no error.
        """
        try:
            self._request(kind, message, NLM_F_ACK)
        except NetlinkError as error:
            if error.code not in (errno.ESRCH, errno.ENOENT):
                raise _refused(what, value, error) from None

    def _dump(
        self, kind: int, messageClass: Callable[[], Any], read: Callable[[Any], _T | None]
    ) -> Iterator[_T]:
        """
        Ask for all of a kind, and read each; again when a change came in between.

        @raise RoutingError: the kernel refused.
        """
        for attempt in range(_DUMP_TRIES):
            message = messageClass()
            message["family"] = socket.AF_INET6 if messageClass is not ifinfmsg else 0
            try:
                messages = self._request(kind, message, NLM_F_DUMP)
            except NetlinkError as error:
                raise RoutingError(f"the kernel's tables cannot be read: {error}") from None
            torn = any(m["header"]["flags"] & _NLM_F_DUMP_INTR for m in messages)
            if not torn or attempt == _DUMP_TRIES - 1:
                break
        return (value for value in map(read, messages) if value is not None)

    def _request(self, kind: int, message: Any, flags: int) -> list[Any]:
        """
        Send a request and take the answers.

        @raise NetlinkError: the kernel refused, or could not be asked.
        """
        try:
            return self._ask(kind, message, flags)
        except OSError as error:
            raise NetlinkError(error.errno or errno.ETIMEDOUT, str(error)) from None

    def _ask(self, kind: int, message: Any, flags: int) -> list[Any]:
        """
        Send a request and take the answers.
        """
        self._sequence += 1
        header = message["header"]
        header["type"], header["flags"] = kind, NLM_F_REQUEST | flags
        header["sequence_number"] = self._sequence
        message.encode()
        self._socket.send(message.data)
        answers: list[Any] = []
        while True:
            for answer in self._marshal.parse(self._socket.recv(_RECEIVE)):
                header = answer["header"]
                if header["sequence_number"] != self._sequence:
                    continue
                if header["error"] is not None:
                    raise header["error"]
                if header["type"] in (NLMSG_ERROR, NLMSG_DONE):
                    return answers
                answers.append(answer)


_ADD = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL


def _routeMessage(route: Route) -> Any:
    """
    A route as a message. Every attribute is there, so that a deletion meets no other route.
    """
    message = rtmsg()
    message["family"], message["dst_len"] = socket.AF_INET6, route.destination.length
    message["table"], message["proto"] = TABLE, PROTOCOL
    message["type"] = KIND_NUMBERS[route.kind]
    attributes = [("RTA_DST", formatAddress(route.destination.network)), ("RTA_TABLE", TABLE)]
    if route.kind is RouteKind.LOCAL:
        attributes.append(("RTA_OIF", socket.if_nametoindex(LOOPBACK)))
    message["attrs"] = attributes
    return message


def _ruleMessage(rule: Rule) -> Any:
    """
    A rule as a message. Every attribute is there: without a priority or protocol a deletion would
    meet the first rule that fits, perhaps somebody else's.
    """
    message = fibmsg()
    message["family"], message["dst_len"] = socket.AF_INET6, rule.destination.length
    message["table"], message["action"] = TABLE, FR_ACT_TO_TBL
    message["attrs"] = [
        ("FRA_DST", formatAddress(rule.destination.network)),
        ("FRA_IIFNAME", rule.interface),
        ("FRA_PRIORITY", PRIORITY),
        ("FRA_PROTOCOL", PROTOCOL),
        ("FRA_TABLE", TABLE),
    ]
    return message


def _refused(what: str, value: Route | Rule, error: NetlinkError) -> Exception:
    """
    The error of a request that the kernel refused.
    """
    if error.code in (errno.EPERM, errno.EACCES):
        return PrivilegeError(f"{what} {value}: it needs CAP_NET_ADMIN: run it as root (sudo)")
    return RoutingError(f"{what} {value}: {os.strerror(error.code)}")
