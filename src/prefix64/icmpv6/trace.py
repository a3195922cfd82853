"""
A line for a frame, in the words of tcpdump.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prefix64.addressing import formatAddressBytes
from prefix64.icmpv6.packets import (
    ECHO_REPLY,
    ECHO_REQUEST,
    ETHERTYPE_IPV6,
    ICMPV6,
    ICMPV6_START,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    SHORTEST_FRAME,
)
from prefix64.icmpv6.verdicts import Respond, RespondAll


def describe(frame: bytes) -> str:
    """
    Say what a frame is: C{fe80::1 > ff02::1:ff57:cafe: ICMP6, neighbor solicitation, who has
    2001:db8::be57:cafe}. Any bytes are described; nothing in them is copied but numbers.
    """
    if len(frame) < SHORTEST_FRAME:
        return f"truncated, {len(frame)} bytes"
    if frame[12:14] != ETHERTYPE_IPV6:
        return f"not IPv6, {len(frame)} bytes"
    ends = f"{formatAddressBytes(frame[22:38])} > {formatAddressBytes(frame[38:54])}"
    if frame[20] != ICMPV6:
        return f"{ends}: next header {frame[20]}, length {int.from_bytes(frame[18:20], 'big')}"
    end = ICMPV6_START + int.from_bytes(frame[18:20], "big")
    return f"{ends}: ICMP6, {_message(frame[ICMPV6_START:end])}"


def _message(message: bytes) -> str:
    """
    Say what an ICMPv6 message is.
    """
    if len(message) < 8:
        return f"truncated, {len(message)} bytes"
    kind = message[0]
    if kind in (NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT) and len(message) >= 24:
        target = formatAddressBytes(message[8:24])
        if kind == NEIGHBOR_SOLICITATION:
            return f"neighbor solicitation, who has {target}"
        return f"neighbor advertisement, tgt is {target}"
    if kind in (ECHO_REQUEST, ECHO_REPLY):
        word = "request" if kind == ECHO_REQUEST else "reply"
        identifier = int.from_bytes(message[4:6], "big")
        sequence = int.from_bytes(message[6:8], "big")
        return f"echo {word}, id {identifier}, seq {sequence}"
    return f"type {kind}, code {message[1]}"


def traced(respond: Respond, writeLine: Callable[[str], None]) -> RespondAll:
    """
    Wrap a responder, so that each frame and each reply gets a line. Without a trace this is not in
    the way of a frame at all.

    @param writeLine: takes a line, without its end.
    """

    def respondTraced(frames: Iterable[tuple[bytes, int]], now: float) -> list[bytes]:
        replies = []
        for frame, packetType in frames:
            verdict, reply = respond(frame, packetType, now)
            if reply is None:
                writeLine(f"{describe(frame)} [no answer: {verdict.reason}]")
            else:
                writeLine(describe(frame))
                writeLine(describe(reply))
                replies.append(reply)
        return replies

    return respondTraced
