"""
The wire formats: Ethernet, IPv6 (RFC 8200), ICMPv6 (RFC 4443), Neighbor Discovery (RFC 4861).

A frame, as a packet socket gives it::

    0   6   12  14                22      38      54   55   56    58
    dst src 86dd version+tc+flow  source  dest    type code check body
            (14) payload length at 18, next header at 20, hop limit at 21

A malformed packet is not an exception but a L{Verdict}, for it is what an attacker sends most.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from prefix64.icmpv6.verdicts import Verdict

PACKET_HOST: Final = 0
"""The packet type of a frame that was sent to our link-layer address (packet(7))."""
PACKET_OTHERHOST: Final = 3
PACKET_OUTGOING: Final = 4

ICMPV6: Final = 58
ECHO_REQUEST: Final = 128
ECHO_REPLY: Final = 129
NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
DESTINATION_OPTIONS: Final = 60
EXTENSION_HEADERS: Final = frozenset({HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS})
MOST_EXTENSION_HEADERS: Final = 8

SOURCE_LINK_LAYER_ADDRESS: Final = 1
TARGET_LINK_LAYER_ADDRESS: Final = 2

ETHERNET_HEADER: Final = 14
IPV6_HEADER: Final = 40
ICMPV6_START: Final = ETHERNET_HEADER + IPV6_HEADER
SHORTEST_FRAME: Final = ICMPV6_START + 8
OPTIONS_START: Final = 24
"""Where options begin in a solicitation or advertisement, from the ICMPv6 type on (4.3, 4.4)."""

FLAG_ROUTER: Final = 0x80
FLAG_SOLICITED: Final = 0x40
FLAG_OVERRIDE: Final = 0x20
"""The first byte after an advertisement's checksum (RFC 4861 4.4)."""

ND_HOP_LIMIT: Final = 255
ECHO_HOP_LIMIT: Final = 64

UNSPECIFIED: Final = bytes(16)
LOOPBACK: Final = bytes(15) + b"\x01"
ALL_NODES: Final = bytes.fromhex("ff020000000000000000000000000001")
ALL_NODES_LINK_LAYER: Final = bytes.fromhex("333300000001")
SOLICITED_NODE: Final = bytes.fromhex("ff0200000000000000000001ff")
"""The first 13 bytes of every solicited-node group."""

ETHERTYPE_IPV6: Final = b"\x86\xdd"


class Solicitation(NamedTuple):
    """
    A well-formed Neighbor Solicitation (RFC 4861 4.3).

    @ivar linkSource: the frame's source link-layer address, 6 bytes.
    @ivar source: the IPv6 source, 16 bytes.
    @ivar destination: the IPv6 destination, 16 bytes.
    @ivar target: the target address, 16 bytes.
    @ivar linkLayerOption: the value of the first Source Link-Layer Address option: 6 bytes on
        Ethernet, if the sender keeps to it; L{None} without such an option.
    """

    linkSource: bytes
    source: bytes
    destination: bytes
    target: bytes
    linkLayerOption: bytes | None


class Advertisement(NamedTuple):
    """
    A well-formed Neighbor Advertisement (RFC 4861 4.4, 7.1.2).

    @ivar linkSource: the frame's source link-layer address, 6 bytes.
    @ivar source: the IPv6 source, 16 bytes.
    @ivar target: the target address, 16 bytes.
    @ivar flags: L{FLAG_ROUTER}, L{FLAG_SOLICITED} and L{FLAG_OVERRIDE}.
    """

    linkSource: bytes
    source: bytes
    target: bytes
    flags: int


class EchoRequest(NamedTuple):
    """
    A well-formed Echo Request (RFC 4443 4.1).

    @ivar linkSource: the frame's source link-layer address, 6 bytes.
    @ivar source: the IPv6 source, 16 bytes.
    @ivar destination: the IPv6 destination, 16 bytes.
    @ivar trafficClass: 0 to 255.
    @ivar message: the ICMPv6 message, from its type to its last byte of data.
    """

    linkSource: bytes
    source: bytes
    destination: bytes
    trafficClass: int
    message: bytes


