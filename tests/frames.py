"""
The frames of the protocol's cases, made and read by scapy: an implementation that shares no code
with prefix64, nor its mistakes.

scapy is imported at the first use, for it takes its time, and it says nothing. Every frame has its
Ethernet addresses and its IPv6 source given, so that scapy resolves and asks nothing.
"""

from __future__ import annotations

import logging
from functools import cache
from socket import AF_INET6, inet_ntop, inet_pton
from types import SimpleNamespace
from typing import Any, NamedTuple

HOST_LINK = "02:00:00:00:00:01"
"""H: our link-layer address."""

ROUTER_LINK = "02:00:00:00:00:fe"
"""R: the router's."""

ROUTER = "fe80::fe"
PREFIX = "2001:db8:0:64::/64"
TARGET = "2001:db8:0:64::57:cafe"
"""T: an address of P. Its last 24 bits make the group ff02::1:ff57:cafe."""

ICMPV6 = 58
ALL_NODES_LINK = "33:33:00:00:00:01"


@cache
def scapy() -> Any:
    """
    The names of scapy that the tests use.
    """
    logging.getLogger("scapy.runtime").setLevel(logging.CRITICAL)
    from scapy.config import conf

    conf.verb = 0
    from scapy import packet, utils, utils6
    from scapy.layers import inet, inet6, l2

    names: dict[str, Any] = {}
    for module in (packet, utils, utils6, inet, inet6, l2):
        names.update(vars(module))
    return SimpleNamespace(**names)


def addressBytes(address: str) -> bytes:
    """
    The 16 bytes of an IPv6 address.
    """
    return inet_pton(AF_INET6, address)


def linkBytes(linkLayerAddress: str) -> bytes:
    """
    The 6 bytes of a link-layer address.
    """
    return bytes.fromhex(linkLayerAddress.replace(":", ""))


def groupOf(target: str) -> str:
    """
    The solicited-node group of an address.
    """
    return inet_ntop(AF_INET6, scapy().in6_getnsma(addressBytes(target)))


def linkGroupOf(group: str) -> str:
    """
    The Ethernet address that frames to an IPv6 group are sent to (RFC 2464 7).
    """
    return "33:33:" + ":".join(f"{byte:02x}" for byte in addressBytes(group)[12:])


def frame(
    message: Any,
    source: str,
    destination: str,
    linkSource: str = ROUTER_LINK,
    linkDestination: str | None = None,
    headers: Any = None,
    padding: bytes = b"",
    **ipv6: Any,
) -> bytes:
    """
    Put a message into an IPv6 packet and that into a frame.

    @param linkDestination: C{None} for the group's, or for H if the destination is no group.
    @param headers: extension headers, as scapy has them.
    @param padding: what stands behind the payload, and is not counted by its length.
    @param ipv6: fields of scapy's IPv6 header.
    """
    s = scapy()
    if linkDestination is None:
        isGroup = addressBytes(destination)[0] == 0xFF
        linkDestination = linkGroupOf(destination) if isGroup else HOST_LINK
    packet = s.Ether(src=linkSource, dst=linkDestination) / s.IPv6(
        src=source, dst=destination, **ipv6
    )
    if headers is not None:
        packet = packet / headers.copy()
        packet.lastlayer().nh = ICMPV6
    return bytes(s.raw(packet / message)) + padding


def sllao(linkLayerAddress: str = ROUTER_LINK) -> bytes:
    """
    A Source Link-Layer Address option.
    """
    s = scapy()
    return bytes(s.raw(s.ICMPv6NDOptSrcLLAddr(lladdr=linkLayerAddress)))


def unknownOption(kind: int, value: bytes) -> bytes:
    """
    An option that scapy has no name for; the nonce (RFC 7527) is number 14.
    """
    s = scapy()
    length = (len(value) + 2) // 8
    return bytes(s.raw(s.ICMPv6NDOptUnknown(type=kind, len=length, data=value)))


def solicitation(
    target: str = TARGET,
    source: str = ROUTER,
    destination: str | None = None,
    options: bytes | None = None,
    code: int = 0,
    checksum: int | None = None,
    hopLimit: int = 255,
    **rest: Any,
) -> bytes:
    """
    A Neighbor Solicitation; without arguments the base one of the cases.

    @param destination: C{None} for the target's solicited-node group.
    @param options: C{None} for a Source Link-Layer Address option with R.
    @param checksum: C{None} for the right one.
    @param rest: see L{frame}.
    """
    s = scapy()
    message = s.ICMPv6ND_NS(tgt=target, code=code, cksum=checksum)
    options = sllao() if options is None else options
    if options:
        message = message / s.Raw(options)
    destination = groupOf(target) if destination is None else destination
    return frame(message, source, destination, hlim=hopLimit, **rest)


def probe(target: str = TARGET, options: bytes = b"", **rest: Any) -> bytes:
    """
    A duplicate address probe: a solicitation from the unspecified address (RFC 4862 5.4.2).
    """
    return solicitation(target, source="::", options=options, **rest)


