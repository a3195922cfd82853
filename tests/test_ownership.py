"""
Whose an address is: the order of the reasons, and the same answer as the slow way gives.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import Prefix, parseAddress, parsePrefix
from prefix64.ownership import MOST_ANYCAST_SUBNETS, Owner, Ownership

examples = settings(max_examples=200, deadline=None, derandomize=True)

SERVED = parsePrefix("2001:db8::/64")
BASE = SERVED.network
CAFE = BASE + 0xCAFE

# A small world, so that the sets meet: addresses near the first of the prefix, in it and outside.
nearby = st.integers(BASE - 4, BASE + 40)
nearbySet = st.frozensets(nearby, max_size=4)


@st.composite
def nearbyPrefix(draw: st.DrawFn) -> Prefix:
    length = draw(st.integers(122, 128))
    shift = 128 - length
    return Prefix(draw(nearby) >> shift << shift, length)


def slowly(ownership: Ownership, address: int) -> Owner:
    """
    Ask one thing after the other, without any index.
    """
    served = [prefix for prefix in ownership.prefixes if address in prefix]
    if not served:
        return Owner.OUTSIDE
    for owner, addresses in (
        (Owner.INTERFACE, ownership.interfaceAddresses),
        (Owner.HOST, ownership.hostAddresses),
        (Owner.GATEWAY, ownership.gateways),
        (Owner.NEIGHBOR, ownership.neighbors),
    ):
        if address in addresses:
            return owner
    if served[0].anycast(address):
        return Owner.ANYCAST
    if any(address in prefix for prefix in ownership.excluded):
        return Owner.EXCLUDED
    if any(address in prefix for prefix in ownership.routed):
        return Owner.ROUTED
    return Owner.OURS


class OwnerTests(SynchronousTestCase):
    """
    L{Ownership.of}.
    """

    @examples
    @given(
        st.lists(nearbyPrefix(), max_size=3),
        st.lists(nearbyPrefix(), max_size=3),
        nearbySet,
        nearbySet,
        nearbySet,
        nearbySet,
        nearby,
    )
    def test_theAnswerIsThatOfTheSlowWay(
        self,
        excluded: list[Prefix],
        routed: list[Prefix],
        interface: frozenset[int],
        host: frozenset[int],
        gateways: frozenset[int],
        neighbors: frozenset[int],
        address: int,
    ) -> None:
        """
        The index finds what asking everybody in order finds; interface before host before gateway
        before neighbor before anycast before excluded before routed.
        """
        for prefixes in ((SERVED,), (Prefix(BASE, 123), Prefix(BASE + 32, 127))):
            ownership = Ownership(
                prefixes,
                tuple(excluded),
                interface,
                interface | host,
                gateways,
                neighbors,
                tuple(routed),
            )
            self.assertIs(ownership.of(address), slowly(ownership, address))

    def test_anOrdinaryAddressIsOurs(self) -> None:
        """
        Nothing to be done for it beforehand: each of 2**64.
        """
        ownership = Ownership((SERVED,))
        self.assertIs(ownership.of(CAFE), Owner.OURS)
        self.assertIs(ownership.of(SERVED.last), Owner.OURS)

    def test_theAddressesAroundThePrefixAreOutside(self) -> None:
        """
        The last before it, and the first behind it.
        """
        ownership = Ownership((SERVED,))
        self.assertIs(ownership.of(SERVED.network - 1), Owner.OUTSIDE)
        self.assertIs(ownership.of(SERVED.last + 1), Owner.OUTSIDE)

    def test_anAddressOfTheHostOutsideThePrefixIsOutside(self) -> None:
        """
        What is not in the prefix is not ours to speak of, whoever has it.
        """
        other = parseAddress("2001:db8:1::1")
        ownership = Ownership((SERVED,), hostAddresses=frozenset({other}))
        self.assertIs(ownership.of(other), Owner.OUTSIDE)

    def test_anExcludedAddressOfTheHostIsStillTheHosts(self) -> None:
        """
        Excluding it does not take it from the interface that has it.
        """
        ownership = Ownership((SERVED,), (Prefix(CAFE, 128),), frozenset({CAFE}), frozenset({CAFE}))
        self.assertIs(ownership.of(CAFE), Owner.INTERFACE)

    def test_anycastOfEachPrefixIsByItsOwnLength(self) -> None:
        """
        P::0 is no anycast address in a /127 (RFC 6164), and is one in a /64 (RFC 4291 2.6.1).
        """
        pointToPoint = parsePrefix("2001:db8:2::/127")
        ownership = Ownership((SERVED, pointToPoint))
        self.assertIs(ownership.of(BASE), Owner.ANYCAST)
        self.assertIs(ownership.of(pointToPoint.network), Owner.OURS)

    def test_prefixOfIsTheOneThatHasTheAddress(self) -> None:
        """
        Or none.
        """
        second = parsePrefix("2001:db8:2::/64")
        ownership = Ownership((SERVED, second))
        self.assertEqual(ownership.prefixOf(CAFE), SERVED)
        self.assertEqual(ownership.prefixOf(second.last), second)
        self.assertIsNone(ownership.prefixOf(second.last + 1))

    def test_equalPartsMakeEqualOwnerships(self) -> None:
        """
        A change is seen by comparing.
        """
        self.assertEqual(Ownership((SERVED,)), Ownership((SERVED,)))
        self.assertNotEqual(Ownership((SERVED,)), Ownership((SERVED,), gateways=frozenset({CAFE})))


class NotOursTests(SynchronousTestCase):
    """
    What is handed back to the host's own tables.
    """

    @examples
    @given(
        st.lists(nearbyPrefix().filter(SERVED.covers), max_size=3),
        st.lists(nearbyPrefix().filter(SERVED.covers), max_size=3),
        nearbySet,
        nearbySet,
        nearbySet,
        nearby,
    )
    def test_everyAddressIsOursOrHandedBackOrTheHosts(
        self,
        excluded: list[Prefix],
        routed: list[Prefix],
        host: frozenset[int],
        gateways: frozenset[int],
        neighbors: frozenset[int],
        address: int,
    ) -> None:
        """
        Exactly the addresses that are neither ours nor the host's are in what is handed back; with
        the host's, in what echo is left to others for.
        """
        ownership = Ownership(
            (SERVED,), tuple(excluded), frozenset(), host, gateways, neighbors, tuple(routed)
        )
        owner = ownership.of(address)
        back = any(address in prefix for prefix in ownership.notOurs())
        others = any(address in prefix for prefix in ownership.echoedByOthers())
        if owner is Owner.OUTSIDE:
            self.assertFalse(back or others)
        elif owner in (Owner.HOST, Owner.INTERFACE):
            self.assertTrue(others)
        else:
            self.assertEqual(back, owner is not Owner.OURS)
            self.assertEqual(others, owner is not Owner.OURS)

    def test_eachHasItsReason(self) -> None:
        """
        In words, for the plan that a person reads.
        """
        ownership = Ownership(
            (SERVED,),
            (parsePrefix("2001:db8::ab00/120"),),
            hostAddresses=frozenset({BASE + 2}),
            gateways=frozenset({BASE + 1, BASE + 2}),
            neighbors=frozenset({BASE + 3, parseAddress("2001:db8:1::1")}),
            routed=(parsePrefix("2001:db8::ab00/120"), parsePrefix("2001:db8::ac00/120")),
        )
        self.assertEqual(
            {str(prefix): reason for prefix, reason in ownership.notOurs().items()},
            {
                "2001:db8::": "subnet-router anycast address",
                "2001:db8::fdff:ffff:ffff:ff80/121": "reserved anycast addresses",
                "2001:db8::ab00/120": "excluded",
                "2001:db8::ac00/120": "routed to another interface",
                "2001:db8::1": "a gateway",
                "2001:db8::3": "a known neighbor",
            },
        )

    def test_echoedByOthersHasNoOverlaps(self) -> None:
        """
        An interval of nf_tables must not meet another.
        """
        block = parsePrefix("2001:db8::ab00/120")
        ownership = Ownership(
            (SERVED,), (block,), hostAddresses=frozenset({block.network + 7, CAFE})
        )
        self.assertEqual(
            [str(prefix) for prefix in ownership.echoedByOthers()],
            [
                "2001:db8::",
                "2001:db8::ab00/120",
                "2001:db8::cafe",
                "2001:db8::fdff:ffff:ffff:ff80/121",
            ],
        )

    def test_aPrefixOfManySubnetsHandsBackTheFirstOnesAnycastOnly(self) -> None:
        """
        A /56 has a route for each of its 256 subnets' anycast addresses; a /55 not: a table of
        millions of routes would help nobody. On the link they are all left alone.
        """
        self.assertEqual(MOST_ANYCAST_SUBNETS, 256)
        self.assertEqual(len(Ownership((parsePrefix("2001:db8::/56"),)).notOurs()), 512)
        wide = Ownership((parsePrefix("2001:db8::/55"),))
        self.assertEqual(
            [str(prefix) for prefix in wide.notOurs()],
            ["2001:db8::", "2001:db8::fdff:ffff:ffff:ff80/121"],
        )
        self.assertIs(wide.of(parseAddress("2001:db8:0:1ff::")), Owner.ANYCAST)

    def test_theSubnetsOfAllPrefixesCountTogether(self) -> None:
        """
        The table is one. A prefix of one subnet or less has its own in any case.
        """
        half, other = parsePrefix("2001:db8::/57"), parsePrefix("2001:db8:1::/57")
        self.assertEqual(len(Ownership((half, other)).notOurs()), 512)
        many = Ownership((half, other, parsePrefix("2001:db8:2::/96")))
        self.assertEqual(
            [str(prefix) for prefix in many.notOurs()],
            [
                "2001:db8::",
                "2001:db8::fdff:ffff:ffff:ff80/121",
                "2001:db8:1::",
                "2001:db8:1:0:fdff:ffff:ffff:ff80/121",
                "2001:db8:2::",
                "2001:db8:2::ffff:ff80/121",
            ],
        )
        self.assertIs(many.of(parseAddress("2001:db8:1:7f::")), Owner.ANYCAST)


class ExampleTests(SynchronousTestCase):
    """
    The address to try first.
    """

    def test_itIsCafe(self) -> None:
        """
        Easy to remember.
        """
        self.assertEqual(Ownership((SERVED,)).example(), "2001:db8::cafe")

    def test_itIsTheNextOneThatIsOurs(self) -> None:
        """
        Where C{::cafe} is somebody else's.
        """
        ownership = Ownership((SERVED,), (Prefix(CAFE, 127),), gateways=frozenset({CAFE + 2}))
        self.assertEqual(ownership.example(), "2001:db8::cb01")

    def test_itIsInTheSecondPrefixWhereTheFirstHasNone(self) -> None:
        """
        And where there is none at all, none is named.
        """
        block = parsePrefix("2001:db8:2::/120")
        ownership = Ownership((block, SERVED), (block,))
        self.assertEqual(ownership.example(), "2001:db8::cafe")
        self.assertIsNone(Ownership((block,), (block,)).example())
        self.assertIsNone(Ownership((SERVED,), behind=(SERVED,)).example())
