"""
The kernel's tables as the doctor reads them: everybody's rules and routes, not only ours.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from prefix64.addressing import parseAddress
from prefix64.doctor.facts import AddressFact, LinkFact
from prefix64.kernel.encoding import proxyRequest
from prefix64.kernel.messages import readLink, readNeighbor
from prefix64.kernel.routing_kernel import RoutingKernel

_TENTATIVE, _FAILED = 0x40, 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED
_LOWER_UP = 0x10000  # IFF_LOWER_UP


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
            master=self.names().get(message.get_attr("IFLA_MASTER") or 0, ""),
            addresses=tuple(self._addressFacts(message["index"])),
        )

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

    def proxied(self, index: int) -> set[int]:
        """
        The addresses for which the kernel is a proxy on an interface.
        """
        return {
            entry.address
            for entry in self._dump(RTM_GETNEIGH, proxyRequest, readNeighbor)
            if entry.interface == index
        }

    def neighborCount(self) -> int:
        """
        How many entries the IPv6 neighbor table has.
        """
        return len(list(self._dump(RTM_GETNEIGH, ndmsg, readNeighbor)))