def advertisement(
    target: str = TARGET,
    source: str = ROUTER,
    solicited: int = 0,
    override: int = 1,
    destination: str = "ff02::1",
    hopLimit: int = 255,
    **rest: Any,
) -> bytes:
    """
    Somebody's Neighbor Advertisement; without arguments an unsolicited one, to all nodes.
    """
    s = scapy()
    message = s.ICMPv6ND_NA(tgt=target, R=0, S=solicited, O=override)
    message = message / s.ICMPv6NDOptDstLLAddr(lladdr=ROUTER_LINK)
    return frame(message, source, destination, hlim=hopLimit, **rest)


def echoRequest(
    destination: str = TARGET,
    source: str = ROUTER,
    data: bytes = b"abcdefgh",
    identifier: int = 0x1234,
    sequence: int = 7,
    code: int = 0,
    checksum: int | None = None,
    **rest: Any,
) -> bytes:
    """
    An Echo Request.
    """
    s = scapy()
    message = s.ICMPv6EchoRequest(id=identifier, seq=sequence, data=data, code=code, cksum=checksum)
    return frame(message, source, destination, **rest)


def tcp(
    destination: str = TARGET, source: str = ROUTER, sourcePort: int = 0x8700, **rest: Any
) -> bytes:
    """
    A TCP segment; its source port stands where an ICMPv6 type would.
    """
    s = scapy()
    return frame(s.TCP(sport=sourcePort, dport=80, flags="S"), source, destination, **rest)


def fragmentHeader(offset: int = 0, more: int = 0) -> Any:
    """
    A Fragment header; offset 0 without more to come is an atomic fragment (RFC 6946).

    @param offset: in units of 8 bytes.
    """
    return scapy().IPv6ExtHdrFragment(offset=offset, m=more, id=0x64)


def hopByHop() -> Any:
    """
    A Hop-by-Hop Options header with a Router Alert, as MLD has it.
    """
    s = scapy()
    return s.IPv6ExtHdrHopByHop(options=[s.RouterAlert()])


def destinationOptions() -> Any:
    """
    A Destination Options header with padding only.
    """
    return scapy().IPv6ExtHdrDestOpt()


def routing() -> Any:
    """
    A Routing header of type 0 that has no address left to visit.
    """
    return scapy().IPv6ExtHdrRouting(addresses=[])


class Advertisement(NamedTuple):
    """
    All that a Neighbor Advertisement has to say, as scapy reads it.

    @ivar flags: the whole byte behind the checksum, reserved bits too.
    @ivar targetLinkLayer: the value of the Target Link-Layer Address option.
    """

    linkDestination: str
    linkSource: str
    source: str
    destination: str
    hopLimit: int
    flags: int
    target: str
    targetLinkLayer: str


class EchoReply(NamedTuple):
    """
    All that an Echo Reply has to say, as scapy reads it.
    """

    linkDestination: str
    linkSource: str
    source: str
    destination: str
    trafficClass: int
    identifier: int
    sequence: int
    data: bytes


def rebuilt(packet: Any) -> bytes:
    """
    The frame as scapy makes it, with lengths and checksum its own.
    """
    again = packet.copy()
    del again[scapy().IPv6].plen
    del again[scapy().IPv6].payload.cksum
    return bytes(scapy().raw(again))


def dissected(reply: bytes, *layers: Any) -> Any:
    """
    Have scapy read a frame of ours.

    @raise AssertionError: it has other layers, or lengths or a checksum that scapy would not write.
    """
    packet = scapy().Ether(reply)
    found = packet.layers()
    if found != list(layers):
        raise AssertionError(f"scapy reads {[layer.__name__ for layer in found]}")
    if rebuilt(packet) != reply:
        raise AssertionError(f"scapy would write {rebuilt(packet).hex()}, not {reply.hex()}")
    return packet


def readAdvertisement(reply: bytes) -> Advertisement:
    """
    Read a Neighbor Advertisement, of which nothing may be malformed.
    """
    s = scapy()
    packet = dissected(reply, s.Ether, s.IPv6, s.ICMPv6ND_NA, s.ICMPv6NDOptDstLLAddr)
    ipv6, message, option = packet[s.IPv6], packet[s.ICMPv6ND_NA], packet[s.ICMPv6NDOptDstLLAddr]
    if (ipv6.version, ipv6.fl, message.code, message.res, option.len) != (6, 0, 0, 0, 1):
        raise AssertionError(packet.show(dump=True))
    return Advertisement(
        packet.dst,
        packet.src,
        ipv6.src,
        ipv6.dst,
        ipv6.hlim,
        bytes(s.raw(message))[4],
        message.tgt,
        option.lladdr,
    )


def readEchoReply(reply: bytes) -> EchoReply:
    """
    Read an Echo Reply, of which nothing may be malformed.
    """
    s = scapy()
    packet = dissected(reply, s.Ether, s.IPv6, s.ICMPv6EchoReply)
    ipv6, message = packet[s.IPv6], packet[s.ICMPv6EchoReply]
    if (ipv6.version, ipv6.fl, message.code) != (6, 0, 0) or ipv6.hlim == 0:
        raise AssertionError(packet.show(dump=True))
    return EchoReply(
        packet.dst,
        packet.src,
        ipv6.src,
        ipv6.dst,
        ipv6.tc,
        message.id,
        message.seq,
        bytes(message.data),
    )
