"""
What goes over the link while the doctor listens: counted, and never more remembered than fits.

Any bytes may come. Nothing of them is kept but addresses and numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Final

from prefix64.addressing import Prefix
from prefix64.icmpv6.packets import (
    FLAG_OVERRIDE,
    HOP_BY_HOP,
    ICMPV6,
    ICMPV6_START,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    PACKET_OUTGOING,
    SHORTEST_FRAME,
    UNSPECIFIED,
    Advertisement,
    Solicitation,
    decode,
)
from prefix64.icmpv6.verdicts import Verdict
from prefix64.ownership import Owner, Ownership

MOST_REMEMBERED: Final = 1024
"""The most addresses of each kind that are remembered."""

MLD_QUERY: Final = 130
_MULTICAST = 0xFF


@dataclass
class Observation:
    """
    What was seen. Addresses are numbers, link-layer addresses 6 bytes.

    @ivar seconds: for how long the link was listened to.
    @ivar solicitations: how many came for addresses that are ours to answer for.
    @ivar multicast: how many of these came to a group that this host has not joined.
    @ivar otherSolicitations: how many came for other addresses.
    @ivar malformed: solicitations and advertisements that are none.
    @ivar solicited: the addresses that were asked for, each with how often.
    @ivar example: one of them, with who asked and from which link-layer address.
    @ivar answered: the addresses for which answers left, each with how many.
    @ivar advertisedByOthers: addresses of the prefixes that another link-layer address advertises.
    @ivar usedByOthers: addresses of the prefixes from which somebody else solicits.
    @ivar arriving: packets to the prefixes that are no solicitations.
    @ivar querier: who sent an MLD query: its address and link-layer address.
    """

    seconds: float = 0.0
    solicitations: int = 0
    multicast: int = 0
    otherSolicitations: int = 0
    malformed: int = 0
    solicited: Counter[int] = field(default_factory=Counter)
    example: tuple[int, int, bytes] | None = None
    answered: Counter[int] = field(default_factory=Counter)
    advertisedByOthers: dict[int, bytes] = field(default_factory=dict)
    usedByOthers: dict[int, bytes] = field(default_factory=dict)
    arriving: int = 0
    querier: tuple[int, bytes] | None = None
    drops: int = 0


class Observer:
    """
    Takes frames in.

    @ivar observation: what was seen so far.
    @ivar closing: set when no new solicitation counts any more, but answers to earlier ones do.
    """

    def __init__(
        self, ownership: Ownership, linkLayerAddress: bytes, joined: Container[bytes] = ()
    ) -> None:
        """
        @param ownership: whose each address is.
        @param linkLayerAddress: the interface's, 6 bytes.
        @param joined: the groups that this host has joined on the interface, 16 bytes each.
        """
        self._joined = joined
        self._ownership = ownership
        self._ours = linkLayerAddress
        self.observation = Observation()
        self.closing = False

    def frameSeen(self, frame: bytes, packetType: int) -> None:
        """
        Take in a frame, from its link-layer header on.

        @param packetType: as packet(7) has it.
        """
        if len(frame) < SHORTEST_FRAME or frame[14] >> 4 != 6:
            return
        leaving = packetType == PACKET_OUTGOING
        if frame[6:12] == self._ours and not leaving:
            return  # our own frame come back, or a forged one
        if not leaving and _isQuery(frame):
            source = int.from_bytes(frame[22:38], "big")
            self.observation.querier = (source, frame[6:12])
        elif _isDiscovery(frame):
            self._discovery(frame, leaving)
        elif not leaving and self._isInside(frame[38:54]):
            self.observation.arriving += 1

    def _discovery(self, frame: bytes, leaving: bool) -> None:
        """
        Take in a solicitation or an advertisement.
        """
        message = decode(frame)
        if isinstance(message, Verdict):
            self.observation.malformed += not leaving
        elif isinstance(message, Solicitation) and not leaving:
            self._solicited(message)
        elif isinstance(message, Advertisement):
            self._advertised(message, leaving)

    def _solicited(self, message: Solicitation) -> None:
        """
        Count a solicitation. One from the unspecified address is a probe, which need not get an
        answer.
        """
        seen = self.observation
        if message.source != UNSPECIFIED:
            self._remember(seen.usedByOthers, message.source, message.linkSource)
        target = int.from_bytes(message.target, "big")
        if not self._isOurs(target) or message.source == UNSPECIFIED or target in seen.usedByOthers:
            seen.otherSolicitations += 1
            return
        if self.closing:
            return
        seen.solicitations += 1
        group = message.destination
        seen.multicast += group[0] == _MULTICAST and group not in self._joined
        if target in seen.solicited or len(seen.solicited) < MOST_REMEMBERED:
            seen.solicited[target] += 1
        if seen.example is None:
            seen.example = (target, int.from_bytes(message.source, "big"), message.linkSource)

    def _advertised(self, message: Advertisement, leaving: bool) -> None:
        """
        Note who advertises.
        """
        seen = self.observation
        target = int.from_bytes(message.target, "big")
        if leaving:
            if target in seen.solicited:
                seen.answered[target] += 1
        else:
            self._remember(seen.advertisedByOthers, message.target, message.linkSource)
            if message.flags & FLAG_OVERRIDE:
                self._remember(seen.usedByOthers, message.target, message.linkSource)

    def _remember(self, table: dict[int, bytes], address: bytes, linkLayerAddress: bytes) -> None:
        """
        Note an address that would be ours to answer for, and who has it.
        """
        number = int.from_bytes(address, "big")
        if self._isOurs(number) and len(table) < MOST_REMEMBERED:
            table[number] = linkLayerAddress

    def _isInside(self, address: bytes) -> bool:
        """
        Tell whether an address is one of ours.
        """
        return self._isOurs(int.from_bytes(address, "big"))

    def _isOurs(self, address: int) -> bool:
        """
        Tell whether an address is ours to answer for: one that lives behind this host is, too.
        """
        return self._ownership.of(address) in (Owner.OURS, Owner.FORWARDED)


def _isDiscovery(frame: bytes) -> bool:
    """
    Tell whether it has the type of a solicitation or advertisement.
    """
    kinds = (NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT)
    return frame[20] == ICMPV6 and frame[ICMPV6_START] in kinds


def _isQuery(frame: bytes) -> bool:
    """
    Tell whether it is a Multicast Listener Query (RFC 3810 5.1), behind the Hop-by-Hop Options
    header of 8 bytes that it must have.
    """
    behind = ICMPV6_START + 8
    return (
        frame[20] == HOP_BY_HOP
        and len(frame) > behind
        and frame[ICMPV6_START] == ICMPV6
        and frame[behind] == MLD_QUERY
    )


def firstWords(prefixes: Iterable[Prefix]) -> list[int]:
    """
    The first 32 bits of each prefix, by which the socket's filter knows packets to them.
    """
    return sorted({prefix.network >> 96 for prefix in prefixes})
