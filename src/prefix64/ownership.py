"""
Whose is an address? One answer for the link, for routing, for echo and for HTTP.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

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
    FORWARDED = "behind this host"
    UNROUTED = "said to be behind this host, which has no route for it"
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
    @ivar behind: what the user said lives behind this host, and is answered for on the link while
        it is routed.
    @ivar followsRoutes: whether everything that is routed lives behind this host.
    @ivar forwards: whether the host forwards what comes in; else nothing behind it is answered for.
    @ivar blocks: what is excluded, routed and behind, together.
    @ivar special: the single addresses inside the prefixes that are somebody's, made of the above.
    """

    prefixes: tuple[Prefix, ...]
    excluded: tuple[Prefix, ...] = ()
    interfaceAddresses: frozenset[int] = frozenset()
    hostAddresses: frozenset[int] = frozenset()
    gateways: frozenset[int] = frozenset()
    neighbors: frozenset[int] = frozenset()
    routed: tuple[Prefix, ...] = ()
    behind: tuple[Prefix, ...] = ()
    followsRoutes: bool = False
    forwards: bool = True
    special: dict[int, Owner] = field(init=False, repr=False, compare=False)
    blocks: PrefixSet = field(init=False, repr=False, compare=False)
    _excluded: PrefixSet = field(init=False, repr=False, compare=False)
    _routed: PrefixSet = field(init=False, repr=False, compare=False)
    _behind: PrefixSet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("excluded", "routed", "behind"):
            object.__setattr__(self, f"_{name}", PrefixSet(getattr(self, name)))
        special = dict.fromkeys(self.neighbors, Owner.NEIGHBOR)
        special.update((address, Owner.GATEWAY) for address in self.gateways)
        special = {one: owner for one, owner in special.items() if not self._isBehind(one)}
        special.update((address, Owner.HOST) for address in self.hostAddresses)
        special.update((address, Owner.INTERFACE) for address in self.interfaceAddresses)
        inside = {
            address: owner
            for address, owner in special.items()
            if any(address in prefix for prefix in self.prefixes)
        }
        object.__setattr__(self, "special", inside)
        blocks = PrefixSet((*self.excluded, *self.routed, *self.behind))
        object.__setattr__(self, "blocks", blocks)

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
        return self._ofBlock(address)

    def _ofBlock(self, address: int) -> Owner:
        """
        Tell whose an address is that is excluded, routed or behind.
        """
        if address in self._excluded:
            return Owner.EXCLUDED
        if self._isBehind(address):
            return Owner.FORWARDED if self.forwards else Owner.ROUTED
        return Owner.ROUTED if address in self._routed else Owner.UNROUTED

    def _isBehind(self, address: int) -> bool:
        """
        Tell whether an address lives behind this host, and is routed there.
        """
        return address in self._routed and (self.followsRoutes or address in self._behind)

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
        return found | self.elsewhere()

    def elsewhere(self) -> dict[Prefix, str]:
        """
        Of L{notOurs}, what the host's own routing tables may know a way to.

        @return: each address or prefix, with the reason in words.
        """
        found = dict.fromkeys(self.routed, "routed to another interface")
        found.update((prefix, "excluded") for prefix in self.excluded)
        found.update(self._single(self.neighbors - self.hostAddresses, "a known neighbor"))
        found.update(self._single(self.gateways - self.hostAddresses, "a gateway"))
        return found

    def unreachable(self) -> dict[Prefix, str]:
        """
        What is said to be behind this host, as long as no route leads to all of it: what comes for
        it would go back to where it came from.

        @return: each address or prefix, with the reason in words.
        """
        return {
            block: "behind this host, without a route"
            for block in self.behind
            if not any(route.covers(block) for route in self.routed)
        }

    def echoedByOthers(self) -> list[Prefix]:
        """
        Every address and prefix, inside the served ones, whose echo requests are not ours to
        answer: L{notOurs} and the host's own addresses, which the kernel answers. Sorted, without
        overlaps.
        """
        own = self._single(self.hostAddresses, "")
        others = [*self.notOurs(), *self.unreachable(), *(prefix for prefix, _ in own)]
        return mergePrefixes(others)

    @classmethod
    def together(cls, several: Iterable[Ownership]) -> Ownership:
        """
        What is ours on several interfaces, whose prefixes do not overlap.
        """
        every = list(several)
        merged: dict[str, Any] = {
            name: tuple(one for ownership in every for one in getattr(ownership, name))
            for name in ("prefixes", "excluded", "routed", "behind")
        }
        merged["behind"] += tuple(
            route for ownership in every if ownership.followsRoutes for route in ownership.routed
        )
        merged |= {
            name: frozenset().union(*(getattr(ownership, name) for ownership in every))
            for name in ("interfaceAddresses", "hostAddresses", "gateways", "neighbors")
        }
        return cls(**merged, forwards=all(ownership.forwards for ownership in every))

    def _single(self, addresses: Iterable[int], reason: str) -> list[tuple[Prefix, str]]:
        """
        The addresses that are inside the prefixes, each with its reason.
        """
        return [
            (Prefix(address, ADDRESS_BITS), reason)
            for address in sorted(addresses)
            if self.prefixOf(address) is not None
        ]

    def example(self) -> str | None:
        """
        An address to try first: C{...::cafe}, or the first that is ours after it. L{None} where
        none is, as where all of a prefix is behind this host.
        """
        for prefix in self.prefixes:
            for candidate in range(0xCAFE, 0xCAFE + 4096):
                address = prefix.address(candidate)
                if self.of(address) is Owner.OURS:
                    return formatAddress(address)
        return None
