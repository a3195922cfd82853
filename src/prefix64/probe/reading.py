"""
Frames read leniently: where L{prefix64.icmpv6.packets} drops at the first fault, the probe wants to
name each. Any bytes can be read; nothing here raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prefix64.icmpv6.packets import (
    ETHERTYPE_IPV6,
    EXTENSION_HEADERS,
    FRAGMENT,
    ICMPV6,
    ICMPV6_START,
    IPV6_HEADER,
    MOST_EXTENSION_HEADERS,
    OPTIONS_START,
    checksumOf,
)

DESTINATION_UNREACHABLE: Final = 1
PACKET_TOO_BIG: Final = 2
TIME_EXCEEDED: Final = 3
PARAMETER_PROBLEM: Final = 4
REDIRECT: Final = 137

_ERROR_HEADER = 8
_REDIRECT_HEADER = 40
_QUOTED_NEXT_HEADER = 6


@dataclass(frozen=True)
class Packet:
    """
    An ICMPv6 message, in an IPv6 packet, in an Ethernet frame.

    @ivar linkDestination: the frame's destination, 6 bytes.
    @ivar linkSource: the frame's source, 6 bytes.
    @ivar hopLimit: 0 to 255.
    @ivar source: the IPv6 source, 16 bytes.
    @ivar destination: the IPv6 destination, 16 bytes.
    @ivar extensions: the next-header numbers of the extension headers before the message.
    @ivar cut: whether the frame ends before the packet does.
    @ivar message: the ICMPv6 message, from its type on: at least one byte.
    """

    linkDestination: bytes
    linkSource: bytes
    hopLimit: int
    source: bytes
    destination: bytes
    extensions: tuple[int, ...]
    cut: bool
    message: bytes

    @property
    def kind(self) -> int:
        """The ICMPv6 type."""
        return self.message[0]

    @property
    def code(self) -> int:
        """The ICMPv6 code; 0 if the message ends before it."""
        return self.message[1] if len(self.message) > 1 else 0

    @property
    def isChecksumRight(self) -> bool:
        """Whether the checksum is right (RFC 4443 2.3)."""
        return checksumOf(self.source, self.destination, self.message) == 65535

    @property
    def target(self) -> bytes:
        """The target address of a Neighbor Discovery message; empty if it ends before it."""
        return self.message[8:24] if len(self.message) >= OPTIONS_START else b""


@dataclass(frozen=True)
class Quoted:
    """
    The packet that an ICMPv6 error is about (RFC 4443 2.4).

    @ivar kind: its ICMPv6 type; L{None} if the quotation ends before it.
    """

    source: bytes
    destination: bytes
    kind: int | None


def readPacket(frame: bytes) -> Packet | None:
    """
    Read a frame.

    @param frame: from its link-layer header on.
    @return: L{None} for what has no ICMPv6 message: another protocol, or a later fragment.
    """
    if len(frame) <= ICMPV6_START or frame[12:14] != ETHERTYPE_IPV6 or frame[14] >> 4 != 6:
        return None
    end = ICMPV6_START + int.from_bytes(frame[18:20], "big")
    header, position = frame[20], ICMPV6_START
    extensions: list[int] = []
    while header in EXTENSION_HEADERS and position + 8 <= min(end, len(frame)):
        if len(extensions) == MOST_EXTENSION_HEADERS:
            return None
        extensions.append(header)
        length = 8 if header == FRAGMENT else (frame[position + 1] + 1) * 8
        if header == FRAGMENT and int.from_bytes(frame[position + 2 : position + 4], "big") & ~7:
            return None
        header, position = frame[position], position + length
    message = frame[position:end]
    if header != ICMPV6 or not message:
        return None
    return Packet(
        linkDestination=frame[:6],
        linkSource=frame[6:12],
        hopLimit=frame[21],
        source=frame[22:38],
        destination=frame[38:54],
        extensions=tuple(extensions),
        cut=end > len(frame),
        message=message,
    )


def readOptions(message: bytes, start: int = OPTIONS_START) -> Iterator[tuple[int, bytes] | str]:
    """
    Walk the options of a Neighbor Discovery message (RFC 4861 4.6).

    @return: each option's type and value; and, as the last one, what is wrong with the rest, in
        words.
    """
    position, end = start, len(message)
    while position < end:
        if end - position < 8:
            yield f"{end - position} bytes are left behind the options, too few for one"
            return
        length = message[position + 1] * 8
        if length == 0:
            yield f"option {message[position]} has length 0"
            return
        if position + length > end:
            yield f"option {message[position]} ends {position + length - end} bytes too late"
            return
        yield message[position], message[position + 2 : position + length]
        position += length


def quotedIn(packet: Packet) -> Quoted | None:
    """
    Read which packet an ICMPv6 error is about.

    @return: L{None} if it does not say so.
    """
    quoted = packet.message[_ERROR_HEADER:]
    if len(quoted) < IPV6_HEADER:
        return None
    hasKind = quoted[_QUOTED_NEXT_HEADER] == ICMPV6 and len(quoted) > IPV6_HEADER
    return Quoted(quoted[8:24], quoted[24:40], quoted[IPV6_HEADER] if hasKind else None)


def redirectedIn(packet: Packet) -> tuple[bytes, bytes] | None:
    """
    Read a redirect (RFC 4861 4.5).

    @return: the destination that is redirected, and the better first hop; L{None} if it is too
        short.
    """
    if len(packet.message) < _REDIRECT_HEADER:
        return None
    return packet.message[24:40], packet.message[8:24]
