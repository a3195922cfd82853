"""
The fast path: the common shape of a solicitation, decided by a few integers.

Routers send almost nothing else: 86 bytes, no extension header, and the Source Link-Layer Address
that the frame has too::

    6    12      14               22      38           54   56       58       62      78    80
    from 86dd    version .. limit source  destination  type checksum reserved target option from
    |-- the same in all that one router asks --|

What is before the destination is looked up as a whole: it was checked when it first came. The rest
is one number of 384 bits. One mask compares what must have one value (type, code, prefix, option),
and one remainder is the checksum. What is not certain to be answered is left to the full path,
which gives the very same answer to every frame that is answered here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from prefix64.addressing import ADDRESS_BITS, RESERVED_ANYCAST_BITS, Prefix
from prefix64.icmpv6.neighbor import NeighborDiscovery
from prefix64.icmpv6.packets import (
    ETHERTYPE_IPV6,
    ICMPV6,
    ICMPV6_START,
    ND_HOP_LIMIT,
    NEIGHBOR_SOLICITATION,
    SOLICITED_NODE,
    SOURCE_LINK_LAYER_ADDRESS,
    encodeAdvertisement,
)
from prefix64.icmpv6.validation import isStation
from prefix64.ownership import Owner

FRAME_LENGTH: Final = 86
"""Bytes of a solicitation, or of an advertisement, with one link-layer address option."""

FRESH: Final = 60.0
"""Seconds after which who asks is looked at anew, and what it is a sign of is noted again."""

MOST_SOLICITORS: Final = 1024
"""The most of those who ask that are known; of more, all are forgotten and learned anew."""

_HEAD = slice(6, 38)
_REST = slice(38, FRAME_LENGTH)
_TARGET = slice(62, 78)
_LENGTH_AND_PROTOCOL = FRAME_LENGTH - ICMPV6_START + ICMPV6
_RIGHT_CHECKSUM = -_LENGTH_AND_PROTOCOL % 65535
"""
What is left of the sum of source, destination and message, modulo 65535, if the checksum is right
(RFC 4443 2.3).
"""

_BITS_128 = (1 << 128) - 1
_GROUP = int.from_bytes(SOLICITED_NODE, "big") << 24
_NOBODY = bytes(6)
_FIXED = bytes((0, FRAME_LENGTH - ICMPV6_START, ICMPV6, ND_HOP_LIMIT))
"""Payload length, next header and hop limit."""

Answer = Callable[[bytes, float], bytes | None]
"""
Given a frame that is not another host's, and the time in seconds: the advertisement, or L{None} for
what the full path is to decide.
"""


class FastPath:
    """
    Makes the function that answers, anew whenever who we are or what is ours has changed.
    """

    def __init__(self, neighbor: NeighborDiscovery) -> None:
        """
        @param neighbor: the full path, whose decisions these are.
        """
        self._neighbor = neighbor
        self._make(0.0)

    def current(self, now: float) -> Answer:
        """
        The function for this moment. To be asked for anew for each batch of frames.

        @param now: seconds, of any monotonic clock.
        """
        current = self._neighbor.tables.table, self._neighbor.identity.key
        if current != self._current or now - self._made > FRESH:
            self._make(now)
        return self._answer

    def _make(self, now: float) -> None:
        """
        Make the function.
        """
        self._current = self._neighbor.tables.table, self._neighbor.identity.key
        self._made = now
        self._answer = _answerOf(self._neighbor)


class _Served(NamedTuple):
    """
    A served prefix as a pattern of the rest of a frame, from its destination on.

    @ivar mask: the bits that have one value.
    @ivar value: that value, but for the link-layer address at the end.
    @ivar identifier: the bits of the target that make an anycast identifier.
    @ivar reserved: the reserved anycast identifiers, less their low seven bits; -1 for none.
    """

    mask: int
    value: int
    identifier: int
    reserved: int


def _served(prefix: Prefix) -> _Served:
    """
    The pattern of a solicitation for an address of a prefix.
    """
    network = prefix.network.to_bytes(16, "big")
    bits = ((1 << prefix.length) - 1 << ADDRESS_BITS - prefix.length).to_bytes(16, "big")
    mask = bytes(16) + b"\xff\xff" + bytes(6) + bits + b"\xff" * 8
    typeAndCode, option = (NEIGHBOR_SOLICITATION, 0), (SOURCE_LINK_LAYER_ADDRESS, 1)
    value = bytes(16) + bytes(typeAndCode) + bytes(6) + network + bytes(option) + _NOBODY
    reserved = -1 if prefix.reservedBase is None else prefix.reservedBase
    numbers = int.from_bytes(mask, "big"), int.from_bytes(value, "big")
    return _Served(*numbers, prefix.identifierMask, reserved)


class _Solicitor(NamedTuple):
    """
    One who asks.

    @ivar patterns: the served prefixes, each with his link-layer address in its value.
    @ivar source: his address.
    @ivar claimed: whether it is in a served prefix, and his because he has claimed it.
    @ivar start: the advertisement for him up to its source address.
    @ivar middle: its destination, type and code.
    """

    patterns: list[_Served]
    source: int
    claimed: bool
    start: bytes
    middle: bytes


class _Template(NamedTuple):
    """
    What all advertisements with the same flags share.

    @ivar flags: the byte with the flags, and the three reserved ones.
    @ivar checksum: the sum of everything but source, destination and target.
    """

    flags: bytes
    checksum: int


def _template(neighbor: NeighborDiscovery, listed: bool) -> _Template:
    """
    The part that the answers for all listed addresses share, or for all others.
    """
    nowhere, flags = bytes(16), neighbor.flags(listed)
    source = neighbor.commonSource() or nowhere
    linkLayerAddress = neighbor.identity.linkLayerAddress
    frame = encodeAdvertisement(linkLayerAddress, _NOBODY, source, nowhere, nowhere, flags)
    summed = frame[22:56] + b"\0\0" + frame[58:]
    return _Template(frame[58:62], int.from_bytes(summed, "big") + _LENGTH_AND_PROTOCOL)


class _Solicitors:
    """
    Those who ask, as they were when they were last looked at.

    @ivar known: by what their frames have in common, bytes 6 to 37.
    """

    def __init__(self, neighbor: NeighborDiscovery) -> None:
        self._ownership = neighbor.tables.table.ownership
        self._established = neighbor.claims.established
        self._served = [_served(prefix) for prefix in self._ownership.prefixes]
        self._ours = neighbor.identity.linkLayerAddress
        self._source = neighbor.commonSource()
        self.known: dict[bytes, _Solicitor] = {}

    def learn(self, head: bytes, now: float) -> _Solicitor | None:
        """
        Look at one who was not known.

        @return: L{None} for one whose frames are left to the full path.
        """
        linkSource, source = head[:6], head[16:]
        if len(head) < 32 or head[6:8] != ETHERTYPE_IPV6 or head[8] >> 4 != 6:
            return None
        if head[12:16] != _FIXED or linkSource == self._ours or not isStation(linkSource):
            return None
        number = int.from_bytes(source, "big")
        if source[0] == 0xFF or number <= 1 or not self._isNoted(number, now):
            return None
        if len(self.known) >= MOST_SOLICITORS:
            self.known.clear()
        self.known[head] = self._solicitor(linkSource, source)
        return self.known[head]

    def _isNoted(self, source: int, now: float) -> bool:
        """
        Tell whether there is nothing to note of a source: it is none of our addresses, or was noted
        a short while ago.
        """
        ownership = self._ownership
        inside = any(source in prefix for prefix in ownership.prefixes)
        fresh = now - self._established.get(source, -FRESH) < FRESH
        return not inside or source in ownership.special or fresh

    def _solicitor(self, linkSource: bytes, source: bytes) -> _Solicitor:
        """
        One who asks from these addresses.
        """
        layer, number = int.from_bytes(linkSource, "big"), int.from_bytes(source, "big")
        frame = encodeAdvertisement(
            self._ours, linkSource, self._source or source, source, source, 0
        )
        return _Solicitor(
            [pattern._replace(value=pattern.value | layer) for pattern in self._served],
            number,
            self._ownership.of(number) in (Owner.OURS, Owner.FORWARDED),
            frame[:22] + (self._source or b""),
            frame[38:56],
        )


def _answerOf(neighbor: NeighborDiscovery) -> Answer:
    """
    Make the function. All that it needs of a moment it has in variables of its own, and it calls
    nothing that it can do itself: it is where the time goes.
    """
    if not neighbor.answers:
        return lambda frame, now: None
    ownership, isListed = neighbor.tables.table.ownership, neighbor.tables.table.isListed
    hasHosts, onlyHosts = neighbor.tables.table.hasHosts, neighbor.onlyHosts
    special, blocks = ownership.special, ownership.blocks
    new, established = neighbor.claims.new, neighbor.claims.established
    plain, override = _template(neighbor, False), _template(neighbor, True)
    option = b"\x02\x01" + neighbor.identity.linkLayerAddress
    fromTarget = neighbor.commonSource() is None
    times = 2 if fromTarget else 1  # how often the target is in the sum
    solicitors = _Solicitors(neighbor)
    known, learn = solicitors.known, solicitors.learn
    fromBytes, join = int.from_bytes, b"".join

    def answer(frame: bytes, now: float) -> bytes | None:
        head = frame[_HEAD]
        solicitor = known.get(head) or learn(head, now)
        if solicitor is None or len(frame) < FRAME_LENGTH:
            return None
        patterns, source, claimed, start, middle = solicitor
        rest = fromBytes(frame[_REST], "big")
        for pattern in patterns:
            mask, value, identifierMask, reserved = pattern
            if rest & mask == value:
                break
        else:
            return None
        target = rest >> 64 & _BITS_128
        identifier, destination = target & identifierMask, rest >> 256
        if (
            (rest + source) % 65535 != _RIGHT_CHECKSUM
            or not identifier
            or identifier >> RESERVED_ANYCAST_BITS == reserved
            or target == source
            or (claimed and source not in established)
            or target in special
            or target in new
            or target in established
            or target in blocks
            or (destination != _GROUP | target & 0xFFFFFF and destination >> 120 == 0xFF)
        ):
            return None
        listed = hasHosts and isListed(target)
        if onlyHosts and not listed:
            return None
        flags, checksum = override if listed else plain
        checked = (-(source + times * target + checksum) % 65535).to_bytes(2, "big")
        wanted = frame[_TARGET]
        if fromTarget:
            return join((start, wanted, middle, checked, flags, wanted, option))
        return join((start, middle, checked, flags, wanted, option))

    return answer
