"""
What rtnetlink messages say, as values: links, addresses, gateways, neighbors, where routes lead.

The messages are pyroute2's: a mapping of the fixed header's fields, with attributes behind it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prefix64.addressing import ADDRESS_BITS, Prefix, parseAddress
from prefix64.routing.facts import RTN_UNICAST

_RTPROT_KERNEL = 2
_RTPROT_RA = 9
_IFF_UP = 1
_IFF_RUNNING = 0x40
_CLONED = 0x200  # RTM_F_CLONED: what path MTU discovery learned

_KNOWN_NEIGHBOR = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""REACHABLE, STALE, DELAY, PROBE, PERMANENT: states in which a neighbor has answered once."""


@dataclass(frozen=True)
class Link:
    """
    A network interface.

    @ivar hardwareType: ARPHRD_*: 1 is Ethernet, 772 loopback.
    @ivar linkLayerAddress: 6 bytes on Ethernet; empty where there is none.
    @ivar up: whether an administrator wants it up.
    @ivar running: whether it can carry packets: it is up, and so is what is at its other end.
    @ivar portOf: what it is a port of, C{bridge} or C{bond}; empty for one that stands by itself.
    """

    name: str
    index: int
    hardwareType: int
    linkLayerAddress: bytes
    up: bool
    portOf: str = ""
    running: bool = True


@dataclass(frozen=True)
class InterfaceAddress:
    """
    An address of one of the host's interfaces.

    @ivar interface: the interface's index.
    @ivar length: of the prefix that is on the link with it; it does not tell addresses apart.
    """

    interface: int
    address: int
    length: int = field(default=ADDRESS_BITS, compare=False)


@dataclass(frozen=True)
class Neighbor:
    """
    A neighbor on one of the host's interfaces.

    @ivar interface: the interface's index.
    @ivar known: whether it has answered once, and is not known to be gone.
    """

    interface: int
    address: int
    known: bool


@dataclass(frozen=True)
class InterfaceRoute:
    """
    A route of the host's.

    @ivar interface: the index of the interface that it leads to.
    @ivar ofKernel: whether the kernel made it by itself: for an address, or by an advertisement.
    """

    interface: int
    destination: Prefix
    ofKernel: bool = False


def readLink(message: Any) -> Link:
    """
    Read an RTM_NEWLINK or RTM_DELLINK message.
    """
    text = message.get_attr("IFLA_ADDRESS") or ""
    info = message.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_SLAVE_KIND") if info is not None else None
    return Link(
        name=_nameOf(message),
        index=message["index"],
        hardwareType=message["ifi_type"],
        linkLayerAddress=bytes.fromhex(text.replace(":", "")) if text.count(":") == 5 else b"",
        up=bool(message["flags"] & _IFF_UP),
        portOf=kind or "",
        running=bool(message["flags"] & _IFF_RUNNING),
    )


def _nameOf(message: Any) -> str:
    """
    The name of an interface. It may be any bytes; pyroute2 leaves what is not UTF-8 as it is.
    """
    name = message.get_attr("IFLA_IFNAME")
    return os.fsdecode(name) if isinstance(name, bytes) else str(name)


def readAddress(message: Any) -> InterfaceAddress | None:
    """
    Read an RTM_NEWADDR or RTM_DELADDR message. With a peer, the address is the local one.
    """
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    if message["family"] != socket.AF_INET6 or text is None:
        return None
    return InterfaceAddress(message["index"], parseAddress(text), message["prefixlen"])


def readGateways(message: Any) -> Iterator[int]:
    """
    Read the next hops of an RTM_NEWROUTE or RTM_DELROUTE message.
    """
    if message["family"] != socket.AF_INET6:
        return
    for hop in (message, *(message.get_attr("RTA_MULTIPATH") or ())):
        gateway = hop.get_attr("RTA_GATEWAY")
        if gateway is not None:
            yield parseAddress(gateway)


def readRouted(message: Any) -> Iterator[InterfaceRoute]:
    """
    Read where an RTM_NEWROUTE or RTM_DELROUTE message leads to: nowhere, if it is no unicast route;
    to several interfaces, if it is a multipath one. What a router advertisement says (RFC 4191) is
    no part of the host's own set-up.
    """
    unicast = message["type"] == RTN_UNICAST and not message["flags"] & _CLONED
    unicast = unicast and message["proto"] != _RTPROT_RA
    if message["family"] != socket.AF_INET6 or not unicast:
        return
    destination = destinationOf(message, "RTA_DST")
    hops = message.get_attr("RTA_MULTIPATH") or ()
    for interface in (message.get_attr("RTA_OIF"), *(hop["oif"] for hop in hops)):
        if interface is not None:
            yield InterfaceRoute(interface, destination, message["proto"] == _RTPROT_KERNEL)


def readNeighbor(message: Any) -> Neighbor | None:
    """
    Read an RTM_NEWNEIGH or RTM_DELNEIGH message.

    @return: L{None} for a message that names no IPv6 address.
    """
    text = message.get_attr("NDA_DST")
    if message["family"] != socket.AF_INET6 or text is None:
        return None
    known = bool(message["state"] & _KNOWN_NEIGHBOR and message.get_attr("NDA_LLADDR"))
    return Neighbor(message["ifindex"], parseAddress(text), known)


def destinationOf(message: Any, attribute: str) -> Prefix:
    """
    The destination prefix of a rule or route; none is C{::/0}.

    @param attribute: the name of the attribute that has the address.
    """
    length = message["dst_len"]
    text = message.get_attr(attribute)
    address = parseAddress(text) if text is not None else 0
    shift = ADDRESS_BITS - length
    return Prefix(address >> shift << shift, length)
