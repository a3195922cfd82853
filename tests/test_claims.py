"""
Addresses that the link shows to be somebody else's: case 53, by number, and the table behind it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress
from prefix64.icmpv6.claims import (
    ESTABLISHED_AFTER,
    FORGET_AFTER,
    MOST_CLAIMS,
    MOST_ESTABLISHED,
    Claims,
)
from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.neighbor import NeighborDiscovery
from prefix64.icmpv6.packets import Advertisement, decode
from prefix64.icmpv6.policies import DadPolicy
from prefix64.icmpv6.responder import Responder
from prefix64.icmpv6.verdicts import Verdict
from tests import frames
from tests.test_ndp_cases import HOST_LINK, CaseTestCase, World

PREFIX_ROUTER = "2001:db8:0:64::1"
OTHER_LINK = "02:00:00:00:00:77"
LISTED = "2001:db8:0:64::cafe"


class ClaimsTests(SynchronousTestCase):
    """
    The table is bounded, and forgets.
    """

    def test_whatIsClaimedIsForgottenAfterADay(self) -> None:
        """
        A day after the last sign of life, not after the first.
        """
        claims = Claims()
        claims.claim(1, 0.0)
        claims.claim(1, 100.0)
        self.assertTrue(claims.isClaimed(1, 100.0 + FORGET_AFTER))
        self.assertFalse(claims.isClaimed(1, 100.1 + FORGET_AFTER))
        self.assertEqual(len(claims), 0)
        self.assertFalse(claims.isClaimed(2, 0.0))

    def test_whoWasSilentLongestGoesFirst(self) -> None:
        """
        Of the new ones: a million spoofed sources make the table no larger, and push out neither
        one who speaks nor one who is established.
        """
        claims = Claims()
        claims.claim(-1, 0.0)
        claims.claim(-1, ESTABLISHED_AFTER)
        claims.claim(0, 0.0)
        for number in range(1, 1_000_000):
            claims.claim(number, number / 1e6)
            if number % 100 == 0:
                claims.claim(0, number / 1e6)
        self.assertEqual(len(claims), MOST_CLAIMS - MOST_ESTABLISHED + 1)
        for address, claimed in ((-1, True), (0, True), (1, False), (999_999, True)):
            self.assertEqual(claims.isClaimed(address, 1.0), claimed, address)
            self.assertEqual(address in claims, claimed, address)

    def test_whoSpeaksLongIsEstablished(self) -> None:
        """
        Ten seconds after it was first heard. The established ones are bounded, too: of too many the
        youngest makes room, so that those who were there first stay, silent or not.
        """
        claims = Claims()
        for now in (0.0, ESTABLISHED_AFTER - 0.1, ESTABLISHED_AFTER):
            for number in range(1024):
                claims.claim(number, now)
        self.assertEqual((len(claims.new), len(claims.established)), (0, 1024))
        for number in range(1024, 1024 + 2 * MOST_ESTABLISHED):
            claims.claim(number, 20.0)
            claims.claim(number, 20.0 + ESTABLISHED_AFTER)
        self.assertEqual(len(claims), MOST_ESTABLISHED)
        self.assertTrue(all(number in claims for number in range(MOST_ESTABLISHED - 1)))
        self.assertIn(1024 + 2 * MOST_ESTABLISHED - 1, claims)

    def test_whoWasSilentForADayMakesRoom(self) -> None:
        """
        For all who come after him.
        """
        claims = Claims()
        for number in range(MOST_ESTABLISHED):
            claims.claim(number, 0.0)
            claims.claim(number, ESTABLISHED_AFTER)
        later = 2 * FORGET_AFTER
        for number in (-1, -2):
            claims.claim(number, later)
            claims.claim(number, later + ESTABLISHED_AFTER)
        self.assertEqual(set(claims.established), {-1, -2})

    def test_whatWasForgottenIsNew(self) -> None:
        """
        One that is heard again after more than a day is not established by that.
        """
        claims = Claims()
        claims.claim(1, 0.0)
        claims.claim(1, FORGET_AFTER + 1)
        self.assertEqual(len(claims.established), 0)
        self.assertTrue(claims.isClaimed(1, FORGET_AFTER + 1))


class ClaimCases(CaseTestCase):
    """
    Case 53: somebody else uses an address of the prefix.
    """

    def setUp(self) -> None:
        self.conflicts: list[tuple[int, bytes]] = []
        self.world = World(hosts=(LISTED,))
        self.discovery = NeighborDiscovery(
            self.world.identity,
            self.world.tables,
            DadPolicy.DEFEND,
            conflict=lambda address, linkLayerAddress: self.conflicts.append(
                (address, linkLayerAddress)
            ),
        )
        self.world.responder = Responder(
            self.world.identity,
            self.discovery,
            Echo(self.discovery),
        )

    def hear(self, frame: bytes, now: float = 0.0, packetType: int = 2) -> Verdict:
        """
        Let a frame come.
        """
        return self.world.responder.frameReceived(frame, packetType, now)[0]

    def test_case53_sourceOfASolicitation(self) -> None:
        """
        The router that solicits from its own P::1 keeps it: not answered, not defended.
        """
        self.assertOurs(self.world, PREFIX_ROUTER)
        self.hear(frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER))
        self.assertSilentAbout(self.world, Verdict.CLAIMED, PREFIX_ROUTER)
        self.assertOurs(self.world, "2001:db8:0:64::5", "2001:db8:0:64::2")
        self.assertSilent(self.world, frames.echoRequest(PREFIX_ROUTER), Verdict.CLAIMED, 0)

    def test_case53_forgottenAfterADay(self) -> None:
        """
        Who was silent for a day is gone.
        """
        self.hear(frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER), 10.0)
        asked = frames.solicitation(PREFIX_ROUTER)
        self.assertIs(self.hear(asked, 10.0 + FORGET_AFTER), Verdict.CLAIMED)
        self.assertIs(self.hear(asked, 10.1 + FORGET_AFTER), Verdict.ADVERTISED)

    def test_case53_sourceOfWhatIsNotAnswered(self) -> None:
        """
        A valid solicitation for an address that is not ours is a sign of life too.
        """
        self.hear(frames.solicitation("2001:db9::5", source=PREFIX_ROUTER))
        self.assertSilentAbout(self.world, Verdict.CLAIMED, PREFIX_ROUTER)

    def test_case53_whatIsNotValidClaimsNothing(self) -> None:
        """
        Nor does what comes from our own link-layer address, is for another host, or has no source.
        """
        for frame, packetType in (
            (frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER, hopLimit=254), 2),
            (frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER, checksum=1), 2),
            (frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER, code=1), 2),
            (
                frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER, linkSource=HOST_LINK),
                2,
            ),
            (frames.solicitation("2001:db8:0:64::5", source=PREFIX_ROUTER), 3),
            (frames.solicitation("ff02::5", source=PREFIX_ROUTER, destination="ff02::1"), 2),
            (frames.probe(PREFIX_ROUTER), 2),
            (frames.advertisement(PREFIX_ROUTER, hopLimit=254), 2),
            (frames.advertisement(PREFIX_ROUTER, solicited=1), 2),
            (frames.advertisement(PREFIX_ROUTER, override=0), 2),
            (frames.advertisement(PREFIX_ROUTER, linkSource=HOST_LINK), 2),
            (frames.advertisement(PREFIX_ROUTER, linkSource="01:00:00:00:00:01"), 2),
            (
                frames.solicitation(
                    "2001:db8:0:64::5", source=PREFIX_ROUTER, linkSource="01:00:00:00:00:01"
                ),
                2,
            ),
        ):
            self.hear(frame, packetType=packetType)
            self.assertEqual(len(self.discovery.claims), 0)
        self.assertOurs(self.world, PREFIX_ROUTER)

    def test_case53_advertisementWithOverride(self) -> None:
        """
        Another host advertises an address with O = 1: it is its own (RFC 4861 7.2.8). That is a
        conflict, for we answered for it; it is left to that host, and none any more.
        """
        frame = frames.advertisement(PREFIX_ROUTER, linkSource=OTHER_LINK)
        self.assertIs(self.hear(frame), Verdict.CONFLICT)
        told = (parseAddress(PREFIX_ROUTER), frames.linkBytes(OTHER_LINK))
        self.assertEqual((self.conflicts, self.discovery.conflicts), ([told], 1))
        self.assertSilentAbout(self.world, Verdict.CLAIMED, PREFIX_ROUTER)
        self.assertIs(self.hear(frame), Verdict.ADVERTISEMENT)
        self.assertEqual((self.conflicts, self.discovery.conflicts), ([told], 1))

    def test_case53_sourceOfAnAdvertisement(self) -> None:
        """
        The source of any valid message is its sender's, also of an advertisement for another
        address; but whoever advertises its own source with O = 0 only answers for it.
        """
        for override in (0, 1):
            world = World()
            frame = frames.advertisement("fe80::9", source=PREFIX_ROUTER, override=override)
            verdict = world.responder.frameReceived(frame, 2, 0.0)[0]
            self.assertIs(verdict, Verdict.ADVERTISEMENT)
            self.assertSilentAbout(world, Verdict.CLAIMED, PREFIX_ROUTER)
        self.hear(frames.advertisement(PREFIX_ROUTER, source=PREFIX_ROUTER, override=0))
        self.assertOurs(self.world, PREFIX_ROUTER)

    def test_case53_yield(self) -> None:
        """
        With C{--yield} a listed address, too, is left to another host that advertises it, or speaks
        from it, for a day; each time it comes to that is one conflict.
        """
        for frame, verdict in (
            (frames.advertisement(LISTED, linkSource=OTHER_LINK), Verdict.CONFLICT),
            (
                frames.solicitation("2001:db8:0:64::5", source=LISTED, linkSource=OTHER_LINK),
                Verdict.ADVERTISED,
            ),
        ):
            self.yieldWorld()
            self.assertAdvertised(
                self.world, frames.solicitation(LISTED), source=LISTED, target=LISTED, flags=0x60
            )
            for _ in range(3):
                self.assertIn(self.hear(frame), (verdict, Verdict.ADVERTISEMENT))
            told = (parseAddress(LISTED), frames.linkBytes(OTHER_LINK))
            self.assertEqual((self.conflicts, self.discovery.conflicts), ([told], 1))
            self.assertSilentAbout(self.world, Verdict.CLAIMED, LISTED)
            asked = frames.solicitation(LISTED)
            self.assertIs(self.hear(asked, FORGET_AFTER + 0.1), Verdict.ADVERTISED)

    def yieldWorld(self) -> None:
        """
        One that yields.
        """
        self.conflicts.clear()
        self.world = World(hosts=(LISTED,))
        self.discovery = NeighborDiscovery(
            self.world.identity,
            self.world.tables,
            DadPolicy.DEFEND,
            conflict=lambda *told: self.conflicts.append(told),
            yields=True,
        )
        self.world.responder = Responder(self.world.identity, self.discovery, None)

    def test_case53_listedHostIsAConflict(self) -> None:
        """
        An address that has a site of its own is not given up: it is answered for, and the conflict
        is told, by a solicitation's source and by an advertisement.
        """
        frame = frames.solicitation("2001:db8:0:64::5", source=LISTED, linkSource=OTHER_LINK)
        self.assertIs(self.hear(frame), Verdict.ADVERTISED)
        frame = frames.advertisement(LISTED, linkSource=OTHER_LINK)
        self.assertIs(self.hear(frame), Verdict.CONFLICT)
        told = (parseAddress(LISTED), frames.linkBytes(OTHER_LINK))
        self.assertEqual(self.conflicts, [told, told])
        self.assertAdvertised(
            self.world, frames.solicitation(LISTED), source=LISTED, target=LISTED, flags=0x60
        )

    def test_case53_addressesThatAreNotOursAreNothing(self) -> None:
        """
        Outside the prefix, anycast: no claim, for nobody would ask us.
        """
        for address in ("fe80::77", "2001:db9::1", "2001:db8:0:64::"):
            self.hear(frames.solicitation("2001:db8:0:64::5", source=address))
            self.hear(frames.advertisement(address))
        self.assertEqual(len(self.discovery.claims), 0)


class AdvertisementTests(SynchronousTestCase):
    """
    Reading advertisements (RFC 4861 7.1.2).
    """

    def test_fieldsAreThoseOfTheFrame(self) -> None:
        """
        As scapy wrote them.
        """
        frame = frames.advertisement(PREFIX_ROUTER, solicited=1, destination="fe80::64")
        self.assertEqual(
            decode(frame),
            Advertisement(
                frames.linkBytes(frames.ROUTER_LINK),
                frames.addressBytes(frames.ROUTER),
                frames.addressBytes(PREFIX_ROUTER),
                0x60,
            ),
        )

    def test_whatIsMalformedIsRefused(self) -> None:
        """
        Hop limit, code, length, options, a multicast target, S = 1 to a group: each by its reason.
        """
        frame = frames.advertisement()
        self.assertIs(decode(frames.advertisement(hopLimit=64)), Verdict.HOP_LIMIT)
        self.assertIs(decode(frame[:57] + bytes([frame[57] ^ 1]) + frame[58:]), Verdict.CHECKSUM)
        self.assertIs(decode(frames.advertisement("ff02::1")), Verdict.MULTICAST_TARGET)
        self.assertIs(decode(frames.advertisement(solicited=1)), Verdict.SOLICITED_TO_GROUP)
        for end in range(len(frame)):
            self.assertIsInstance(decode(frame[:end]), Verdict)
