"""
IPv6 addresses and prefixes as integers, their text forms, and the addresses no host may own.

An address is an C{int} from 0 to 2**128 - 1, in network byte order: comparing, masking and looking
one up costs a fraction of what an L{ipaddress.IPv6Address} does. That module is used where a text
is read, once, and nowhere else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from socket import AF_INET6, inet_ntop

from prefix64.errors import AddressError

ADDRESS_BITS = 128
SHORTEST_SERVED = 32
LONGEST_SERVED = 127
SUBNET_BITS = 64
"""The length of a subnet's prefix, in bits (RFC 4291 2.5.4)."""
RESERVED_ANYCAST_BITS = 7
"""The low bits of an identifier that tell the 128 reserved anycast addresses apart (RFC 2526)."""

_SOLICITED_NODE = int(ipaddress.IPv6Address("ff02::1:ff00:0"))
_RESERVED_ANYCAST_64 = 0xFDFF_FFFF_FFFF_FF80
_LONGEST_WITH_RESERVED = 120

_NEVER_SERVED = (
    (ipaddress.IPv6Network("ff00::/8"), "multicast"),
    (ipaddress.IPv6Network("fe80::/10"), "link-local"),
    (ipaddress.IPv6Network("::/96"), "loopback, unspecified or IPv4-compatible"),
    (ipaddress.IPv6Network("::ffff:0:0/96"), "IPv4-mapped"),
)


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """
    The addresses that share their first bits. A single address is a prefix of length 128.

    @ivar network: the first address, with every bit after C{length} zero.
    @ivar length: how many leading bits are shared, 0 to 128.
    """

    network: int
    length: int
    _shift: int = field(init=False, repr=False, compare=False)
    _key: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shift = ADDRESS_BITS - self.length
        object.__setattr__(self, "_shift", shift)
        object.__setattr__(self, "_key", self.network >> shift)
        if self.network != self._key << shift:
            raise AddressError(f"{formatAddress(self.network)}/{self.length} has host bits set")

    def __contains__(self, address: int) -> bool:
        return address >> self._shift == self._key

    def __str__(self) -> str:
        text = formatAddress(self.network)
        return text if self.length == ADDRESS_BITS else f"{text}/{self.length}"

    @property
    def last(self) -> int:
        """The prefix's highest address."""
        return self.network | ((1 << self._shift) - 1)

    @property
    def count(self) -> int:
        """How many addresses the prefix has."""
        return 1 << self._shift

    def covers(self, other: Prefix) -> bool:
        """
        Tell whether every address of C{other} is one of this prefix.
        """
        return self.length <= other.length and other.network in self

    def overlaps(self, other: Prefix) -> bool:
        """
        Tell whether the two share an address.
        """
        return self.covers(other) or other.covers(self)

    def address(self, bits: int) -> int:
        """
        Make an address of this prefix.

        @param bits: what stands behind the prefix; bits that do not fit are cut off. With random
            bits the address is random.
        """
        return self.network | (bits & ((1 << self._shift) - 1))

    def anycast(self, address: int) -> str | None:
        """
        Tell whether an address of this prefix is an anycast address, which no host may claim.

        The subnet-router anycast address (RFC 4291 2.6.1) has an interface identifier of zero: in a
        prefix shorter than /64 each /64 has one; a /127 has none (RFC 6164). The reserved subnet
        anycast addresses (RFC 2526) are identifiers C{fdff:ffff:ffff:ff80} to
        C{fdff:ffff:ffff:ffff} up to /64, the last 128 addresses of a longer prefix up to /120, and
        none beyond.

        @param address: an address of this prefix.
        @return: which kind it is, in words, or L{None}.
        """
        identifier = address & self.identifierMask
        if identifier == 0 and self.length <= 126:
            return "subnet-router anycast address"
        if self.reservedBase == identifier >> RESERVED_ANYCAST_BITS:
            return "reserved anycast address"
        return None

    @property
    def identifierMask(self) -> int:
        """The bits of an address that are compared with anycast identifiers."""
        return (1 << min(self._shift, SUBNET_BITS)) - 1

    @property
    def reservedBase(self) -> int | None:
        """The reserved anycast identifiers, less their low seven bits; L{None} for none."""
        if self.length <= SUBNET_BITS:
            return _RESERVED_ANYCAST_64 >> RESERVED_ANYCAST_BITS
        if self.length <= _LONGEST_WITH_RESERVED:
            return (1 << (self._shift - RESERVED_ANYCAST_BITS)) - 1
        return None

    def anycastRanges(self) -> Iterator[tuple[Prefix, str]]:
        """
        Iterate over the anycast ranges of each /64 (or of the one longer prefix): see L{anycast}.

        A prefix shorter than /64 has two in each of its 2**(64 - length) subnets.
        """
        subnetLength = max(self.length, SUBNET_BITS)
        base = self.reservedBase
        for number in range(1 << max(0, SUBNET_BITS - self.length)):
            subnet = self.network | number << SUBNET_BITS
            if subnetLength <= 126:
                yield Prefix(subnet, ADDRESS_BITS), "subnet-router anycast address"
            if base is not None:
                first = subnet | base << RESERVED_ANYCAST_BITS
                yield (
                    Prefix(first, ADDRESS_BITS - RESERVED_ANYCAST_BITS),
                    "reserved anycast addresses",
                )


