"""
Whose is an address? One answer for the link, for routing, for echo and for HTTP.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

from prefix64.addressing import (
    ADDRESS_BITS,
    SUBNET_BITS,
    Prefix,
    PrefixSet,
    formatAddress,
    mergePrefixes,
)

MOST_ANYCAST_SUBNETS = 256
"""
The most /64s of all prefixes together for whose anycast addresses routes are made: a /56 has 256.
Where there are more, only the first of each prefix has them; on the link no anycast address is
answered for, however many there are.
"""


class Owner(enum.Enum):
    """
    Who answers for an address. The value is what a person is told.
    """

    OURS = "an address of the prefix"
    OUTSIDE = "outside the prefix"
    EXCLUDED = "excluded"
    ROUTED = "routed to another interface by this host"
    ANYCAST = "an anycast address, which belongs to routers"
    GATEWAY = "a gateway's address"
    INTERFACE = "an address of this interface"
    HOST = "an address of this host, on another interface"
    NEIGHBOR = "another machine's address"


@dataclass(frozen=True)
class Ownership:
    """
    What is ours and what is not, at one moment. Immutable: a change makes a new one.

    @ivar prefixes: the prefixes that are served; they do not overlap.
    @ivar excluded: what the user said is never ours.
    @ivar interfaceAddresses: the addresses of the served interface: the kernel answers
        solicitations for them itself.
    @ivar hostAddresses: the addresses of all of the host's interfaces.
    @ivar gateways: the next hops of the host's routes.
    @ivar neighbors: addresses that the host knows to be other machines'; filled only where the
        host's own traffic to the prefix is local (C{--local}).
    @ivar routed: parts of the prefixes that the host routes to another interface: a container
        bridge, a tunnel.
    @ivar blocks: what is excluded and what is routed, together.
    @ivar special: the single addresses inside the prefixes that are somebody's, made of the above.
    """

    prefixes: tuple[Prefix, ...]
    excluded: tuple[Prefix, ...] = ()
    interfaceAddresses: frozenset[int] = frozenset()
    hostAddresses: frozenset[int] = frozenset()
    gateways: frozenset[int] = frozenset()
    neighbors: frozenset[int] = frozenset()
    routed: tuple[Prefix, ...] = ()
    special: dict[int, Owner] = field(init=False, repr=False, compare=False)
    blocks: PrefixSet = field(init=False, repr=False, compare=False)
    _excluded: PrefixSet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        special = dict.fromkeys(self.neighbors, Owner.NEIGHBOR)
        special.update((address, Owner.GATEWAY) for address in self.gateways)
        special.update((address, Owner.HOST) for address in self.hostAddresses)
        special.update((address, Owner.INTERFACE) for address in self.interfaceAddresses)
        inside = {
            address: owner
            for address, owner in special.items()
            if any(address in prefix for prefix in self.prefixes)
        }
        object.__setattr__(self, "special", inside)
        object.__setattr__(self, "blocks", PrefixSet((*self.excluded, *self.routed)))
        object.__setattr__(self, "_excluded", PrefixSet(self.excluded))

    def of(self, address: int) -> Owner:
        """
        Tell whose an address is. About a microsecond.
        """
        for prefix in self.prefixes:
            if address in prefix:
                break
        else:
            return Owner.OUTSIDE
        special = self.special.get(address)
        if special is not None:
            return special
        if prefix.anycast(address) is not None:
            return Owner.ANYCAST
        if address not in self.blocks:
            return Owner.OURS
        return Owner.EXCLUDED if address in self._excluded else Owner.ROUTED

    def prefixOf(self, address: int) -> Prefix | None:
        """
        @return: the served prefix that the address is in, or L{None}.
        """
        return next((prefix for prefix in self.prefixes if address in prefix), None)

    def notOurs(self) -> dict[Prefix, str]:
        """
        What lies inside the prefixes and is left to the host's own routing tables.

        The host's own addresses are not among them: the kernel's C{local} table, which comes first,
        has them already.

        @return: each address or prefix, with the reason in words.
        """
        found: dict[Prefix, str] = {}
        subnets = sum(max(1, prefix.count >> SUBNET_BITS) for prefix in self.prefixes)
        for prefix in self.prefixes:
            if prefix.length >= SUBNET_BITS or subnets <= MOST_ANYCAST_SUBNETS:
                found.update(prefix.anycastRanges())
            else:
                found.update(Prefix(prefix.network, SUBNET_BITS).anycastRanges())
        found.update((prefix, "routed to another interface") for prefix in self.routed)
        found.update((prefix, "excluded") for prefix in self.excluded)
        found.update(self._single(self.neighbors - self.hostAddresses, "a known neighbor"))
        found.update(self._single(self.gateways - self.hostAddresses, "a gateway"))
        return found

    def echoedByOthers(self) -> list[Prefix]:
        """
        Every address and prefix, inside the served ones, whose echo requests are not ours to
        answer: L{notOurs} and the host's own addresses, which the kernel answers. Sorted, without
        overlaps.
        """
        own = self._single(self.hostAddresses, "")
        return mergePrefixes([*self.notOurs(), *(prefix for prefix, _ in own)])

    def _single(self, addresses: Iterable[int], reason: str) -> list[tuple[Prefix, str]]:
        """
        The addresses that are inside the prefixes, each with its reason.
        """
        return [
            (Prefix(address, ADDRESS_BITS), reason)
            for address in sorted(addresses)
            if self.prefixOf(address) is not None
        ]

    def example(self) -> str:
        """
        An address to try first: C{...::cafe}, or the first that is ours after it.
        """
        for prefix in self.prefixes:
            for candidate in range(0xCAFE, 0xCAFE + 4096):
                address = prefix.address(candidate)
                if self.of(address) is Owner.OURS:
                    return formatAddress(address)
        return formatAddress(self.prefixes[0].network)
