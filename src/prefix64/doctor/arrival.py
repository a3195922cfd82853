"""
What the kernel would do with a packet that comes in: the same question as
C{ip -6 route get ADDRESS from SOURCE iif NAME}.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from pyroute2.netlink import NLM_F_ACK, nlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_GETROUTE
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from prefix64.addressing import ADDRESS_BITS, formatAddress
from prefix64.doctor.facts import Arrival
from prefix64.kernel.requests import RtnetlinkSocket
from prefix64.routing.entries import SERVICE_PROTOCOLS
from prefix64.routing.facts import RTN_LOCAL

_SOURCE = 0xFE80 << 112 | 1
"""C{fe80::1}: somebody on the link."""


class askmsg(nlmsg):
    """
    C{struct rtmsg} with the attributes of the question (linux/rtnetlink.h): pyroute2's own class
    has no ports, and a child of it would have its attributes only.
    """

    prefix = rtmsg.prefix
    fields = rtmsg.fields
    nla_map = (
        (1, "RTA_DST", "ip6addr"),
        (2, "RTA_SRC", "ip6addr"),
        (3, "RTA_IIF", "uint32"),
        (16, "RTA_MARK", "uint32"),
        (27, "RTA_IP_PROTO", "uint8"),
        (29, "RTA_DPORT", "be16"),
    )


class ArrivalReader(RtnetlinkSocket):
    """
    Asks the kernel for its decision. Nothing is sent, and nothing is changed.
    """

    def arrival(self, address: int, interface: int, port: int | None, mark: int = 0) -> Arrival:
        """
        Ask what becomes of a packet.

        @param address: its destination.
        @param interface: the index of the interface that it comes in on.
        @param port: of TCP; L{None} for a packet of no protocol that has ports.
        @param mark: the firewall mark that it has by then.
        """
        try:
            answers = self._request(
                RTM_GETROUTE, _question(address, interface, port, mark), NLM_F_ACK
            )
        except NetlinkError as error:
            text = _REFUSALS.get(error.code, f"refused ({os.strerror(error.code)})")
            return Arrival(address, port, False, text)
        kind = answers[0]["type"] if answers else 0
        return Arrival(address, port, kind == RTN_LOCAL, _KINDS.get(kind, f"of the kind {kind}"))


_REFUSALS = {
    errno.EINVAL: "dropped (blackhole)",
    errno.EACCES: "refused (prohibit)",
    errno.ENETUNREACH: "refused: there is no route",
    errno.EHOSTUNREACH: "refused: there is no route",
}
"""What becomes of a packet for which there is no route, by the kernel's error."""

_KINDS = {
    1: "sent on to another machine",
    2: "this host's own",
    6: "dropped",
    7: "refused as unreachable",
    8: "refused as prohibited",
}
"""What becomes of a packet, by the kind of its route (C{RTN_*})."""


def _question(address: int, interface: int, port: int | None, mark: int) -> Any:
    """
    The body of RTM_GETROUTE.
    """
    message = askmsg()
    message["family"] = socket.AF_INET6
    message["dst_len"] = message["src_len"] = ADDRESS_BITS
    attributes: list[tuple[str, Any]] = [
        ("RTA_DST", formatAddress(address)),
        ("RTA_SRC", formatAddress(_SOURCE)),
        ("RTA_IIF", interface),
    ]
    if mark:
        attributes.append(("RTA_MARK", mark))
    if port is not None:
        attributes += [("RTA_IP_PROTO", SERVICE_PROTOCOLS["tcp"]), ("RTA_DPORT", port)]
    message["attrs"] = attributes
    return message