def checksumOf(source: bytes, destination: bytes, message: bytes) -> int:
    """
    The Internet checksum of an ICMPv6 message under its pseudo-header (RFC 4443 2.3, RFC 8200 8.1).

    The ones' complement sum of 16-bit words is the number modulo 65535, for 65536 is 1 modulo
    65535.

    @param message: with a checksum field of zero, to make one; with the one received, to check it.
    @return: what belongs into the field, 1 to 65535; 65535 when the one received was right.
    """
    padding = b"\0" if len(message) & 1 else b""
    words = int.from_bytes(source + destination + message + padding, "big")
    return 65535 - (words + len(message) + ICMPV6) % 65535


def decode(frame: bytes) -> Solicitation | Advertisement | EchoRequest | Verdict:
    """
    Read a frame, and check all that can be seen from the frame alone: for a solicitation what RFC
    4861 7.1.1 demands of its form, for an advertisement all of 7.1.2.

    @return: the message; or, for what is malformed or of another type, why it is dropped.
    """
    if len(frame) < SHORTEST_FRAME:
        return Verdict.SHORT_FRAME
    if frame[12:14] != ETHERTYPE_IPV6 or frame[14] >> 4 != 6:
        return Verdict.NOT_IPV6
    payloadLength = int.from_bytes(frame[18:20], "big")
    end = ICMPV6_START + payloadLength
    if payloadLength == 0 or end > len(frame):
        return Verdict.PAYLOAD_LENGTH
    if frame[20] != ICMPV6:
        return _behindExtensionHeaders(frame, end)
    kind = frame[ICMPV6_START]
    if kind == NEIGHBOR_SOLICITATION:
        return _solicitation(frame, end)
    if kind == ECHO_REQUEST:
        return _echoRequest(frame, end)
    if kind == NEIGHBOR_ADVERTISEMENT:
        return _advertisement(frame, end)
    return Verdict.OTHER_TYPE


def _behindExtensionHeaders(frame: bytes, end: int) -> Verdict:
    """
    Find out what a chain of extension headers hides. None of it is ours: a Neighbor Discovery
    message must not be fragmented (RFC 6980), and has no use for the other headers; echo behind any
    of them is the kernel's.
    """
    header, position, fragmented = frame[20], ICMPV6_START, False
    if header not in EXTENSION_HEADERS:
        return Verdict.OTHER_TYPE
    for _ in range(MOST_EXTENSION_HEADERS):
        if header not in EXTENSION_HEADERS or position + 8 > end:
            break
        if header == FRAGMENT:
            if int.from_bytes(frame[position + 2 : position + 4], "big") & 0xFFF8:
                return Verdict.FRAGMENT  # not the first one: what follows is no header
            fragmented = True
            length = 8
        else:
            length = (frame[position + 1] + 1) * 8
        header, position = frame[position], position + length
    if header == ICMPV6 and position < end and frame[position] == ECHO_REQUEST:
        return Verdict.KERNELS_ECHO
    return Verdict.FRAGMENT if fragmented else Verdict.EXTENSION_HEADER


def _solicitation(frame: bytes, end: int) -> Solicitation | Verdict:
    """
    Read a Neighbor Solicitation.
    """
    message = _discoveryMessage(frame, end)
    if isinstance(message, Verdict):
        return message
    linkLayerOption = readLinkLayerOption(message)
    if isinstance(linkLayerOption, Verdict):
        return linkLayerOption
    return Solicitation(frame[6:12], frame[22:38], frame[38:54], message[8:24], linkLayerOption)


def _advertisement(frame: bytes, end: int) -> Advertisement | Verdict:
    """
    Read a Neighbor Advertisement (RFC 4861 7.1.2).
    """
    message = _discoveryMessage(frame, end)
    if isinstance(message, Verdict):
        return message
    options = readLinkLayerOption(message)
    if isinstance(options, Verdict):
        return options
    if message[8] == 0xFF:
        return Verdict.MULTICAST_TARGET
    if frame[38] == 0xFF and message[4] & FLAG_SOLICITED:
        return Verdict.SOLICITED_TO_GROUP
    return Advertisement(frame[6:12], frame[22:38], message[8:24], message[4])


