"""
An Echo Reply judged (RFC 4443 4.2), and what else comes instead of an answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.addressing import formatAddressBytes
from prefix64.probe.advertisements import judgeForm
from prefix64.probe.findings import Finding, note, void, wrong
from prefix64.probe.questions import Question
from prefix64.probe.reading import (
    DESTINATION_UNREACHABLE,
    PACKET_TOO_BIG,
    PARAMETER_PROBLEM,
    TIME_EXCEEDED,
    Packet,
    redirectedIn,
)

_REPLY = "RFC 4443 4.2"
_IGNORED = "ping does not count this reply"
_ECHO_HEADER = 8
_FIRST_HOP_LIMITS = (64, 128, 255)

_ERRORS = {
    DESTINATION_UNREACHABLE: "destination unreachable",
    PACKET_TOO_BIG: "packet too big",
    TIME_EXCEEDED: "time exceeded",
    PARAMETER_PROBLEM: "parameter problem",
}
_UNREACHABLE = {
    0: ("no route", "it forwards, and has no route: the address is not local there"),
    1: ("administratively prohibited", "a firewall rejects it"),
    2: ("beyond scope of source address", "the source address does not reach that far"),
    3: ("address unreachable", "it forwards, and finds nobody: the address is not local there"),
    4: ("port unreachable", "an address translation or firewall is in the way"),
    5: ("source address failed policy", "a filter rejects our source address: try --source"),
    6: ("reject route", "a route there rejects it: ip -6 route get ADDRESS on that host shows it"),
}


def judgeReply(packet: Packet, question: Question, tries: int) -> Iterator[Finding]:
    """
    Judge an Echo Reply.

    @param tries: how many requests were sent before it: their sequence numbers are 1 and so on.
    """
    yield from judgeForm(packet, "the reply", _IGNORED)
    if packet.source != question.target:
        yield void("source", f"source {formatAddressBytes(packet.source)}, "
                   "must be the address that was asked", _REPLY, _IGNORED)  # fmt: skip
    if len(packet.message) < _ECHO_HEADER:
        yield void("length", f"{len(packet.message)} bytes long, must be 8 or more", _REPLY,
                   _IGNORED)  # fmt: skip
        return
    yield from _contents(packet, question, tries)
    yield from _way(packet, question)


def _contents(packet: Packet, question: Question, tries: int) -> Iterator[Finding]:
    """
    Identifier, sequence number and data come back unchanged.
    """
    identifier = int.from_bytes(packet.message[4:6], "big")
    sequence = int.from_bytes(packet.message[6:8], "big")
    data = packet.message[_ECHO_HEADER:]
    if identifier != question.identifier:
        yield void("identifier", f"identifier {identifier}, sent was {question.identifier}",
                   _REPLY, _IGNORED)  # fmt: skip
    if not 1 <= sequence <= tries:
        yield void("sequence", f"sequence number {sequence}, sent was 1 to {tries}", _REPLY,
                   _IGNORED)  # fmt: skip
    if len(data) != len(question.data):
        yield wrong("data", f"{len(data)} bytes of data, sent were {len(question.data)}", _REPLY)
    elif data != question.data:
        pairs = zip(data, question.data, strict=True)
        at = next(i for i, (one, other) in enumerate(pairs) if one != other)
        yield wrong("data", f"the data came back changed, from byte {at} on", _REPLY)


def _way(packet: Packet, question: Question) -> Iterator[Finding]:
    """
    Which way it came.
    """
    hops = packet.hopLimit
    if hops in _FIRST_HOP_LIMITS:
        yield note("hop-limit", f"hop limit {hops}: straight from its sender")
    else:
        first = next((limit for limit in _FIRST_HOP_LIMITS if limit > hops), 255)
        yield note("hop-limit", f"hop limit {hops}: perhaps sent with {first}, and "
                   f"{first - hops} routers on the way")  # fmt: skip
    if packet.linkSource != question.linkDestination:
        yield note("link-source", f"the frame came from {packet.linkSource.hex(':')}, the request "
                   f"went to {question.linkDestination.hex(':')}", "", "another machine, or "
                   "another of its interfaces, replied")  # fmt: skip
    if packet.linkDestination != question.linkSource:
        yield wrong("link-destination", f"the frame goes to {packet.linkDestination.hex(':')}, "
                    f"the asker is {question.linkSource.hex(':')}", "", "a switch does not "
                    "bring it to the asker")  # fmt: skip


def judgeError(packet: Packet) -> Iterator[Finding]:
    """
    Judge an ICMPv6 error about our question (RFC 4443 3).
    """
    name, effect = _ERRORS[packet.kind], ""
    if packet.kind == DESTINATION_UNREACHABLE:
        reason, effect = _UNREACHABLE.get(packet.code, (f"code {packet.code}", ""))
        name = f"{name}, {reason}"
    elif packet.code:
        name = f"{name}, code {packet.code}"
    yield wrong("error", f"{formatAddressBytes(packet.source)} says: {name}", "RFC 4443 3", effect)
    if not packet.isChecksumRight:
        yield void("checksum", "the checksum is wrong", "RFC 4443 2.3", "hosts drop this error")


def judgeRedirect(packet: Packet) -> Iterator[Finding]:
    """
    Judge a redirect towards the target (RFC 4861 4.5).
    """
    _, hop = redirectedIn(packet) or (b"", bytes(16))
    yield wrong("redirect", f"{formatAddressBytes(packet.source)} redirects us to "
                f"{formatAddressBytes(hop)}", "RFC 4861 8", "it forwards packets for the address, "
                "and so it is not local there: on that host, ip -6 route get ADDRESS iif "
                "INTERFACE")  # fmt: skip


def judgeCounterQuestion(packet: Packet, isAnswered: bool) -> Iterator[Finding]:
    """
    Judge a solicitation for our own address.

    @param isAnswered: whether an answer came after it.
    """
    what = f"it asked for us first: {formatAddressBytes(packet.source)} solicits our address"
    if isAnswered:
        yield note("asked-first", what, "", "its answer waits for our kernel's, and never comes "
                   "where a router does not reply to that address (ndppd does so)")  # fmt: skip
    else:
        yield wrong("asked-first", what, "", "and no answer followed: it may not have believed "
                    "ours, or our address is not on this interface")  # fmt: skip