class PrefixSet:
    """
    Prefixes among which an address is looked up in one step for each different length.
    """

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        keys: dict[int, set[int]] = {}
        for prefix in prefixes:
            shift = ADDRESS_BITS - prefix.length
            keys.setdefault(shift, set()).add(prefix.network >> shift)
        self._keys = sorted(keys.items())

    def __contains__(self, address: int) -> bool:
        return any(address >> shift in keys for shift, keys in self._keys) if self._keys else False


def parseAddress(text: str) -> int:
    """
    Read one address, in any of its spellings (RFC 4291 2.2).

    @raise AddressError: the text is no IPv6 address, or has a scope identifier.
    """
    return parsePrefix(text, what="address", longest=False).network


def parsePrefix(text: str, what: str = "address or prefix", longest: bool = True) -> Prefix:
    """
    Read an address, C{2001:db8::1}, or a prefix, C{2001:db8::/64}.

    @param what: what is asked for, in the words of the error.
    @param longest: whether a prefix length is allowed at all.
    @raise AddressError: the text is neither, is IPv4, has a scope identifier, or has host bits set.
    """
    try:
        if "/" in text and not longest:
            raise ValueError
        interface = ipaddress.IPv6Interface(text)
        if interface.scope_id is not None:
            raise AddressError(f"{text!r} has a scope (the part after %): leave it out")
    except ValueError:
        raise AddressError(_whatIsWrong(text, what)) from None
    network = interface.network
    if int(interface.ip) != int(network.network_address):
        raise AddressError(f"{text!r} has host bits set: did you mean {network}?")
    return Prefix(int(network.network_address), network.prefixlen)


def _whatIsWrong(text: str, what: str) -> str:
    """
    Say why a text is no IPv6 address or prefix.
    """
    try:
        ipaddress.IPv4Interface(text)
    except ValueError:
        return f"{text!r} is no IPv6 {what}"
    return f"{text!r} is IPv4: an IPv6 {what} is needed"


def parseServedPrefix(text: str) -> Prefix:
    """
    Read a prefix that can be served: unicast, of a length from 32 to 127.

    @raise AddressError: it is no prefix, has no length or one out of range, has host bits set, or
        lies in a range that is never routed to a host.
    """
    prefix = parsePrefix(text, what="prefix")
    if "/" not in text:
        subnet = Prefix(prefix.network >> SUBNET_BITS << SUBNET_BITS, SUBNET_BITS)
        raise AddressError(f"{text!r} has no prefix length: did you mean {subnet}?")
    if not SHORTEST_SERVED <= prefix.length <= LONGEST_SERVED:
        raise AddressError(
            f"{text!r} has length {prefix.length}: "
            f"it must be from {SHORTEST_SERVED} to {LONGEST_SERVED} (64 is the usual one)"
        )
    network = ipaddress.IPv6Network((prefix.network, prefix.length))
    for block, kind in _NEVER_SERVED:
        if network.overlaps(block):
            raise AddressError(f"{text!r} is {kind}: use a global or unique local unicast prefix")
    return prefix


def formatAddress(address: int) -> str:
    """
    The canonical text of an address (RFC 5952): C{2001:db8::cafe}.
    """
    return inet_ntop(AF_INET6, address.to_bytes(16, "big"))


@lru_cache(maxsize=1024)
def formatAddressBytes(address: bytes) -> str:
    """
    The canonical text of an address of 16 bytes, as it stands in a packet.
    """
    return inet_ntop(AF_INET6, address)


def fullForm(address: int) -> str:
    """
    Eight groups of four digits, nothing left out: C{2001:0db8:0000:...:cafe}.
    """
    digits = f"{address:032x}"
    return ":".join(digits[i : i + 4] for i in range(0, 32, 4))


def reverseName(address: int) -> str:
    """
    The name under which DNS keeps the address's PTR record, in C{ip6.arpa} (RFC 3596 2.5).
    """
    return ".".join(reversed(f"{address:032x}")) + ".ip6.arpa"


def solicitedNodeGroup(address: int) -> int:
    """
    The solicited-node multicast group: C{ff02::1:ff} and the last 24 bits (RFC 4291 2.7.1).
    """
    return _SOLICITED_NODE | (address & 0xFFFFFF)


def mergePrefixes(prefixes: list[Prefix]) -> list[Prefix]:
    """
    Sort prefixes and leave out each that another one covers.
    """
    merged: list[Prefix] = []
    for prefix in sorted(set(prefixes), key=lambda p: (p.network, p.length)):
        if not (merged and merged[-1].covers(prefix)):
            merged.append(prefix)
    return merged


def mergedRanges(prefixes: Iterable[Prefix]) -> list[tuple[int, int]]:
    """
    Sorted ranges, each from its first address to the first behind it; neighbours become one.
    """
    ranges: list[tuple[int, int]] = []
    for prefix in mergePrefixes(list(prefixes)):
        first, behind = prefix.network, prefix.last + 1
        if ranges and ranges[-1][1] == first:
            first = ranges.pop()[0]
        ranges.append((first, behind))
    return ranges
