"""
The host table: exact address first, then the longest sub-prefix, then the default.

One dict for each prefix length, with integer keys: a look-up costs about a microsecond, however
many rules there are. A table is immutable; a change makes a new one with the next generation.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from prefix64.addressing import ADDRESS_BITS, Prefix
from prefix64.hosts.model import Host, Site, WelcomeSite
from prefix64.ownership import Owner, Ownership

RANDOM_TRIES = 64


class Rule(enum.Enum):
    """
    Which kind of rule decided. The value is the word in the page and in the access log.
    """

    ADDRESS = "address"
    SUB_PREFIX = "sub-prefix"
    DEFAULT = "default"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Match:
    """
    What the table says of one address.

    @ivar address: the address asked about.
    @ivar owner: whose it is.
    @ivar rule: the kind of the rule that matched; L{Rule.REFUSED} for an address that is not
        served here at all.
    @ivar matched: what the rule covers: the address or sub-prefix of a host rule, else L{None}.
    @ivar site: the site, or L{None} when refused.
    """

    address: int
    owner: Owner
    rule: Rule
    matched: Prefix | None
    site: Site | None

    def __str__(self) -> str:
        return self.rule.value if self.matched is None else str(self.matched)


class HostTable:
    """
    An immutable snapshot of the host rules and of what is ours.

    @ivar ownership: whose each address is.
    @ivar generation: grows with each change; what was looked up in an older one is stale.
    """

    def __init__(
        self,
        ownership: Ownership,
        hosts: Iterable[Host] = (),
        default: Site | None = None,
        generation: int = 1,
    ) -> None:
        self.ownership = ownership
        self.default: Site = WelcomeSite() if default is None else default
        self.generation = generation
        byLength: dict[int, dict[int, Host]] = {}
        for host in hosts:
            shift = ADDRESS_BITS - host.prefix.length
            byLength.setdefault(shift, {})[host.prefix.network >> shift] = host
        self._exact = byLength.pop(0, {})
        self._subPrefixes = sorted(byLength.items())

    def withOwnership(self, ownership: Ownership) -> HostTable:
        """
        The same hosts under another ownership, with the next generation.
        """
        table = HostTable(ownership, (), self.default, self.generation + 1)
        table._exact = self._exact
        table._subPrefixes = self._subPrefixes
        return table

    @property
    def hasHosts(self) -> bool:
        """Whether there is any host rule."""
        return bool(self._exact or self._subPrefixes)

    def host(self, address: int) -> Host | None:
        """
        The host rule that covers an address: its own, else the longest sub-prefix's.
        """
        found = self._exact.get(address)
        if found is None:
            for shift, hosts in self._subPrefixes:
                found = hosts.get(address >> shift)
                if found is not None:
                    break
        return found

    @property
    def singleAddresses(self) -> Collection[int]:
        """The addresses that have a host rule of their own, in the order of the rules."""
        return self._exact.keys()

    def isListed(self, address: int) -> bool:
        """
        Tell whether a host rule covers the address. The default is no host rule.
        """
        return self.host(address) is not None

    def lookup(self, address: int) -> Match:
        """
        Find the site of an address.

        The host's own addresses get their own site if one is named for exactly that address, and
        the default one if not: what was allotted as part of a sub-prefix does not take them over.
        """
        owner = self.ownership.of(address)
        if owner in (Owner.INTERFACE, Owner.HOST):
            host = self._exact.get(address)
        elif owner is Owner.OURS:
            host = self.host(address)
        else:
            return Match(address, owner, Rule.REFUSED, None, None)
        if host is None:
            return Match(address, owner, Rule.DEFAULT, None, self.default)
        rule = Rule.ADDRESS if host.prefix.length == ADDRESS_BITS else Rule.SUB_PREFIX
        return Match(address, owner, rule, host.prefix, host.site)

    def randomAddress(self, prefix: Prefix, randomBits: Callable[[int], int]) -> int | None:
        """
        Draw an address of a prefix that is ours and that no host rule covers.

        @param prefix: one of the served prefixes.
        @param randomBits: given a number of bits, an integer of as many random ones
            (L{secrets.randbits}).
        @return: the address, or L{None} where a number of draws found none free.
        """
        for _ in range(RANDOM_TRIES):
            address = prefix.address(randomBits(ADDRESS_BITS - prefix.length))
            if self.ownership.of(address) is Owner.OURS and self.host(address) is None:
                return address
        return None


class CurrentTable:
    """
    Where those who serve find the table of this moment.

    @ivar table: the snapshot; replaced whole, never changed.
    """

    def __init__(self, table: HostTable) -> None:
        self.table = table
        self._parts: list[CurrentTable] = []

    def ownershipChanged(self, ownership: Ownership) -> None:
        """
        Put the same hosts under another ownership.
        """
        self.table = self.table.withOwnership(ownership)

    def part(self, ownership: Ownership) -> CurrentTable:
        """
        The same hosts for a part of the prefixes, which one interface has. What changes there
        changes here.

        @param ownership: whose the addresses are there.
        """
        part = InterfaceTable(self, self.table.withOwnership(ownership))
        self._parts.append(part)
        return part

    def partChanged(self) -> None:
        """
        Put all parts together anew.
        """
        self.ownershipChanged(Ownership.together(part.table.ownership for part in self._parts))


class InterfaceTable(CurrentTable):
    """
    The table of one interface.
    """

    def __init__(self, whole: CurrentTable, table: HostTable) -> None:
        """
        @param whole: that of all interfaces.
        """
        super().__init__(table)
        self._whole = whole

    def ownershipChanged(self, ownership: Ownership) -> None:
        """
        Put the same hosts under another ownership, here and in the whole.
        """
        super().ownershipChanged(ownership)
        self._whole.partChanged()
