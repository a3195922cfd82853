"""
Addresses and prefixes: against the standard library's L{ipaddress}, and the RFCs' own words.
"""

from __future__ import annotations

import ipaddress
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import (
    ADDRESS_BITS,
    Prefix,
    formatAddress,
    formatAddressBytes,
    fullForm,
    mergePrefixes,
    parseAddress,
    parsePrefix,
    parseServedPrefix,
    reverseName,
    solicitedNodeGroup,
)
from prefix64.errors import AddressError

examples = settings(max_examples=200, deadline=None, derandomize=True)
anyAddress = st.integers(0, 2**128 - 1)
globalAddress = st.integers(0x2000 << 112, (0x4000 << 112) - 1)


@st.composite
def sparseAddress(draw: st.DrawFn) -> int:
    """
    A global address with many zero groups: those are what the text forms differ in.
    """
    groups = draw(st.lists(st.sampled_from((0, 0, 1, 0xAB, 0xFFFF)), min_size=7, max_size=7))
    return sum(group << 16 * place for place, group in enumerate([*groups, 0x2001]))


@st.composite
def anyPrefix(draw: st.DrawFn, shortest: int = 0, longest: int = 128) -> Prefix:
    length = draw(st.integers(shortest, longest))
    shift = ADDRESS_BITS - length
    return Prefix(draw(anyAddress) >> shift << shift, length)


def network(prefix: Prefix) -> ipaddress.IPv6Network:
    return ipaddress.IPv6Network((prefix.network, prefix.length))


def number(text: str) -> int:
    return int(ipaddress.IPv6Address(text))


class TextTests(SynchronousTestCase):
    """
    The text forms of an address.
    """

    @examples
    @given(st.one_of(globalAddress, sparseAddress()))
    @example(number("2001:db8:0:1:1:1:1:1"))
    @example(number("2001:0:0:1:0:0:0:1"))
    @example(number("2001:db8:0:0:1:0:0:1"))
    def test_canonicalFormIsTheStandardLibrarys(self, address: int) -> None:
        """
        The canonical form (RFC 5952 4) is the one that L{ipaddress} makes, for an C{int} and for
        the bytes of a packet.
        """
        expected = str(ipaddress.IPv6Address(address))
        self.assertEqual(formatAddress(address), expected)
        self.assertEqual(formatAddressBytes(address.to_bytes(16, "big")), expected)

    def test_theLongestRunOfZerosIsShortenedAndTheFirstOfEqualOnes(self) -> None:
        """
        RFC 5952 4.2: one zero group stays, the longest run goes, of two equal ones the first.
        """
        for groups, text in (
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0DB8:0:0:0:0:0:CAFE", "2001:db8::cafe"),
        ):
            self.assertEqual(formatAddress(parseAddress(groups)), text)

    @examples
    @given(anyAddress)
    def test_fullFormIsTheStandardLibrarys(self, address: int) -> None:
        """
        Eight groups of four digits.
        """
        self.assertEqual(fullForm(address), ipaddress.IPv6Address(address).exploded)

    @examples
    @given(anyAddress)
    def test_reverseNameIsTheStandardLibrarys(self, address: int) -> None:
        """
        A label for each of the 32 digits, the last first (RFC 3596 2.5).
        """
        self.assertEqual(reverseName(address), ipaddress.IPv6Address(address).reverse_pointer)

    @examples
    @given(anyAddress)
    def test_everySpellingIsRead(self, address: int) -> None:
        """
        Full, shortened, in capitals, and with the last 32 bits as IPv4 (RFC 4291 2.2).
        """
        standard = ipaddress.IPv6Address(address)
        tail = ipaddress.IPv4Address(address & 0xFFFFFFFF)
        for text in (
            standard.exploded,
            str(standard),
            standard.exploded.upper(),
            f"{standard.exploded[:29]}:{tail}",
        ):
            self.assertEqual(parseAddress(text), address, text)

    @examples
    @given(st.text(alphabet="0123456789abcdefg:./%- \n", max_size=24))
    def test_whateverIsWrittenIsReadAsTheStandardLibraryDoesOrRefused(self, text: str) -> None:
        """
        What L{ipaddress} refuses is an L{AddressError}, and nothing else ever comes out.
        """
        try:
            expected = ipaddress.IPv6Address(text)
        except ValueError:
            self.assertRaises(AddressError, parseAddress, text)
        else:
            if expected.scope_id is None:
                self.assertEqual(parseAddress(text), int(expected))
            else:
                self.assertRaises(AddressError, parseAddress, text)


