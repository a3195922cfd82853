"""
The kernel's tables as the doctor reads them: everybody's rules and routes, not only ours.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import (
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_GETRULE,
)
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from prefix64.addressing import ADDRESS_BITS, Prefix, parseAddress
from prefix64.doctor.facts import AddressFact, LinkFact, RouteFact, RuleFact
from prefix64.routing.kernel import RoutingKernel
from prefix64.routing.messages import PLAIN_RULE, readLink, readNeighbor, readRule

_TENTATIVE, _FAILED = 0x40, 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED
_LOWER_UP = 0x10000  # IFF_LOWER_UP
_CLONED = 0x200
_PROXY_ENTRY = 0x08  # NTF_PROXY
_INVERTED = 0x02  # FIB_RULE_INVERT
_NO_SUPPRESSION = 0xFFFFFFFF


class HostReader(RoutingKernel):
    """
    Reads, and never changes anything.
    """

    def linkFact(self, name: str) -> LinkFact | None:
        """
        Read an interface, without its addresses and what is not in rtnetlink.
        """
        with contextlib.suppress(UnicodeError):
            link = self.link(name)
            if link is None:
                return None
            message = ifinfmsg()
            message["attrs"] = [("IFLA_IFNAME", link.name)]
            try:
                found = self._request(RTM_GETLINK, message, NLM_F_ACK)[0]
            except NetlinkError:
                return None
            return self._linkFact(found)
        return None

    def _linkFact(self, message: Any) -> LinkFact:
        """
        Make the fact of a link's message. Kernels before 6.0 do not tell of ALLMULTI here.
        """
        info = message.get_attr("IFLA_LINKINFO")
        data = info.get_attr("IFLA_INFO_DATA") if info is not None else None
        isBridge = info is not None and info.get_attr("IFLA_INFO_KIND") == "bridge"
        counts = (message.get_attr("IFLA_ALLMULTI"), message.get_attr("IFLA_PROMISCUITY"))
        return LinkFact(
            readLink(message),
            carrier=bool(message["flags"] & _LOWER_UP),
            receivesAllMulticast=None if counts[0] is None else any(counts),
            snooping=bool(isBridge and data and data.get_attr("IFLA_BR_MCAST_SNOOPING")),
            master=self._names().get(message.get_attr("IFLA_MASTER") or 0, ""),
            addresses=tuple(self._addressFacts(message["index"])),
        )

    def _names(self) -> dict[int, str]:
        """
        The names of all interfaces by their indexes.
        """
        return {link.index: link.name for link in self._dump(RTM_GETLINK, ifinfmsg, readLink)}

    def _addressFacts(self, index: int) -> Iterator[AddressFact]:
        """
        The IPv6 addresses of an interface.
        """

        def read(message: Any) -> AddressFact | None:
            text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if message["family"] != socket.AF_INET6 or message["index"] != index or text is None:
                return None
            flags = message.get_attr("IFA_FLAGS") or message["flags"]
            return AddressFact(parseAddress(text), bool(flags & _TENTATIVE), bool(flags & _FAILED))

        return self._dump(RTM_GETADDR, ifaddrmsg, read)

    def ruleFacts(self) -> list[RuleFact]:
        """
        All IPv6 rules, in the order in which the kernel goes through them.
        """
        return list(self._dump(RTM_GETRULE, fibmsg, readRuleFact))

    def routeFacts(self) -> list[RouteFact]:
        """
        All IPv6 routes of all tables, but for those that path MTU discovery made.
        """
        names = self._names()
        return list(self._dump(RTM_GETROUTE, rtmsg, lambda message: readRouteFact(message, names)))

    def proxied(self, index: int) -> set[int]:
        """
        The addresses for which the kernel is a proxy on an interface.
        """

        def proxyRequest() -> Any:
            message = ndmsg()
            message["flags"] = _PROXY_ENTRY
            return message

        make: Callable[[], Any] = proxyRequest
        return {
            entry.address
            for entry in self._dump(RTM_GETNEIGH, make, readNeighbor)
            if entry.interface == index
        }

    def neighborCount(self) -> int:
        """
        How many entries the IPv6 neighbor table has.
        """
        return len(list(self._dump(RTM_GETNEIGH, ndmsg, readNeighbor)))


def readRuleFact(message: Any) -> RuleFact | None:
    """
    Read anybody's rule.
    """
    if message["family"] != socket.AF_INET6:
        return None
    suppressed = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    names = {name for name, _ in message["attrs"]}
    more = bool(message["src_len"] or message["tos"] or message["flags"] & _INVERTED)
    return RuleFact(
        priority=message.get_attr("FRA_PRIORITY") or 0,
        destination=_prefix(message, message.get_attr("FRA_DST")),
        table=message.get_attr("FRA_TABLE") or message["table"],
        interface=message.get_attr("FRA_IIFNAME") or "",
        conditional=more or not names <= PLAIN_RULE,
        action=message["action"],
        suppressed=-1 if suppressed in (None, _NO_SUPPRESSION) else suppressed,
        ours=readRule(message),
    )


def readRouteFact(message: Any, names: dict[int, str]) -> RouteFact | None:
    """
    Read anybody's route.

    @param names: those of the interfaces, by their indexes.
    """
    if message["family"] != socket.AF_INET6 or message["flags"] & _CLONED:
        return None
    hops = message.get_attr("RTA_MULTIPATH") or ()
    indexes = [message.get_attr("RTA_OIF"), *(hop["oif"] for hop in hops)]
    gateways = [hop.get_attr("RTA_GATEWAY") for hop in (message, *hops)]
    return RouteFact(
        table=message.get_attr("RTA_TABLE") or message["table"],
        destination=_prefix(message, message.get_attr("RTA_DST")),
        kind=message["type"],
        interfaces=tuple(names.get(i, str(i)) for i in indexes if i is not None),
        gateways=tuple(parseAddress(gateway) for gateway in gateways if gateway is not None),
    )


def _prefix(message: Any, text: str | None) -> Prefix:
    """
    The destination of a rule or route; none is C{::/0}.
    """
    length = message["dst_len"]
    shift = ADDRESS_BITS - length
    return Prefix((parseAddress(text) if text is not None else 0) >> shift << shift, length)
