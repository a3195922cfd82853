"""
The host table: exact address, longest sub-prefix, default; and what is refused.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import Prefix, parseAddress, parsePrefix
from prefix64.hosts.model import Host, Site, StaticSite, WelcomeSite
from prefix64.hosts.table import RANDOM_TRIES, CurrentTable, HostTable, Match, Rule
from prefix64.ownership import Owner, Ownership

examples = settings(max_examples=200, deadline=None, derandomize=True)

SERVED = parsePrefix("2001:db8::/64")
OWN = parseAddress("2001:db8::5")
OURS = Ownership((SERVED,), hostAddresses=frozenset({OWN}))


def host(text: str) -> Host:
    """
    A rule whose site is named for what it covers.
    """
    return Host(parsePrefix(text), StaticSite(f"/{text}"))


def lookedUp(table: HostTable, text: str) -> tuple[Rule, str, Site | None]:
    match = table.lookup(parseAddress(text))
    return match.rule, str(match), match.site


# Few addresses and many lengths, so that rules lie inside each other.
nearby = st.integers(SERVED.network, SERVED.network + 300)


@st.composite
def nearbyHost(draw: st.DrawFn) -> Host:
    length = draw(st.sampled_from((64, 96, 119, 120, 121, 124, 126, 127, 128, 128, 128)))
    shift = 128 - length
    prefix = Prefix(draw(nearby) >> shift << shift, length)
    return Host(prefix, StaticSite(f"/{prefix}"))


def slowly(hosts: list[Host], ownership: Ownership, address: int) -> Host | None:
    """
    Look at every rule, and take the longest that covers the address.
    """
    covering = [one for one in hosts if address in one.prefix]
    if ownership.of(address) in (Owner.INTERFACE, Owner.HOST):
        covering = [one for one in covering if one.prefix.length == 128]
    return max(covering, key=lambda one: one.prefix.length, default=None)


class LookupTests(SynchronousTestCase):
    """
    L{HostTable.lookup}.
    """

    @examples
    @given(st.lists(nearbyHost(), max_size=12, unique_by=lambda one: one.prefix), nearby)
    def test_theMatchIsTheOneOfALinearSearch(self, hosts: list[Host], address: int) -> None:
        """
        The dicts by length find the longest rule that covers the address, or the default.
        """
        ownership = Ownership(
            (SERVED,),
            (parsePrefix("2001:db8::20/123"),),
            hostAddresses=frozenset({OWN, SERVED.network + 130}),
        )
        match = HostTable(ownership, hosts, StaticSite("/default")).lookup(address)
        owner = ownership.of(address)
        expected = slowly(hosts, ownership, address)
        self.assertEqual((match.address, match.owner), (address, owner))
        if owner in (Owner.ANYCAST, Owner.EXCLUDED):
            self.assertEqual((match.rule, match.matched, match.site), (Rule.REFUSED, None, None))
        elif expected is None:
            self.assertEqual(
                (match.rule, match.matched, match.site),
                (Rule.DEFAULT, None, StaticSite("/default")),
            )
        else:
            kind = Rule.ADDRESS if expected.prefix.length == 128 else Rule.SUB_PREFIX
            self.assertEqual(
                (match.rule, match.matched, match.site), (kind, expected.prefix, expected.site)
            )

    def test_anExactAddressComesFirstThenTheLongestSubPrefix(self) -> None:
        """
        Whatever the order in which the rules were given.
        """
        rules = [host("2001:db8::/96"), host("2001:db8::ab00/120"), host("2001:db8::ab01")]
        for given_ in (rules, rules[::-1]):
            table = HostTable(OURS, given_)
            for asked, matched in (
                ("2001:db8::ab01", "2001:db8::ab01"),
                ("2001:db8::ab02", "2001:db8::ab00/120"),
                ("2001:db8::ac00", "2001:db8::/96"),
                ("2001:db8::1:0:0:1", "default"),
            ):
                self.assertEqual(str(table.lookup(parseAddress(asked))), matched)

    def test_withoutADefaultTheWelcomePageIsIt(self) -> None:
        """
        An address that nobody named has the welcome page.
        """
        expected = (Rule.DEFAULT, "default", WelcomeSite())
        self.assertEqual(lookedUp(HostTable(OURS), "2001:db8::cafe"), expected)

    def test_whatIsNotOursIsRefusedThoughARuleCoversIt(self) -> None:
        """
        Outside, excluded, anycast, a gateway, another machine: no site.
        """
        ownership = Ownership(
            (SERVED,),
            (parsePrefix("2001:db8::e"),),
            gateways=frozenset({SERVED.network + 1}),
            neighbors=frozenset({SERVED.network + 2}),
        )
        everything = [host("2001:db8::/64"), host("2001:db8::e"), host("2001:db8::1")]
        table = HostTable(ownership, everything, StaticSite("/default"))
        for text in ("2001:db8:1::1", "2001:db8::e", "2001:db8::", "2001:db8::1", "2001:db8::2"):
            self.assertEqual(lookedUp(table, text), (Rule.REFUSED, "refused", None), text)

    def test_theHostsOwnAddressHasTheDefaultThoughASubPrefixCoversIt(self) -> None:
        """
        What was allotted as part of a sub-prefix does not take the host's own address over.
        """
        table = HostTable(OURS, [host("2001:db8::/112")], StaticSite("/default"))
        expected = (Rule.DEFAULT, "default", StaticSite("/default"))
        self.assertEqual(lookedUp(table, "2001:db8::5"), expected)
        self.assertEqual(lookedUp(table, "2001:db8::6")[0], Rule.SUB_PREFIX)

    def test_theHostsOwnAddressHasTheSiteThatIsNamedForIt(self) -> None:
        """
        Named for exactly that address.
        """
        table = HostTable(OURS, [host("2001:db8::/112"), host("2001:db8::5")])
        expected = (Rule.ADDRESS, "2001:db8::5", StaticSite("/2001:db8::5"))
        self.assertEqual(lookedUp(table, "2001:db8::5"), expected)

    def test_aRuleForTheWholePrefixIsASubPrefixRule(self) -> None:
        """
        And not the default.
        """
        match = HostTable(OURS, [host("2001:db8::/64")]).lookup(SERVED.last)
        self.assertEqual((match.rule, str(match)), (Rule.SUB_PREFIX, "2001:db8::/64"))

    def test_listedIsWhatARuleCovers(self) -> None:
        """
        The default covers nothing.
        """
        table = HostTable(OURS, [host("2001:db8::ab00/120")], StaticSite("/default"))
        self.assertTrue(table.isListed(parseAddress("2001:db8::abff")))
        self.assertFalse(table.isListed(parseAddress("2001:db8::ac00")))


class GenerationTests(SynchronousTestCase):
    """
    A table does not change; the next one does.
    """

    def test_anotherOwnershipMakesTheNextGenerationWithTheSameHosts(self) -> None:
        """
        And leaves the old one as it was.
        """
        before = HostTable(OURS, [host("2001:db8::1"), host("2001:db8::2")], StaticSite("/d"))
        current = CurrentTable(before)
        current.ownershipChanged(Ownership((SERVED,), gateways=frozenset({SERVED.network + 1})))
        after = current.table
        self.assertEqual((before.generation, after.generation), (1, 2))
        self.assertEqual(before.lookup(SERVED.network + 1).rule, Rule.ADDRESS)
        self.assertEqual(after.lookup(SERVED.network + 1).rule, Rule.REFUSED)
        self.assertEqual(after.lookup(SERVED.network + 2).rule, Rule.ADDRESS)
        self.assertEqual(after.lookup(OWN).site, StaticSite("/d"))

    def test_aMatchShowsItsRule(self) -> None:
        """
        As the access log and the page write it.
        """
        rule = parsePrefix("2001:db8::ab00/120")
        for matched, kind, text in (
            (rule, Rule.SUB_PREFIX, "2001:db8::ab00/120"),
            (None, Rule.DEFAULT, "default"),
            (None, Rule.REFUSED, "refused"),
        ):
            self.assertEqual(str(Match(0, Owner.OURS, kind, matched, None)), text)


class RandomAddressTests(SynchronousTestCase):
    """
    Drawing an address that is free.
    """

    def drawn(self, table: HostTable, prefix: Prefix, *values: int) -> tuple[int | None, list[int]]:
        """
        @return: the address, and how many bits were asked for each time.
        """
        left, asked = list(values), []

        def randomBits(bits: int) -> int:
            asked.append(bits)
            return left.pop(0) if len(left) > 1 else left[0]

        return table.randomAddress(prefix, randomBits), asked

    def test_itHasTheBitsThatWereDrawn(self) -> None:
        """
        As many as the prefix leaves: 64 of a /64.
        """
        address, asked = self.drawn(HostTable(OURS), SERVED, 0xF00D)
        self.assertEqual((address, asked), (SERVED.network + 0xF00D, [64]))

    def test_whatIsNotFreeIsDrawnAgain(self) -> None:
        """
        Anycast, the host's own, and what has a site of its own.
        """
        table = HostTable(OURS, [host("2001:db8::7")])
        address, asked = self.drawn(table, SERVED, 0, 5, 7, 8)
        self.assertEqual((address, asked), (SERVED.network + 8, [64] * 4))

    def test_drawingEndsWhereNothingIsFree(self) -> None:
        """
        After a number of draws.
        """
        full = HostTable(OURS, [host("2001:db8::/64")])
        address, asked = self.drawn(full, SERVED, 9)
        self.assertEqual((address, len(asked)), (None, RANDOM_TRIES))