class BadTextTests(SynchronousTestCase):
    """
    What is no address or prefix, or cannot be served: one line that names it.
    """

    def refused(self, text: str, parse: object = parsePrefix) -> str:
        error = self.assertRaises(AddressError, parse, text)
        self.assertIn(repr(text), str(error))
        self.assertNotIn("\n", str(error))
        return str(error)

    def test_whatIsNoAddressIsNamed(self) -> None:
        """
        The value is in the error, escaped, so that it stays one line.
        """
        for text in ("", "cafe", "2001:db8::1::2", "2001:db8::1 ", "2001:db8::/129", "a\nb\x1b[0m"):
            self.assertIn("is no IPv6 address", self.refused(text))

    def test_aPrefixIsNoAddress(self) -> None:
        """
        Where an address is asked for, a length is wrong, even 128.
        """
        for text in ("2001:db8::/64", "2001:db8::1/128"):
            self.assertIn("is no IPv6 address", self.refused(text, parseAddress))

    def test_ipv4IsSaidToBeIpv4(self) -> None:
        """
        An IPv4 address or prefix is called that.
        """
        for text in ("192.0.2.1", "192.0.2.0/24"):
            self.assertIn("is IPv4", self.refused(text))
            self.assertIn("is IPv4", self.refused(text, parseServedPrefix))

    def test_aScopeIsRefused(self) -> None:
        """
        An address with a scope identifier (RFC 4007 11) means nothing to anybody else.
        """
        for text in ("fe80::1%eth0", "fe80::1%eth0/64", "2001:db8::1%1"):
            self.assertIn("scope", self.refused(text))

    def test_hostBitsAreRefusedAndTheNetworkIsProposed(self) -> None:
        """
        A prefix with bits set behind its length is a mistake; what was meant is guessed.
        """
        error = self.refused("2001:db8::1/64")
        self.assertIn("host bits set: did you mean 2001:db8::/64?", error)

    def test_aPrefixMadeWithHostBitsIsRefused(self) -> None:
        """
        The value itself cannot be wrong.
        """
        self.assertRaises(AddressError, Prefix, 1, 64)
        self.assertRaises(AddressError, Prefix, 1, 0)
        self.assertEqual(Prefix(1, 128).network, 1)

    def test_aServedPrefixNeedsALength(self) -> None:
        """
        The length is not taken for granted, but the subnet is proposed, as it could be given.
        """
        for text in ("2001:db8::", "2001:db8::1", "2001:db8:0:0:ffff::"):
            error = self.refused(text, parseServedPrefix)
            self.assertIn("has no prefix length: did you mean 2001:db8::/64?", error)

    def test_lengthsFrom32To127AreServed(self) -> None:
        """
        A shorter one is nobody's, and a single address is no prefix.
        """
        for text in ("::/0", "2000::/16", "2001:db8::/31", "2001:db8::/128"):
            error = self.refused(text, parseServedPrefix)
            self.assertIn(f"has length {text.partition('/')[2]}: it must be from 32 to 127", error)
        for length in (32, 48, 64, 127):
            self.assertEqual(parseServedPrefix(f"2001:db8::/{length}").length, length)

    def test_whatIsNeverRoutedIsNotServed(self) -> None:
        """
        Multicast, link-local, loopback, unspecified, IPv4-mapped and -compatible (RFC 4291 2.5).
        """
        for text, kind in (
            ("ff02::/64", "multicast"),
            ("ff00::/32", "multicast"),
            ("fe80::/64", "link-local"),
            ("febf:ffff::/64", "link-local"),
            ("::ffff:192.0.2.0/120", "IPv4-mapped"),
            ("::/120", "loopback"),
            ("::192.0.2.0/120", "IPv4-compatible"),
        ):
            self.assertIn(kind, self.refused(text, parseServedPrefix))

    def test_aPrefixThatHoldsOneThatIsNeverServedIsRefusedToo(self) -> None:
        """
        C{::/32} holds loopback.
        """
        self.refused("::/32", parseServedPrefix)

    def test_uniqueLocalAndGlobalPrefixesAreServed(self) -> None:
        """
        fc00::/7 (RFC 4193), 2000::/3, and the neighbours of what is not.
        """
        for text in ("fd00:1:2:3::/64", "2001:db8::/64", "fec0::/64", "64:ff9b::/96"):
            self.assertEqual(str(parseServedPrefix(text)), text)


