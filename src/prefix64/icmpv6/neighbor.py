"""
Neighbor Discovery: which solicitations are answered, and how (RFC 4861 7.2.3, 7.2.4).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from prefix64.hosts.table import CurrentTable
from prefix64.icmpv6.claims import Claims
from prefix64.icmpv6.packets import (
    ALL_NODES,
    ALL_NODES_LINK_LAYER,
    FLAG_OVERRIDE,
    FLAG_SOLICITED,
    LOOPBACK,
    SOLICITED_NODE,
    UNSPECIFIED,
    Advertisement,
    Solicitation,
    encodeAdvertisement,
)
from prefix64.icmpv6.verdicts import Answer, Verdict
from prefix64.ownership import Owner

_LINK_LOCAL_FIRST = 0xFE
_LINK_LOCAL_MASK = 0xC0
_LINK_LOCAL_SECOND = 0x80
_IPV4_MAPPED = bytes(10) + b"\xff\xff"

_NOT_OURS = {
    Owner.OUTSIDE: Verdict.OUTSIDE,
    Owner.EXCLUDED: Verdict.EXCLUDED,
    Owner.ROUTED: Verdict.EXCLUDED,
    Owner.ANYCAST: Verdict.ANYCAST,
    Owner.GATEWAY: Verdict.GATEWAY,
    Owner.INTERFACE: Verdict.OWN_ADDRESS,
    Owner.NEIGHBOR: Verdict.NEIGHBOR,
}
"""
The owners whose addresses we are silent about. An address of the host on another interface is not
among them: the kernel answers no solicitation for it on this one.
"""


class DadPolicy(enum.Enum):
    """
    What a duplicate address probe (RFC 4862 5.4) for one of our addresses gets.
    """

    AUTO = "auto"
    DEFEND = "defend"
    IGNORE = "ignore"


class AdvertisementSource(enum.Enum):
    """
    The source address of advertisements.
    """

    TARGET = "target"
    LINK_LOCAL = "link-local"


@dataclass
class LinkIdentity:
    """
    Who we are on the link. Changes when the interface does.

    @ivar linkLayerAddress: 6 bytes.
    @ivar linkLocal: a link-local address of the interface, 16 bytes, or L{None}.
    """

    linkLayerAddress: bytes
    linkLocal: bytes | None = None


class NeighborDiscovery:
    """
    Decides about well-formed solicitations, and learns from those and from advertisements which
    addresses are somebody else's.

    @ivar claims: those addresses.
    """

    def __init__(
        self,
        identity: LinkIdentity,
        tables: CurrentTable,
        dad: DadPolicy = DadPolicy.AUTO,
        advertisementSource: AdvertisementSource = AdvertisementSource.TARGET,
        conflict: Callable[[int, bytes], None] = lambda address, linkLayerAddress: None,
    ) -> None:
        """
        @param conflict: told of each sign that another machine uses an address that has a site of
            its own: the address, and the machine's link-layer address.
        """
        self._identity = identity
        self._tables = tables
        self._dad = dad
        self._conflict = conflict
        self.claims = Claims()
        self._fromLinkLocal = advertisementSource is AdvertisementSource.LINK_LOCAL

    def solicited(self, solicitation: Solicitation, now: float) -> Answer:
        """
        Decide about a solicitation. Its source, if it is an address that was ours, is the
        solicitor's.

        @param now: seconds, of any monotonic clock.
        @return: a verdict, and the advertisement's frame if one is to be sent.
        """
        verdict = _meaningless(solicitation)
        if verdict is not None:
            return verdict, None
        if solicitation.source != UNSPECIFIED:
            self._isUsed(solicitation.source, solicitation.linkSource, now)
        table = self._tables.table
        address = int.from_bytes(solicitation.target, "big")
        verdict = _NOT_OURS.get(table.ownership.of(address))
        if verdict is not None:
            return verdict, None
        listed = table.isListed(address)
        if not listed and self.claims.isClaimed(address, now):
            return Verdict.CLAIMED, None
        if solicitation.source == UNSPECIFIED:
            return self._probed(solicitation, listed)
        return self._advertise(solicitation, listed)

    def advertised(self, advertisement: Advertisement, now: float) -> Answer:
        """
        Learn from another machine's advertisement: with the Override flag it says that the target
        is its own, without it that it answers for somebody (RFC 4861 7.2.8).

        @param now: seconds, of any monotonic clock.
        """
        if not advertisement.flags & FLAG_OVERRIDE:
            return Verdict.ADVERTISEMENT, None
        conflict = self._isUsed(advertisement.target, advertisement.linkSource, now)
        return Verdict.CONFLICT if conflict else Verdict.ADVERTISEMENT, None

    def _isUsed(self, address: bytes, linkLayerAddress: bytes, now: float) -> bool:
        """
        Note that another machine uses an address.

        @return: whether that is a conflict: the address has a site of its own.
        """
        number = int.from_bytes(address, "big")
        table = self._tables.table
        if table.ownership.of(number) is not Owner.OURS:
            return False
        if table.isListed(number):
            self._conflict(number, linkLayerAddress)
            return True
        self.claims.claim(number, now)
        return False

    def _probed(self, solicitation: Solicitation, listed: bool) -> Answer:
        """
        Decide about a duplicate address probe. A defence goes to all nodes, with S = 0 (7.2.4).
        """
        verdict = _malformedProbe(solicitation)
        if verdict is not None:
            return verdict, None
        if self._dad is DadPolicy.IGNORE or (self._dad is DadPolicy.AUTO and not listed):
            return Verdict.DAD_IGNORED, None
        flags = FLAG_OVERRIDE if listed else 0
        frame = self._advertisement(solicitation, ALL_NODES_LINK_LAYER, ALL_NODES, flags)
        return Verdict.DEFENDED, frame

    def _advertise(self, solicitation: Solicitation, listed: bool) -> Answer:
        """
        Answer to the solicitor's link-layer address, taken from the packet itself: from the option,
        or from the frame if it has none.
        """
        linkDestination = solicitation.linkLayerOption or solicitation.linkSource
        ours = linkDestination == self._identity.linkLayerAddress
        if ours or not isStation(linkDestination):
            return Verdict.LINK_LAYER_ADDRESS, None
        flags = FLAG_SOLICITED | FLAG_OVERRIDE if listed else FLAG_SOLICITED
        frame = self._advertisement(solicitation, linkDestination, solicitation.source, flags)
        return Verdict.ADVERTISED, frame

    def _advertisement(
        self, solicitation: Solicitation, linkDestination: bytes, destination: bytes, flags: int
    ) -> bytes:
        """
        Write the advertisement of a solicitation's target.
        """
        target = solicitation.target
        source = self._identity.linkLocal if self._fromLinkLocal else None
        return encodeAdvertisement(
            self._identity.linkLayerAddress,
            linkDestination,
            source or target,
            destination,
            target,
            flags,
        )


def isStation(linkLayerAddress: bytes) -> bool:
    """
    Tell whether it is the Ethernet address of one station: 6 bytes, not zero, and no group or
    broadcast address (the lowest bit of the first byte).
    """
    return len(linkLayerAddress) == 6 and not linkLayerAddress[0] & 1 and any(linkLayerAddress)


def _meaningless(solicitation: Solicitation) -> Verdict | None:
    """
    Find what no honest host sends, and that RFC 4861 7.1.1 or RFC 4291 forbids.
    """
    _, source, destination, target, _ = solicitation
    if target[0] == 0xFF:
        return Verdict.MULTICAST_TARGET
    if _isSpecial(target):
        return Verdict.SPECIAL_TARGET
    if source[0] == 0xFF:
        return Verdict.MULTICAST_SOURCE
    if source == LOOPBACK:
        return Verdict.SPECIAL_SOURCE
    if source == target:
        return Verdict.SOURCE_IS_TARGET
    if source == UNSPECIFIED:
        return None
    if destination[0] == 0xFF and destination != SOLICITED_NODE + target[13:]:
        return Verdict.OTHER_GROUP
    return None


def _isSpecial(target: bytes) -> bool:
    """
    Tell whether an address is unspecified, loopback, link-local or IPv4-mapped.
    """
    linkLocal = (
        target[0] == _LINK_LOCAL_FIRST and target[1] & _LINK_LOCAL_MASK == _LINK_LOCAL_SECOND
    )
    return linkLocal or target.startswith(_IPV4_MAPPED) or target in (UNSPECIFIED, LOOPBACK)


def _malformedProbe(solicitation: Solicitation) -> Verdict | None:
    """
    Check what RFC 4861 7.1.1 demands of a solicitation whose source is unspecified.
    """
    if solicitation.linkLayerOption is not None:
        return Verdict.DAD_LINK_LAYER_OPTION
    if solicitation.destination != SOLICITED_NODE + solicitation.target[13:]:
        return Verdict.DAD_DESTINATION
    return None
