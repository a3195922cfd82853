"""
What is asked, and which frames have to do with it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from prefix64.icmpv6.packets import (
    ECHO_REPLY,
    ECHO_REQUEST,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    OPTIONS_START,
    SOLICITED_NODE,
    UNSPECIFIED,
)
from prefix64.probe.reading import (
    DESTINATION_UNREACHABLE,
    PARAMETER_PROBLEM,
    REDIRECT,
    Packet,
    quotedIn,
    redirectedIn,
)


class Step(enum.Enum):
    """
    The questions, by what each is for.
    """

    RESOLUTION = "resolution"
    """Address resolution: a multicast solicitation (RFC 4861 7.2.2)."""
    REACHABILITY = "reachability"
    """Neighbor unreachability detection: a unicast solicitation (RFC 4861 7.3)."""
    ECHO = "echo"
    """An Echo Request (RFC 4443 4.1)."""
    DUPLICATE = "duplicate"
    """Duplicate address detection: a solicitation from the unspecified address (RFC 4862 5.4)."""


@dataclass(frozen=True)
class Question:
    """
    One question, which may be sent several times.

    @ivar target: the address that is probed, 16 bytes.
    @ivar source: our IPv6 source, 16 bytes; unspecified in duplicate address detection.
    @ivar linkSource: our link-layer address, 6 bytes.
    @ivar linkDestination: where the frame goes: a group's, or the one that was learned.
    @ivar identifier: of an Echo Request, 0 to 65535. Its sequence number is that of the try, from
        1.
    @ivar data: of an Echo Request.
    """

    step: Step
    target: bytes
    source: bytes
    linkSource: bytes
    linkDestination: bytes
    identifier: int = 0
    data: bytes = b""

    @property
    def destination(self) -> bytes:
        """The IPv6 destination: the solicited-node group (RFC 4291 2.7.1), or the target."""
        if self.step in (Step.RESOLUTION, Step.DUPLICATE):
            return SOLICITED_NODE + self.target[13:]
        return self.target

    @property
    def kind(self) -> int:
        """The ICMPv6 type of the question."""
        return ECHO_REQUEST if self.step is Step.ECHO else NEIGHBOR_SOLICITATION


def groupLinkLayerAddress(group: bytes) -> bytes:
    """
    The Ethernet address of an IPv6 group: 33:33 and its last four bytes (RFC 2464 7).
    """
    return b"\x33\x33" + group[12:]


def isAnswer(packet: Packet, question: Question) -> bool:
    """
    Tell whether a packet is an answer to a question, right or wrong: an advertisement of the
    target, or a reply to our Echo Request.
    """
    if question.step is Step.ECHO:
        return packet.kind == ECHO_REPLY and _isOurEcho(packet, question)
    return packet.kind == NEIGHBOR_ADVERTISEMENT and _isAdvertised(packet, question)


def isError(packet: Packet, question: Question) -> bool:
    """
    Tell whether a packet is an ICMPv6 error about our question.
    """
    if not DESTINATION_UNREACHABLE <= packet.kind <= PARAMETER_PROBLEM:
        return False
    quoted = quotedIn(packet)
    return (
        quoted is not None
        and packet.destination == quoted.source == question.source
        and quoted.destination == question.destination
        and quoted.kind in (None, question.kind)
    )


def isRedirect(packet: Packet, question: Question) -> bool:
    """
    Tell whether a packet redirects us to another first hop towards the target.
    """
    redirected = redirectedIn(packet) if packet.kind == REDIRECT else None
    return (
        redirected is not None
        and packet.destination == question.source
        and redirected[0] == question.target
    )


def isCounterQuestion(packet: Packet, question: Question) -> bool:
    """
    Tell whether a packet is a solicitation for our own address, by somebody who may need our
    link-layer address to answer us.
    """
    return (
        packet.kind == NEIGHBOR_SOLICITATION
        and packet.target == question.source != UNSPECIFIED
        and packet.source != UNSPECIFIED
        and packet.linkSource != question.linkSource
    )


def concerns(packet: Packet, question: Question) -> bool:
    """
    Tell whether a packet has to do with a question at all. Nothing else is judged.
    """
    return (
        isAnswer(packet, question)
        or isError(packet, question)
        or isRedirect(packet, question)
        or isCounterQuestion(packet, question)
    )


def _isAdvertised(packet: Packet, question: Question) -> bool:
    """
    Tell whether an advertisement has to do with the target. One that is too short to say, or that
    comes from the target but names another address, has if it came to our own address.
    """
    toUs = packet.destination == question.source
    if packet.target == question.target:
        return (
            toUs or packet.destination[0] == 0xFF or packet.linkDestination == question.linkSource
        )
    isShort = len(packet.message) < OPTIONS_START
    return toUs and (isShort or packet.source == question.target)


def _isOurEcho(packet: Packet, question: Question) -> bool:
    """
    Tell whether a reply is one to us: by its identifier, or, if that is wrong, by its data. Replies
    to other programs of this host are not.
    """
    sameIdentifier = packet.message[4:6] == question.identifier.to_bytes(2, "big")
    sameData = bool(question.data) and packet.message[8:] == question.data
    return packet.destination == question.source and (sameIdentifier or sameData)