class PrefixTests(SynchronousTestCase):
    """
    Membership and arithmetic.
    """

    @examples
    @given(anyPrefix(), anyAddress)
    def test_membershipIsTheStandardLibrarys(self, prefix: Prefix, bits: int) -> None:
        """
        C{in}, the last address and the count.
        """
        standard = network(prefix)
        inside = prefix.address(bits)
        for address in (bits, inside, prefix.network, prefix.last):
            self.assertEqual(address in prefix, ipaddress.IPv6Address(address) in standard)
        self.assertEqual(prefix.last, int(standard.broadcast_address))
        self.assertEqual(prefix.count, standard.num_addresses)

    @examples
    @given(anyPrefix(), st.integers(0, 128), anyAddress, st.booleans())
    def test_coveringAndOverlappingAreTheStandardLibrarys(
        self, one: Prefix, length: int, bits: int, inside: bool
    ) -> None:
        """
        Also for prefixes that share most of their bits.
        """
        shift = ADDRESS_BITS - length
        address = one.address(bits) if inside else bits
        other = Prefix(address >> shift << shift, length)
        self.assertEqual(one.covers(other), network(other).subnet_of(network(one)))
        self.assertEqual(one.overlaps(other), network(one).overlaps(network(other)))

    @examples
    @given(anyPrefix(), anyAddress)
    def test_anAddressHasThePrefixAndTheBits(self, prefix: Prefix, bits: int) -> None:
        """
        The first bits are the prefix's, the rest are those that were given, the others cut off.
        """
        address = prefix.address(bits)
        self.assertIn(address, prefix)
        self.assertEqual(address - prefix.network, bits % prefix.count)

    @examples
    @given(anyPrefix(shortest=1))
    def test_textCanBeReadBack(self, prefix: Prefix) -> None:
        """
        The text of a prefix is one that L{parsePrefix} and L{ipaddress} read as the same.
        """
        self.assertEqual(parsePrefix(str(prefix)), prefix)
        self.assertEqual(ipaddress.IPv6Network(str(prefix)), network(prefix))

    def test_aSingleAddressHasNoLengthInItsText(self) -> None:
        """
        As people write it.
        """
        self.assertEqual(str(parsePrefix("2001:db8::1/128")), "2001:db8::1")
        self.assertEqual(str(parsePrefix("2001:db8::/127")), "2001:db8::/127")

    @examples
    @given(st.lists(anyPrefix(shortest=120).map(lambda p: Prefix(p.network & 0xFFF, p.length))))
    def test_mergingKeepsEveryAddressAndNoOverlap(self, prefixes: list[Prefix]) -> None:
        """
        The same addresses as before, sorted, and none twice.
        """
        merged = mergePrefixes(prefixes)
        before = {a for p in prefixes for a in range(p.network, p.last + 1)}
        after = [a for p in merged for a in range(p.network, p.last + 1)]
        self.assertEqual(after, sorted(before))
        self.assertTrue(all(one.last < other.network for one, other in pairwise(merged)))
        self.assertTrue(set(merged) <= set(prefixes))


class SolicitedNodeTests(SynchronousTestCase):
    """
    The group that solicitations for an address go to.
    """

    def test_theRfcsOwnExample(self) -> None:
        """
        RFC 4291 2.7.1: 4037::01:800:200e:8c6c has ff02::1:ff0e:8c6c.
        """
        group = solicitedNodeGroup(parseAddress("4037::01:800:200e:8c6c"))
        self.assertEqual(formatAddress(group), "ff02::1:ff0e:8c6c")

    @examples
    @given(anyAddress)
    def test_theLast24BitsStandBehindThePrefixOfAllGroups(self, address: int) -> None:
        """
        FF02:0:0:0:0:1:FF00::/104, and nothing of the address but its last 24 bits.
        """
        group = solicitedNodeGroup(address)
        self.assertIn(ipaddress.IPv6Address(group), ipaddress.IPv6Network("ff02::1:ff00:0/104"))
        self.assertEqual(format(group, "0128b")[104:], format(address, "0128b")[104:])


ROUTER, RESERVED = "subnet-router anycast address", "reserved anycast address"


def anycastByRfc(length: int, address: int) -> str | None:
    """
    Which kind of anycast address it is, by the bits that the RFCs draw.

    RFC 4291 2.6.1: an identifier of zeros, of n - 128 bits; here each /64 of a shorter prefix is a
    subnet. RFC 6164: a /127 has none. RFC 2526 2: with EUI-64 identifiers C{111111 0 1...1} and
    seven bits of anycast ID, else C{1...1} and seven.
    """
    identifier = format(address, "0128b")[max(length, 64) :]
    if set(identifier) == {"0"} and length < 127:
        return ROUTER
    if length <= 64:
        return RESERVED if identifier[:57] == "111111" + "0" + "1" * 50 else None
    ones = identifier[:-7]
    return RESERVED if ones and set(ones) == {"1"} else None