def _discoveryMessage(frame: bytes, end: int) -> bytes | Verdict:
    """
    Take the message of a solicitation or advertisement, and check what both must be (RFC 4861
    7.1.1, 7.1.2): hop limit, checksum, code and length.
    """
    if frame[21] != ND_HOP_LIMIT:
        return Verdict.HOP_LIMIT
    message = frame[ICMPV6_START:end]
    if checksumOf(frame[22:38], frame[38:54], message) != 65535:
        return Verdict.CHECKSUM
    if len(message) < OPTIONS_START:
        return Verdict.ICMP_LENGTH
    if message[1] != 0:
        return Verdict.CODE
    return message


def readLinkLayerOption(message: bytes) -> bytes | Verdict | None:
    """
    Walk the options of a solicitation or advertisement (RFC 4861 4.6), every one of them, and find
    the first Source Link-Layer Address. Unknown ones are passed over, among them the nonce (RFC
    7527).

    @param message: the ICMPv6 message, at least 24 bytes.
    @return: the option's value, which is 6 bytes on Ethernet; L{None} without one; or what is
        wrong.
    """
    found: bytes | None = None
    position, end = OPTIONS_START, len(message)
    while position < end:
        if end - position < 8:
            return Verdict.OPTION_OVERRUN
        length = message[position + 1] * 8
        if length == 0:
            return Verdict.OPTION_LENGTH
        if position + length > end:
            return Verdict.OPTION_OVERRUN
        if found is None and message[position] == SOURCE_LINK_LAYER_ADDRESS:
            found = message[position + 2 : position + length]
        position += length
    return found


def _echoRequest(frame: bytes, end: int) -> EchoRequest | Verdict:
    """
    Read an Echo Request.
    """
    source, destination, message = frame[22:38], frame[38:54], frame[ICMPV6_START:end]
    if len(message) < 8:
        return Verdict.SHORT_FRAME
    if checksumOf(source, destination, message) != 65535:
        return Verdict.CHECKSUM
    if message[1] != 0:
        return Verdict.CODE
    trafficClass = (frame[14] & 0x0F) << 4 | frame[15] >> 4
    return EchoRequest(frame[6:12], source, destination, trafficClass, message)


def encodeAdvertisement(
    linkSource: bytes,
    linkDestination: bytes,
    source: bytes,
    destination: bytes,
    target: bytes,
    flags: int,
) -> bytes:
    """
    Write a Neighbor Advertisement with a Target Link-Layer Address option (RFC 4861 4.4, 4.6.1), 86
    bytes.

    @param linkSource: our link-layer address, 6 bytes: the frame's source and the option's value.
    @param linkDestination: the frame's destination, 6 bytes.
    @param source: the IPv6 source, 16 bytes.
    @param destination: the IPv6 destination, 16 bytes.
    @param target: the target address, 16 bytes.
    @param flags: L{FLAG_ROUTER}, L{FLAG_SOLICITED} and L{FLAG_OVERRIDE}.
    """
    body = bytes((flags, 0, 0, 0)) + target + b"\x02\x01" + linkSource
    return _encode(
        linkSource, linkDestination, source, destination, 0, ND_HOP_LIMIT, b"\x88\0", body
    )


def encodeEchoReply(linkSource: bytes, request: EchoRequest) -> bytes:
    """
    Write the Echo Reply to a request (RFC 4443 4.2): from the address that was asked, with the
    identifier, sequence number, data and traffic class of the request.

    @param linkSource: our link-layer address, 6 bytes.
    """
    return _encode(
        linkSource,
        request.linkSource,
        request.destination,
        request.source,
        request.trafficClass,
        ECHO_HOP_LIMIT,
        b"\x81\0",
        request.message[4:],
    )


def _encode(
    linkSource: bytes,
    linkDestination: bytes,
    source: bytes,
    destination: bytes,
    trafficClass: int,
    hopLimit: int,
    typeAndCode: bytes,
    body: bytes,
) -> bytes:
    """
    Write a frame with an ICMPv6 message.

    @param body: what stands behind the checksum.
    """
    checksum = checksumOf(source, destination, typeAndCode + b"\0\0" + body) % 65535
    return b"".join(
        (
            linkDestination,
            linkSource,
            ETHERTYPE_IPV6,
            (6 << 28 | trafficClass << 20).to_bytes(4, "big"),
            (len(body) + 4).to_bytes(2, "big"),
            bytes((ICMPV6, hopLimit)),
            source,
            destination,
            typeAndCode,
            checksum.to_bytes(2, "big"),
            body,
        )
    )
