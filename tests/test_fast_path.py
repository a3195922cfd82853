"""
The fast path against the full path: whatever frames come, the replies and the counters are the
same; and what routers send is answered by the fast path.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress
from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.fast_path import FRESH, MOST_SOLICITORS, FastPath
from prefix64.icmpv6.limits import Limits
from prefix64.icmpv6.neighbor import NeighborDiscovery
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy
from prefix64.icmpv6.responder import Responder
from prefix64.icmpv6.verdicts import Verdict
from tests import frames
from tests.frames import HOST_LINK, ROUTER_LINK, TARGET, linkBytes, probe, sllao, solicitation
from tests.test_ndp_cases import GLOBAL_INSIDE, GLOBAL_OUTSIDE, GROUP, HOST, World
from tests.test_responder_fuzz import UNLISTED, mutated, packetTypes, repaired, spoiledFrames

OTHER_LINK = "02:00:00:00:00:0b"

WORLDS = (
    {},
    {"hosts": [TARGET, "2001:db8:0:64:1::/80"]},
    {
        "prefixes": ["2001:db8:0:64::/64", "2001:db8:1::/48", "2001:db8:2::/80", "2001:db9::/127"],
        "excluded": ["2001:db8:0:64:e::/80", "2001:db8:0:64::57:0/112"],
        "interfaceAddresses": ["2001:db8:0:64::1"],
        "hostAddresses": ["2001:db8:0:64::2"],
        "gateways": ["2001:db8:0:64::3"],
        "routed": ["2001:db8:0:64:d::/80"],
        "hosts": [UNLISTED],
    },
    {"source": AdvertisementSource.LINK_LOCAL, "hosts": [TARGET]},
    {"dad": DadPolicy.DEFEND},
)
"""The worlds of L{World}, in texts: with hosts and without, with much that is not ours."""

TARGETS = (
    TARGET,
    UNLISTED,
    *(f"2001:db8:0:64::{last}" for last in ("", "1", "2", "3", "9", "ff", "abcd:1")),
    "2001:db8:0:64:fdff:ffff:ffff:ff80",
    "2001:db8:0:64:fdff:ffff:ffff:ff7f",
    "2001:db8:0:64:fdff:ffff:ffff:ffff",
    "2001:db8:0:64:ffff:ffff:ffff:ffff",
    "2001:db8:0:64:e::1",
    "2001:db8:0:64:d::1",
    "2001:db8:0:65::1",
    "2001:db8:1:2::",
    "2001:db8:1:2::7",
    "2001:db8:2::7",
    "2001:db8:2::ffff:ffff:ffff",
    "2001:db9::",
    "2001:db9::1",
)
SOURCES = ("fe80::fe", GLOBAL_INSIDE, GLOBAL_OUTSIDE, "2001:db8:0:64::3", TARGET, "::1", "ff02::1")
STATIONS = (ROUTER_LINK, OTHER_LINK, HOST_LINK, "00:00:00:00:00:00", "33:33:00:00:00:01")

plainFrames = st.builds(
    lambda target, source, station, option, unicast, hopLimit: solicitation(
        target,
        source,
        target if unicast else None,
        sllao(option or station),
        linkSource=station,
        hopLimit=hopLimit,
    ),
    st.sampled_from(TARGETS),
    st.sampled_from(SOURCES),
    st.sampled_from(STATIONS),
    st.sampled_from((None, None, None, *STATIONS)),
    st.booleans(),
    st.sampled_from((255, 255, 255, 255, 64)),
)
advertisements = st.builds(
    frames.advertisement,
    st.sampled_from(TARGETS),
    source=st.sampled_from(("fe80::fe", GLOBAL_INSIDE, TARGET)),
    override=st.integers(0, 1),
    linkSource=st.sampled_from((ROUTER_LINK, OTHER_LINK)),
)


@st.composite
def damagedFrames(draw: st.DrawFn) -> bytes:
    """
    Plain solicitations with one byte or one bit changed, often with a right checksum again.
    """
    frame = draw(plainFrames)
    value = st.binary(min_size=1, max_size=1)
    frame = mutated(
        frame, draw(st.sampled_from(("set", "cut"))), draw(st.integers(0, 86)), draw(value)
    )
    return repaired(frame, None) if draw(st.booleans()) else frame


anyFrame = st.one_of(plainFrames, plainFrames, damagedFrames(), spoiledFrames(), advertisements)
sequences = st.lists(st.tuples(anyFrame, packetTypes), min_size=1, max_size=12)


def responderOf(
    world: World,
    respond: RespondPolicy = RespondPolicy.ALL,
    yields: bool = False,
    limits: Limits | None = None,
) -> Responder:
    """
    A new responder of a world.
    """
    neighbor = NeighborDiscovery(
        world.identity, world.tables, world.dad, world.source, respond=respond, yields=yields
    )
    return Responder(world.identity, neighbor, Echo(neighbor), limits)


class ComparedTests(SynchronousTestCase):
    """
    Two responders get the same frames: one in batches, by its fast path, and one by one.
    """

    def compare(
        self, fast: Responder, full: Responder, batch: Sequence[tuple[bytes, int]], now: float
    ) -> None:
        """
        Give both a batch.
        """
        expected = [full.frameReceived(frame, kind, now)[1] for frame, kind in batch]
        replies = fast.framesReceived(batch, now)
        self.assertEqual(replies, [reply for reply in expected if reply is not None])
        self.assertEqual(fast.counters(), full.counters())

    @settings(max_examples=600, deadline=None, derandomize=True)
    @given(
        st.sampled_from(WORLDS),
        st.sampled_from(RespondPolicy),
        st.booleans(),
        st.sampled_from(((0, 0), (0, 0), (3, 0), (0, 2), (5, 2))),
        sequences,
        sequences,
    )
    def test_sameRepliesAndCounters(
        self,
        world: dict[str, object],
        respond: RespondPolicy,
        yields: bool,
        rates: tuple[int, int],
        first: list[tuple[bytes, int]],
        second: list[tuple[bytes, int]],
    ) -> None:
        """
        Of all worlds and options, with what the frames themselves teach.
        """
        made = World(**world)  # type: ignore[arg-type]
        fast = responderOf(made, respond, yields, Limits(*rates) if any(rates) else None)
        full = responderOf(made, respond, yields, Limits(*rates) if any(rates) else None)
        for now, batch in enumerate((first, second, first), 1):
            self.compare(fast, full, batch, float(now))

    def test_everyBitOfASolicitation(self) -> None:
        """
        One bit changed, everywhere, with the checksum left as it was and made right again.
        """
        for world in WORLDS:
            made = World(**world)  # type: ignore[arg-type]
            base = solicitation(UNLISTED)
            for bit in range(len(base) * 8):
                spoiled = bytearray(base)
                spoiled[bit // 8] ^= 1 << bit % 8
                batch = [(bytes(spoiled), GROUP), (repaired(bytes(spoiled), None), HOST)]
                self.compare(responderOf(made), responderOf(made), batch, 1.0)

    def test_everyLength(self) -> None:
        """
        Cut, or with padding behind.
        """
        base = solicitation(UNLISTED)
        for length in range(len(base)):
            batch = [(base[:length], GROUP), (repaired(base[:length], None), GROUP)]
            self.compare(responderOf(World()), responderOf(World()), batch, 1.0)
        batch = [(base + bytes(padding), GROUP) for padding in range(40)]
        self.compare(responderOf(World()), responderOf(World()), batch, 1.0)

    def test_shiftedFrame(self) -> None:
        """
        A frame that is a byte too short, made so that what is left of it looks like one that is
        whole, is none.
        """
        base = solicitation(UNLISTED, destination="64::7")
        short = base[:38] + base[39:]
        answer = FastPath(responderOf(World()).neighbor).current(0.0)
        self.assertIsNotNone(answer(base, 0.0))
        self.assertIsNone(answer(short, 0.0))
        self.compare(responderOf(World()), responderOf(World()), [(short, HOST)], 0.0)


class UsedTests(SynchronousTestCase):
    """
    What the fast path answers, and when it is made anew.
    """

    def setUp(self) -> None:
        self.world = World(hosts=[TARGET])
        self.responder = responderOf(self.world)
        self.fastPath = self.responder._fastPath

    def answer(self, frame: bytes, now: float = 0.0) -> bytes | None:
        """
        What the fast path says.
        """
        return self.fastPath.current(now)(frame, now)

    def test_whatRoutersSend(self) -> None:
        """
        From a link-local address, or one outside, to the group or to the target; for a listed
        address and for another; with Ethernet padding, a traffic class and a flow label.
        """
        for target in (TARGET, UNLISTED):
            for source in ("fe80::fe", GLOBAL_OUTSIDE):
                for destination in (None, target):
                    self.assertIsNotNone(self.answer(solicitation(target, source, destination)))
            self.assertIsNotNone(self.answer(solicitation(target) + bytes(10)))
            self.assertIsNotNone(self.answer(solicitation(target, tc=0xE0, fl=0x12345)))

    def test_sourceInsideThePrefix(self) -> None:
        """
        Once it is established that a router has an address of the prefix, solicitations from there
        are answered by the fast path; once a minute the full path notes that it still lives.
        """
        frame, number = solicitation(UNLISTED, GLOBAL_INSIDE), parseAddress(GLOBAL_INSIDE)
        for now in (0.0, 5.0, 12.0, 12.1, 12.0 + FRESH, 12.1 + FRESH):
            fast = self.answer(frame, now)
            self.assertEqual(fast is not None, now in (12.1, 12.1 + FRESH), now)
            self.assertEqual(len(self.responder.framesReceived([(frame, GROUP)], now)), 1)
        established = self.responder.neighbor.claims.established
        self.assertEqual(established[number], 12.0 + FRESH)

    def test_sourceThatIsNoLongerRemembered(self) -> None:
        """
        Is looked at anew at once, so that its sign of life is noted.
        """
        frame, number = solicitation(UNLISTED, GLOBAL_INSIDE), parseAddress(GLOBAL_INSIDE)
        for now in (0.0, 11.0):
            self.responder.framesReceived([(frame, GROUP)], now)
        self.assertIsNotNone(self.answer(frame, 11.0))
        del self.responder.neighbor.claims.established[number]
        self.assertIsNone(self.answer(frame, 11.0))
        self.responder.framesReceived([(frame, GROUP)], 11.0)
        self.assertIn(number, self.responder.neighbor.claims)

    def test_leftToTheFullPath(self) -> None:
        """
        Probes, other options, other types, what is not ours.
        """
        for frame in (
            probe(),
            solicitation(options=b""),
            solicitation(options=sllao(OTHER_LINK)),
            solicitation(options=sllao() + sllao()),
            frames.echoRequest(),
            frames.advertisement(),
            solicitation("2001:db8:0:65::1"),
            b"",
        ):
            self.assertIsNone(self.answer(frame))

    def test_changesAreSeen(self) -> None:
        """
        An address that is the host's own at once, a site that comes, another link-layer address:
        the next batch is answered accordingly.
        """
        frame, now = solicitation(UNLISTED), 1.0
        (reply,) = self.responder.framesReceived([(frame, GROUP)], now)
        self.assertEqual(frames.readAdvertisement(reply).flags, 0x40)
        self.world.identity.linkLayerAddress = linkBytes(OTHER_LINK)
        (reply,) = self.responder.framesReceived([(frame, GROUP)], now)
        self.assertEqual(frames.readAdvertisement(reply).linkSource, OTHER_LINK)
        ownership = dataclasses.replace(
            self.world.ownership(), interfaceAddresses=frozenset([parseAddress(UNLISTED)])
        )
        self.world.tables.ownershipChanged(ownership)
        self.assertEqual(self.responder.framesReceived([(frame, GROUP)], now), [])
        self.assertEqual(self.responder.counts[Verdict.OWN_ADDRESS], 1)

    def test_aMillionSourcesAreNotRemembered(self) -> None:
        """
        The table of those who ask is bounded.
        """
        base = bytearray(solicitation(UNLISTED))
        known = self.fastPath.current(0.0).__closure__
        tables = [c.cell_contents for c in known or () if isinstance(c.cell_contents, dict)]
        for number in range(256, 256 + 3 * MOST_SOLICITORS):
            base[7:12] = base[81:86] = number.to_bytes(5, "big")
            self.assertIsNotNone(self.answer(repaired(bytes(base), None)))
            self.assertLessEqual(max(map(len, tables)), MOST_SOLICITORS)
        self.assertGreater(max(map(len, tables)), 1000)