class AnycastTests(SynchronousTestCase):
    """
    The addresses that no host may claim.
    """

    @examples
    @given(
        anyPrefix(shortest=32, longest=127),
        st.one_of(
            anyAddress,
            st.integers(0, 2),
            st.integers(2**128 - 130, 2**128 - 1),
            st.integers(0xFDFF_FFFF_FFFF_FF7E, 0xFDFF_FFFF_FFFF_FFFF + 2),
        ),
        anyAddress,
    )
    def test_whatIsAnycastIsWhatTheRfcsSay(self, prefix: Prefix, low: int, high: int) -> None:
        """
        RFC 4291 2.6.1, RFC 2526 2 and RFC 6164, for every length that can be served.
        """
        address = prefix.address(high >> 64 << 64 | low & (1 << 64) - 1)
        self.assertEqual(prefix.anycast(address), anycastByRfc(prefix.length, address))
        address = prefix.address(low)
        self.assertEqual(prefix.anycast(address), anycastByRfc(prefix.length, address))

    def test_ofALongPrefixEveryAddressIsWhatTheRfcsSay(self) -> None:
        """
        All of them, where there are few: the last reserved ones are those of a /120.
        """
        for length in range(117, 128):
            shift = ADDRESS_BITS - length
            prefix = Prefix(parseAddress("2001:db8::ff:ffff") >> shift << shift, length)
            for address in range(prefix.network, prefix.last + 1):
                self.assertEqual(prefix.anycast(address), anycastByRfc(length, address))

    def test_mobileIpv6HomeAgentsIsReserved(self) -> None:
        """
        The one identifier that RFC 2526 2 assigns: 126 (hexadecimal 7E).
        """
        prefix = parsePrefix("2001:db8::/64")
        homeAgents = parseAddress("2001:db8::fdff:ffff:ffff:fffe")
        self.assertEqual(prefix.anycast(homeAgents), RESERVED)

    def test_theAddressesNextToTheReservedOnesAreNot(self) -> None:
        """
        128 of them, and no more.
        """
        prefix = parsePrefix("2001:db8::/64")
        first = parseAddress("2001:db8::fdff:ffff:ffff:ff80")
        kinds = [prefix.anycast(address) for address in range(first - 2, first + 130)]
        self.assertEqual(kinds, [None] * 2 + [RESERVED] * 128 + [None] * 2)

    @examples
    @given(anyPrefix(shortest=56, longest=127), st.integers(0, 255), anyAddress)
    def test_rangesHoldExactlyTheAnycastAddresses(
        self, prefix: Prefix, subnet: int, bits: int
    ) -> None:
        """
        An address is in a range, of the same kind, or in none.
        """
        ranges = list(prefix.anycastRanges())
        self.assertEqual(len(ranges), len({place for place, _ in ranges}))
        candidates = [prefix.address(bits), prefix.network, prefix.last]
        base = prefix.address(subnet << 64)
        for offset in (0, 1, 0xFDFF_FFFF_FFFF_FF80, 0xFDFF_FFFF_FFFF_FFFF, 2**64 - 128, 2**64 - 1):
            candidates.append(prefix.address(base | offset))
        for address in candidates:
            kinds = {kind for place, kind in ranges if address in place}
            expected = prefix.anycast(address)
            self.assertEqual(bool(kinds), expected is not None, formatAddress(address))
            self.assertTrue(all(kind.startswith(str(expected)) for kind in kinds))

    def test_eachSubnetOfAShorterPrefixHasItsOwn(self) -> None:
        """
        A /62 has four subnets, with a range of either kind each.
        """
        places = [str(place) for place, _ in parsePrefix("2001:db8::/62").anycastRanges()]
        self.assertEqual(
            places,
            [
                "2001:db8::",
                "2001:db8::fdff:ffff:ffff:ff80/121",
                "2001:db8:0:1::",
                "2001:db8:0:1:fdff:ffff:ffff:ff80/121",
                "2001:db8:0:2::",
                "2001:db8:0:2:fdff:ffff:ffff:ff80/121",
                "2001:db8:0:3::",
                "2001:db8:0:3:fdff:ffff:ffff:ff80/121",
            ],
        )
