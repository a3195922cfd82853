"""
A Neighbor Advertisement judged: RFC 4861 7.1.2 for its form, 7.2.4 for what it says, and what Linux
makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from prefix64.addressing import formatAddressBytes
from prefix64.icmpv6.packets import (
    ALL_NODES,
    FLAG_OVERRIDE,
    FLAG_ROUTER,
    FLAG_SOLICITED,
    FRAGMENT,
    ND_HOP_LIMIT,
    OPTIONS_START,
    TARGET_LINK_LAYER_ADDRESS,
    UNSPECIFIED,
)
from prefix64.icmpv6.validation import isStation
from prefix64.probe.findings import Finding, note, void, wrong
from prefix64.probe.questions import Question, Step
from prefix64.probe.reading import Packet, readOptions

DROPPED = "every router and host drops this answer"

_VALIDITY = "RFC 4861 7.1.2"
_ANSWERS = "RFC 4861 7.2.4"
_RESERVED_FLAGS = 0x1F


def isUnsolicited(packet: Packet, question: Question) -> bool:
    """
    Tell whether an advertisement is an unsolicited one, to a group with S=0 (RFC 4861 7.2.6), which
    answers nothing. In duplicate address detection that is what an answer looks like.
    """
    return (
        question.step is not Step.DUPLICATE
        and len(packet.message) >= OPTIONS_START
        and packet.destination[0] == 0xFF
        and not packet.message[4] & FLAG_SOLICITED
    )


def linkLayerOptions(packet: Packet) -> list[bytes]:
    """
    The values of the Target Link-Layer Address options, up to the first malformed option.
    """
    return [
        option[1]
        for option in readOptions(packet.message)
        if not isinstance(option, str) and option[0] == TARGET_LINK_LAYER_ADDRESS
    ]


def learnedFrom(packet: Packet) -> bytes | None:
    """
    The link-layer address that a neighbour learns from an advertisement: the option's, or, so that
    the probe can go on where there is none, the frame's.

    @return: L{None} if it is no address of a station.
    """
    learned = next(iter(linkLayerOptions(packet)), packet.linkSource)
    return learned if isStation(learned) else None


def judgeAdvertisement(packet: Packet, question: Question) -> Iterator[Finding]:
    """
    Judge an advertisement.

    @return: the findings, what is wrong first within each part.
    """
    yield from judgeForm(packet, "the advertisement", DROPPED)
    if packet.hopLimit != ND_HOP_LIMIT:
        yield void("hop-limit", f"hop limit {packet.hopLimit}, must be 255", _VALIDITY, DROPPED)
    if len(packet.message) < OPTIONS_START:
        size = len(packet.message)
        yield void("length", f"{size} bytes long, must be 24 or more", _VALIDITY, DROPPED)
        return
    yield from _target(packet, question)
    yield from _flags(packet.message[4], packet, question)
    yield from _linkLayer(packet, question)
    yield from _source(packet, question)
    yield from _destination(packet, question)


def judgeForm(packet: Packet, what: str, effect: str) -> Iterator[Finding]:
    """
    Judge what an advertisement and an Echo Reply have in common: lengths, checksum, code, and
    extension headers.

    @param what: which of them, in words.
    @param effect: what a fault leads to.
    """
    if packet.cut:
        yield void("cut", "the frame ends before the packet does", "RFC 8200 3", effect)
    elif FRAGMENT in packet.extensions:
        yield void("fragment", f"{what} is fragmented, must not be", "RFC 6980 5", effect)
    elif not packet.isChecksumRight:
        yield void("checksum", "the checksum is wrong", "RFC 4443 2.3", effect)
    if packet.code != 0:
        yield void("code", f"ICMPv6 code {packet.code}, must be 0", "RFC 4861 4.4, RFC 4443 4.2",
                   effect)  # fmt: skip
    others = [header for header in packet.extensions if header != FRAGMENT]
    if others:
        numbers = ", ".join(map(str, others))
        yield note("extension-headers", f"extension headers {numbers} stand before {what}", "",
                   "firewalls often drop such packets")  # fmt: skip


def _target(packet: Packet, question: Question) -> Iterator[Finding]:
    """
    The target must be the one asked for.
    """
    if packet.target != question.target:
        yield void("target", f"the target is {formatAddressBytes(packet.target)}, "
                   f"asked was {formatAddressBytes(question.target)}", _ANSWERS,
                   "nobody waits for this answer")  # fmt: skip


def _flags(flags: int, packet: Packet, question: Question) -> Iterator[Finding]:
    """
    S, R and O (RFC 4861 4.4).
    """
    yield from _solicited(bool(flags & FLAG_SOLICITED), packet, question)
    if flags & FLAG_OVERRIDE:
        yield note("override", "O=1: it replaces another link-layer address that a neighbour knows")
    else:
        yield note("override", "O=0: a neighbour that knows another link-layer address keeps it, "
                   "as is right for proxies and anycast addresses")  # fmt: skip
    if flags & FLAG_ROUTER:
        yield note("router", "R=1: it says that it is a router, as routers and some proxies do")
    else:
        yield note("router", "R=0: it says that it is no router")
    if flags & _RESERVED_FLAGS or any(packet.message[5:8]):
        yield note("reserved", "reserved bits are set, must be zero", "RFC 4861 4.4", "ignored")


def _solicited(solicited: bool, packet: Packet, question: Question) -> Iterator[Finding]:
    """
    S=1 in the answer to a solicitation, never in what goes to a group.
    """
    if solicited and packet.destination[0] == 0xFF:
        yield void("solicited-multicast", "S=1 in an advertisement to a group", _VALIDITY, DROPPED)
    elif question.step is Step.DUPLICATE:
        if solicited:
            yield wrong("solicited", "S=1, must be 0 in the answer to the unspecified address",
                        _ANSWERS)  # fmt: skip
    elif solicited:
        yield note("solicited", "S=1: it is the answer to a solicitation")
    elif question.step is Step.REACHABILITY:
        yield void("solicited", "S=0, must be 1 in the answer to a solicitation", _ANSWERS,
                   "it does not confirm that the neighbour is reachable")  # fmt: skip
    else:
        yield wrong("solicited", "S=0, must be 1 in the answer to a solicitation", _ANSWERS,
                    "a neighbour's entry becomes STALE, and has to be confirmed")  # fmt: skip


def _linkLayer(packet: Packet, question: Question) -> Iterator[Finding]:
    """
    The options, and the Target Link-Layer Address among them.
    """
    faults = [option for option in readOptions(packet.message) if isinstance(option, str)]
    for fault in faults:
        yield void("options", fault, _VALIDITY, DROPPED)
    values = linkLayerOptions(packet)
    if not values and question.step is Step.REACHABILITY:
        yield note("no-link-layer", "no Target Link-Layer Address option, which the answer to a "
                   "unicast solicitation may leave out", _ANSWERS)  # fmt: skip
    elif not values:
        yield void("no-link-layer", "no Target Link-Layer Address option, must be there",
                   "RFC 4861 7.2.4, 7.2.5", "a neighbour that has no entry yet, Linux among them, "
                   "ignores this answer")  # fmt: skip
    if len(set(values)) > 1:
        yield wrong("link-layer-several", "several Target Link-Layer Address options that differ",
                    "RFC 4861 4.6.1", "which of them counts is a matter of luck")  # fmt: skip
    for value in values[:1]:
        yield from _linkLayerValue(value, packet, question)


def _linkLayerValue(value: bytes, packet: Packet, question: Question) -> Iterator[Finding]:
    """
    The link-layer address that is advertised.
    """
    said = "Target Link-Layer Address"
    if len(value) != 6:
        yield void("link-layer", f"the {said} has {len(value)} bytes, on Ethernet 6",
                   "RFC 2464 6", "neighbours ignore this answer")  # fmt: skip
    elif not isStation(value):
        yield void("link-layer", f"the {said} {value.hex(':')} is no station's",
                   "RFC 4861 4.6.1", "packets to it reach nobody, or everybody")  # fmt: skip
    elif value == question.linkSource:
        yield void("link-layer", f"the {said} {value.hex(':')} is the asker's own",
                   "RFC 4861 4.6.1", "packets to it come back, or go nowhere")  # fmt: skip
    elif value != packet.linkSource:
        yield note("link-layer", f"the {said} is {value.hex(':')}, the frame came from "
                   f"{packet.linkSource.hex(':')}", "", "packets go to the former: right for a "
                   "virtual router address, else a mistake of a proxy")  # fmt: skip
    else:
        yield note("link-layer", f"{said} {value.hex(':')}: the frame came from there, too")


def _source(packet: Packet, question: Question) -> Iterator[Finding]:
    """
    The IPv6 source: an address of the interface that it comes from (RFC 4861 4.4).
    """
    source, text = packet.source, formatAddressBytes(packet.source)
    if source == UNSPECIFIED or source[0] == 0xFF:
        yield void("source", f"source {text}, must be a unicast address", "RFC 4861 4.4", DROPPED)
    elif source == question.source:
        yield void("source", f"source {text} is the asker's own address", "RFC 4861 4.4",
                   "hosts drop what seems to come from themselves")  # fmt: skip
    elif source == question.target:
        yield note("source", f"source {text}: the target itself")
    elif source[0] == 0xFE and source[1] & 0xC0 == 0x80:
        yield note("source", f"source {text}: a link-local address, not the target")
    else:
        yield note("source", f"source {text}: neither the target nor link-local", "",
                   "routers that check sources may drop it")  # fmt: skip


def _destination(packet: Packet, question: Question) -> Iterator[Finding]:
    """
    Where it goes: to the solicitor, or to all nodes if the solicitor has no address yet.
    """
    wanted = ALL_NODES if question.step is Step.DUPLICATE else question.source
    isGroup = packet.destination[0] == 0xFF
    if packet.destination != wanted:
        dropped = "the asker has no such address, and drops it"
        make, effect = (wrong, "") if isGroup else (void, dropped)
        yield make("destination", f"sent to {formatAddressBytes(packet.destination)}, "
                   f"must be {formatAddressBytes(wanted)}", _ANSWERS, effect)  # fmt: skip
    if not isGroup and packet.linkDestination != question.linkSource:
        yield wrong("link-destination", f"the frame goes to {packet.linkDestination.hex(':')}, "
                    f"the asker is {question.linkSource.hex(':')}", _ANSWERS,
                    "a switch does not bring it to the asker")  # fmt: skip
