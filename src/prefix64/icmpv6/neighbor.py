"""
Neighbor Discovery: which solicitations are answered, and how (RFC 4861 7.2.3, 7.2.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.icmpv6.claims import Claims
from prefix64.icmpv6.packets import (
    ALL_NODES,
    ALL_NODES_LINK_LAYER,
    FLAG_OVERRIDE,
    FLAG_ROUTER,
    FLAG_SOLICITED,
    UNSPECIFIED,
    Advertisement,
    Solicitation,
    encodeAdvertisement,
)
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy
from prefix64.icmpv6.validation import isStation, malformedProbe, meaningless
from prefix64.icmpv6.verdicts import Answer, Verdict
from prefix64.ownership import Owner

_NOT_OURS = {
    Owner.OUTSIDE: Verdict.OUTSIDE,
    Owner.EXCLUDED: Verdict.EXCLUDED,
    Owner.ROUTED: Verdict.EXCLUDED,
    Owner.UNROUTED: Verdict.EXCLUDED,
    Owner.ANYCAST: Verdict.ANYCAST,
    Owner.GATEWAY: Verdict.GATEWAY,
    Owner.INTERFACE: Verdict.OWN_ADDRESS,
    Owner.NEIGHBOR: Verdict.NEIGHBOR,
}
"""
The owners whose addresses we are silent about. An address of the host on another interface is not
among them, nor one that lives behind this host: the kernel answers no solicitation for it on this
interface.
"""


@dataclass
class LinkIdentity:
    """
    Who we are on the link. Changes when the interface does.

    @ivar linkLayerAddress: 6 bytes.
    @ivar linkLocal: a link-local address of the interface, 16 bytes, or L{None}.
    @ivar isRouter: whether advertisements say that we are a router.
    """

    linkLayerAddress: bytes
    linkLocal: bytes | None = None
    isRouter: bool = False

    @property
    def key(self) -> tuple[bytes, bytes | None, bool]:
        """All of it as one value, to see whether it has changed."""
        return self.linkLayerAddress, self.linkLocal, self.isRouter


class NeighborDiscovery:
    """
    Decides about well-formed solicitations, and learns from those and from advertisements which
    addresses are somebody else's.

    @ivar claims: those addresses.
    @ivar conflicts: how many signs there were that another machine uses an address that we answer
        for.
    @ivar identity: who we are on the link.
    @ivar tables: the host table of this moment.
    @ivar answers: whether solicitations are answered at all; if not, they are only learned from.
    @ivar onlyHosts: whether only addresses that a host rule covers are answered for.
    @ivar fromLinkLocal: whether advertisements come from our link-local address, where we have one.
    """

    def __init__(
        self,
        identity: LinkIdentity,
        tables: CurrentTable,
        dad: DadPolicy = DadPolicy.AUTO,
        advertisementSource: AdvertisementSource = AdvertisementSource.TARGET,
        conflict: Callable[[int, bytes], None] = lambda address, linkLayerAddress: None,
        respond: RespondPolicy = RespondPolicy.ALL,
        yields: bool = False,
        answers: bool = True,
    ) -> None:
        """
        @param conflict: told of each sign that another machine uses an address that we answer for:
            the address, and the machine's link-layer address.
        @param yields: whether an address that a host rule covers is left to another machine that
            uses it.
        @param answers: whether solicitations are answered; else the kernel or another program does.
        """
        self.answers = answers
        self.identity = identity
        self.tables = tables
        self._dad = dad
        self._conflict = conflict
        self._yields = yields
        self.claims = Claims()
        self.conflicts = 0
        self.onlyHosts = respond is RespondPolicy.HOSTS
        self.fromLinkLocal = advertisementSource is AdvertisementSource.LINK_LOCAL

    def solicited(self, solicitation: Solicitation, now: float) -> Answer:
        """
        Decide about a solicitation. Its source, if it is an address that was ours, is the
        solicitor's.

        @param now: seconds, of any monotonic clock.
        @return: a verdict, and the advertisement's frame if one is to be sent.
        """
        verdict = meaningless(solicitation)
        if verdict is not None:
            return verdict, None
        if solicitation.source != UNSPECIFIED:
            self._isUsed(solicitation.source, solicitation.linkSource, now)
        if not self.answers:
            return Verdict.LEFT_TO_OTHERS, None
        table = self.tables.table
        address = int.from_bytes(solicitation.target, "big")
        verdict = _NOT_OURS.get(table.ownership.of(address)) or self.withheld(address, now)
        if verdict is not None:
            return verdict, None
        listed = table.isListed(address)
        if solicitation.source == UNSPECIFIED:
            own = table.ownership.of(address) in (Owner.HOST, Owner.FORWARDED)
            return self._probed(solicitation, listed, own)
        return self._advertise(solicitation, listed)

    def advertised(self, advertisement: Advertisement, now: float) -> Answer:
        """
        Learn from another machine's advertisement: with the Override flag it says that the target
        is its own, without it that it answers for somebody (RFC 4861 7.2.8).

        @param now: seconds, of any monotonic clock.
        """
        _, source, target, flags = advertisement
        conflict = False
        if source != target:
            conflict = self._isUsed(source, advertisement.linkSource, now)
        if flags & FLAG_OVERRIDE:
            conflict |= self._isUsed(target, advertisement.linkSource, now, advertised=True)
        return Verdict.CONFLICT if conflict else Verdict.ADVERTISEMENT, None

    def unsolicited(self, address: int, now: float) -> bytes | None:
        """
        Write an advertisement of a listed host that nobody asked for: to all nodes, S = 0, O = 1
        (RFC 4861 7.2.6).

        @param now: seconds, of the clock of L{solicited}.
        @return: a frame; L{None} if the address is not answered for either.
        """
        ours = self.tables.table.ownership.of(address) not in _NOT_OURS
        if not ours or self.withheld(address, now) is not None:
            return None
        target = address.to_bytes(16, "big")
        return encodeAdvertisement(
            self.identity.linkLayerAddress,
            ALL_NODES_LINK_LAYER,
            self.commonSource() or target,
            ALL_NODES,
            target,
            self.flags(listed=True, solicited=False),
        )

    def _isUsed(
        self, address: bytes, linkLayerAddress: bytes, now: float, advertised: bool = False
    ) -> bool:
        """
        Note that another machine uses an address: it is left to that machine, unless a host rule
        covers it and we do not yield.

        @param advertised: whether that machine said so; else it only spoke from the address.
        @return: whether it is a conflict: we answered for the address until now, and the machine
            advertised it, or a host rule covers it.
        """
        number = int.from_bytes(address, "big")
        table = self.tables.table
        ours = table.ownership.of(number) in (Owner.OURS, Owner.FORWARDED)
        if not ours or not isStation(linkLayerAddress):
            return False
        listed = table.isListed(number)
        conflict = (advertised or listed) and self.withheld(number, now) is None
        if self._yields or not listed:
            self.claims.claim(number, now)
        if conflict:
            self.conflicts += 1
            self._conflict(number, linkLayerAddress)
        return conflict

    def withheld(self, address: int, now: float) -> Verdict | None:
        """
        Tell whether an address that is ours is not answered for all the same.

        @return: why; L{None} if it is answered for.
        """
        table = self.tables.table
        listed = table.isListed(address)
        if self.onlyHosts and not listed and table.ownership.of(address) is not Owner.FORWARDED:
            return Verdict.UNLISTED
        if (self._yields or not listed) and self.claims.isClaimed(address, now):
            return Verdict.CLAIMED
        return None

    def _probed(self, solicitation: Solicitation, listed: bool, own: bool) -> Answer:
        """
        Decide about a duplicate address probe. A defence goes to all nodes, with S = 0 (7.2.4).

        @param own: whether the host itself has the address, on another interface, or leads to it.
        """
        verdict = malformedProbe(solicitation)
        if verdict is not None:
            return verdict, None
        if self._dad is DadPolicy.IGNORE or (self._dad is DadPolicy.AUTO and not (listed or own)):
            return Verdict.DAD_IGNORED, None
        flags = self.flags(listed, solicited=False)
        frame = self._advertisement(solicitation, ALL_NODES_LINK_LAYER, ALL_NODES, flags)
        return Verdict.DEFENDED, frame

    def _advertise(self, solicitation: Solicitation, listed: bool) -> Answer:
        """
        Answer to the solicitor's link-layer address, taken from the packet itself: from the option,
        or from the frame if it has none.
        """
        linkDestination = solicitation.linkLayerOption or solicitation.linkSource
        ours = linkDestination == self.identity.linkLayerAddress
        if ours or not isStation(linkDestination):
            return Verdict.LINK_LAYER_ADDRESS, None
        flags = self.flags(listed)
        frame = self._advertisement(solicitation, linkDestination, solicitation.source, flags)
        return Verdict.ADVERTISED, frame

    def commonSource(self) -> bytes | None:
        """
        The source of all advertisements, 16 bytes; L{None} if each comes from its target.
        """
        return self.identity.linkLocal if self.fromLinkLocal else None

    def flags(self, listed: bool, solicited: bool = True) -> int:
        """
        The flags of an advertisement: R for a router (RFC 4861 4.4), O for an address that a host
        rule covers (7.2.8).
        """
        return (
            (FLAG_ROUTER if self.identity.isRouter else 0)
            | (FLAG_SOLICITED if solicited else 0)
            | (FLAG_OVERRIDE if listed else 0)
        )

    def _advertisement(
        self, solicitation: Solicitation, linkDestination: bytes, destination: bytes, flags: int
    ) -> bytes:
        """
        Write the advertisement of a solicitation's target.
        """
        target = solicitation.target
        source = self.commonSource()
        return encodeAdvertisement(
            self.identity.linkLayerAddress,
            linkDestination,
            source or target,
            destination,
            target,
            flags,
        )


def listedHosts(table: HostTable) -> Iterator[int]:
    """
    The addresses that have a host rule of their own and are answered for on the link, in the order
    of the rules.
    """
    owner = table.ownership.of
    return (address for address in table.singleAddresses if owner(address) not in _NOT_OURS)
