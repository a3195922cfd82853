"""
The cases of the ICMPv6 protocol, by number, that a responder without a kernel can be asked. T is an
address of the prefix P, H our link-layer address, R the router's. Clauses are of RFC 4861 unless
said.
"""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from socket import AF_INET6, inet_ntop

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.neighbor import LinkIdentity, NeighborDiscovery
from prefix64.icmpv6.packets import checksumOf
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy
from prefix64.icmpv6.responder import Responder
from prefix64.icmpv6.verdicts import Verdict
from prefix64.ownership import Ownership
from tests import frames
from tests.frames import (
    ALL_NODES_LINK,
    HOST_LINK,
    PREFIX,
    ROUTER,
    ROUTER_LINK,
    TARGET,
    Advertisement,
    addressBytes,
    destinationOptions,
    echoRequest,
    fragmentHeader,
    groupOf,
    hopByHop,
    linkBytes,
    probe,
    readAdvertisement,
    readEchoReply,
    routing,
    scapy,
    sllao,
    solicitation,
    unknownOption,
)

HOST, BROADCAST, GROUP, OTHER_HOST, OUTGOING = range(5)
"""The packet types of packet(7)."""

OUR_LINK_LOCAL = "fe80::1"
GLOBAL_INSIDE = "2001:db8:0:64::9"
GLOBAL_OUTSIDE = "2001:db8:ffff::9"
OTHER_LINK = "02:00:00:00:00:0b"
NONCE = b"\x5a" * 6


def everyAddress(texts: Iterable[str]) -> frozenset[int]:
    """
    Addresses from their texts.
    """
    return frozenset(map(parseAddress, texts))


def canonical(text: str) -> str:
    """
    An address in the spelling of RFC 5952, which is scapy's too.
    """
    return inet_ntop(AF_INET6, addressBytes(text))


@dataclass
class World:
    """
    A responder with all that it knows, in texts.
    """

    prefixes: Iterable[str] = (PREFIX,)
    excluded: Iterable[str] = ()
    interfaceAddresses: Iterable[str] = ()
    hostAddresses: Iterable[str] = ()
    gateways: Iterable[str] = ()
    neighbors: Iterable[str] = ()
    routed: Iterable[str] = ()
    hosts: Iterable[str] = ()
    dad: DadPolicy = DadPolicy.AUTO
    source: AdvertisementSource = AdvertisementSource.TARGET
    identity: LinkIdentity = field(
        default_factory=lambda: LinkIdentity(linkBytes(HOST_LINK), addressBytes(OUR_LINK_LOCAL))
    )
    tables: CurrentTable = field(init=False)
    responder: Responder = field(init=False)

    def __post_init__(self) -> None:
        hosts = [Host(parsePrefix(text), WelcomeSite()) for text in self.hosts]
        self.tables = CurrentTable(HostTable(self.ownership(), hosts))
        neighbor = NeighborDiscovery(self.identity, self.tables, self.dad, self.source)
        self.responder = Responder(self.identity, neighbor, Echo(neighbor))

    def ownership(self) -> Ownership:
        """
        What the texts say is ours and what is not.
        """
        return Ownership(
            tuple(map(parsePrefix, self.prefixes)),
            tuple(map(parsePrefix, self.excluded)),
            everyAddress(self.interfaceAddresses),
            everyAddress([*self.interfaceAddresses, *self.hostAddresses]),
            everyAddress(self.gateways),
            everyAddress(self.neighbors),
            tuple(map(parsePrefix, self.routed)),
        )


class CaseTestCase(SynchronousTestCase):
    """
    Assertions about a world.
    """

    def assertAdvertised(
        self, world: World, frame: bytes, packetType: int = GROUP, **expected: str | int
    ) -> None:
        """
        A frame is answered with one advertisement of exactly these fields, each of which is that of
        the base case unless given; scapy reads them, and finds nothing malformed.
        """
        fields = Advertisement(
            linkDestination=ROUTER_LINK,
            linkSource=HOST_LINK,
            source=TARGET,
            destination=ROUTER,
            hopLimit=255,
            flags=0x40,
            target=TARGET,
            targetLinkLayer=HOST_LINK,
        )._replace(**expected)
        verdict, reply = world.responder.frameReceived(frame, packetType, 0.0)
        self.assertIs(verdict, Verdict.ADVERTISED)
        assert reply is not None
        self.assertEqual(readAdvertisement(reply), fields)
        self.assertInABatch(world, frame, packetType, verdict, reply)

    def assertInABatch(
        self, world: World, frame: bytes, packetType: int, verdict: Verdict, reply: bytes | None
    ) -> None:
        """
        In a batch, where the fast path has the first word, a frame has the same reply, and its
        verdict is counted.
        """
        before = list(world.responder.counts)
        replies = world.responder.framesReceived([(frame, packetType)], 0.0)
        self.assertEqual(replies, [] if reply is None else [reply])
        self.assertEqual(world.responder.counts[verdict], before[verdict] + 1)
        world.responder.counts[:] = before

    def assertDefended(
        self, world: World, frame: bytes, target: str = TARGET, flags: int = 0x20
    ) -> None:
        """
        A probe is answered to all nodes, and with nothing but the one option.
        """
        verdict, reply = world.responder.frameReceived(frame, GROUP, 0.0)
        self.assertIs(verdict, Verdict.DEFENDED)
        assert reply is not None
        self.assertEqual(
            readAdvertisement(reply),
            Advertisement(
                ALL_NODES_LINK, HOST_LINK, target, "ff02::1", 255, flags, target, HOST_LINK
            ),
        )

    def assertSilent(
        self, world: World, frame: bytes, verdict: Verdict, packetType: int = GROUP
    ) -> None:
        """
        Nothing is sent, and the frame is counted once, under this verdict.
        """
        before = list(world.responder.counts)
        self.assertEqual(world.responder.frameReceived(frame, packetType, 0.0), (verdict, None))
        before[verdict] += 1
        self.assertEqual(world.responder.counts, before)
        self.assertFalse(verdict.answered)
        self.assertInABatch(world, frame, packetType, verdict, None)

    def assertOurs(self, world: World, *targets: str) -> None:
        """
        Each of the targets is answered for.
        """
        for target in map(canonical, targets):
            self.assertAdvertised(world, solicitation(target), source=target, target=target)

    def assertSilentAbout(self, world: World, verdict: Verdict, *targets: str) -> None:
        """
        None of the targets is answered for, and neither is a probe for it.
        """
        for target in targets:
            self.assertSilent(world, solicitation(target), verdict)
            self.assertSilent(world, probe(target), verdict)


class AnsweredTests(CaseTestCase):
    """
    Cases 1 to 19: what is answered.
    """

    def test_case01_base(self) -> None:
        """
        The base: H to R, from T to the solicitor, hop limit 255, S=1 R=0, TLLAO = H, and the right
        checksum (7.2.4). One answer, counted once.
        """
        world = World()
        self.assertAdvertised(
            world,
            solicitation(),
            linkSource="02:00:00:00:00:01",
            linkDestination="02:00:00:00:00:fe",
            source="2001:db8:0:64::57:cafe",
            destination="fe80::fe",
            hopLimit=255,
            flags=0x40,
            target="2001:db8:0:64::57:cafe",
            targetLinkLayer="02:00:00:00:00:01",
        )
        self.assertEqual(world.responder.counters(), {"advertised": 1})

    def test_case02_globalSourceInside(self) -> None:
        """
        A source in P is answered at once, without a solicitation of ours first (7.2.4).
        """
        self.assertAdvertised(
            World(), solicitation(source=GLOBAL_INSIDE), destination=GLOBAL_INSIDE
        )

    def test_case03_globalSourceOutside(self) -> None:
        """
        A source outside P is answered.
        """
        self.assertAdvertised(
            World(), solicitation(source=GLOBAL_OUTSIDE), destination=GLOBAL_OUTSIDE
        )

    def test_case04_multicastWithoutSllao(self) -> None:
        """
        Without an option the answer goes to the frame's source.
        """
        frame = solicitation(options=b"", linkSource=OTHER_LINK)
        self.assertAdvertised(World(), frame, linkDestination=OTHER_LINK)

    def test_case05_unicastWithSllao(self) -> None:
        """
        A unicast solicitation is answered with S=1 (7.2.4).
        """
        self.assertAdvertised(World(), solicitation(destination=TARGET), HOST)

    def test_case06_unicastWithoutOptions(self) -> None:
        """
        Unreachability detection (7.3) is answered with S=1, and with TLLAO all the same.
        """
        self.assertAdvertised(World(), solicitation(destination=TARGET, options=b""), HOST)

    def test_case07_unicastFromGlobal(self) -> None:
        """
        As case 6, from global addresses.
        """
        for source in (GLOBAL_INSIDE, GLOBAL_OUTSIDE):
            frame = solicitation(destination=TARGET, source=source, options=b"")
            self.assertAdvertised(World(), frame, HOST, destination=source)

    def test_case08_toOurLinkLocalAddress(self) -> None:
        """
        Sent to the host's link-local address, about T: answered, for the target counts (7.2.3).
        """
        self.assertAdvertised(World(), solicitation(destination=OUR_LINK_LOCAL), HOST)

    def test_case09_sllaoDiffersFromFrame(self) -> None:
        """
        The option wins over the frame's source (7.2.3, 7.2.4).
        """
        frame = solicitation(options=sllao(OTHER_LINK), linkSource=ROUTER_LINK)
        self.assertAdvertised(World(), frame, linkDestination=OTHER_LINK)

    def test_case10_nonceThenSllao(self) -> None:
        """
        A nonce (RFC 7527) is not taken for a link-layer address.
        """
        options = unknownOption(14, NONCE) + sllao(OTHER_LINK)
        frame = solicitation(options=options)
        self.assertAdvertised(World(), frame, linkDestination=OTHER_LINK)

    def test_case11_unknownOptionThenSllao(self) -> None:
        """
        Options that nobody knows, of any length, are passed over (4.6).
        """
        for kind, size in ((0, 6), (2, 6), (77, 14), (253, 30), (255, 2038)):
            options = unknownOption(kind, b"\x01" * size) + sllao(OTHER_LINK)
            frame = solicitation(options=options)
            self.assertAdvertised(World(), frame, linkDestination=OTHER_LINK)

    def test_case12_manyOptions(self) -> None:
        """
        1,200 bytes of valid options are walked to the last.
        """
        options = unknownOption(99, b"\xff" * 6) * 149 + sllao(OTHER_LINK)
        self.assertEqual(len(options), 1_200)
        frame = solicitation(options=options)
        self.assertAdvertised(World(), frame, linkDestination=OTHER_LINK)

    def test_case13_ethernetPadding(self) -> None:
        """
        Padding behind the payload is no option, whatever is in it.
        """
        for padding in (b"\0", bytes(6), b"\xff" * 46, b"\x01\x01" + linkBytes(OTHER_LINK)):
            self.assertAdvertised(World(), solicitation(padding=padding))
            frame = solicitation(options=b"", padding=padding)
            self.assertAdvertised(World(), frame)

    def test_case14_vlan(self) -> None:
        """
        The kernel takes a tag with id 0 away: nothing is left of it to see. A frame of another VLAN
        comes as another host's; one whose tag is still there is not IPv6.
        """
        world = World()
        self.assertAdvertised(world, solicitation())
        self.assertSilent(world, solicitation(), Verdict.OTHER_HOST, OTHER_HOST)
        for tag in ("81000000", "81000005", "88a80005"):
            frame = solicitation()
            tagged = frame[:12] + bytes.fromhex(tag) + frame[12:]
            self.assertSilent(world, tagged, Verdict.NOT_IPV6)

    def test_case15_manyTargets(self) -> None:
        """
        1,000 targets a second, each another one, get 1,000 answers; after a hundred seconds the
        memory is what it was after the first.
        """
        world = World()
        template = bytearray(solicitation("2001:db8:0:64:8000::"))

        def second(number: int) -> list[tuple[bytes, int]]:
            return [(asked(number << 10 | target), GROUP) for target in range(1000)]

        def asked(target: int) -> bytes:
            frame, last = bytearray(template), target.to_bytes(4, "big")
            frame[5:6], frame[3:5] = last[3:], last[1:3]
            frame[51:54], frame[74:78] = last[1:], last
            frame[56:58] = b"\0\0"
            frame[56:58] = checksumOf(
                bytes(frame[22:38]), bytes(frame[38:54]), bytes(frame[54:])
            ).to_bytes(2, "big")
            return bytes(frame)

        memory: list[int] = []
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(100):
            replies = world.responder.framesReceived(second(number), float(number))
            self.assertEqual(len(replies), 1000)
            self.assertEqual(len(set(replies)), 1000)
            del replies
            memory.append(tracemalloc.get_traced_memory()[0])
        self.assertLess(memory[-1] - memory[5], 65_536)
        self.assertEqual(world.responder.counters(), {"advertised": 100_000})

    def test_case16_twoRouters(self) -> None:
        """
        Two routers that ask for the same T are both answered, each at its own address.
        """
        world = World()
        for number in (0x0A, 0x0B, 0x0A):
            link, source = f"02:00:00:00:00:{number:02x}", f"fe80::{number:x}"
            self.assertAdvertised(
                world,
                solicitation(source=source, linkSource=link, options=sllao(link)),
                linkDestination=link,
                destination=source,
            )
        self.assertEqual(world.responder.counters(), {"advertised": 3})

    def test_case17_edges(self) -> None:
        """
        P's first addresses and its last are ours, but for P::; its neighbors are not.
        """
        world = World()
        self.assertSilentAbout(world, Verdict.ANYCAST, "2001:db8:0:64::")
        self.assertOurs(world, "2001:db8:0:64::1", "2001:db8:0:64:ffff:ffff:ffff:ffff")
        self.assertSilentAbout(
            world, Verdict.OUTSIDE, "2001:db8:0:63:ffff:ffff:ffff:ffff", "2001:db8:0:65::"
        )

    def test_case18_slash48(self) -> None:
        """
        A /48 ends where its 48th bit says.
        """
        world = World(["2001:db8:64::/48"])
        self.assertOurs(world, "2001:db8:64::1", "2001:db8:64:ffff:ffff:ffff:ffff:ffff")
        self.assertSilentAbout(
            world, Verdict.OUTSIDE, "2001:db8:63:ffff:ffff:ffff:ffff:ffff", "2001:db8:65::1"
        )

    def test_case18_slash56(self) -> None:
        """
        A /56 ends where its 56th bit says.
        """
        world = World(["2001:db8:64:1200::/56"])
        self.assertOurs(world, "2001:db8:64:1200::1", "2001:db8:64:12ff:ffff:ffff:ffff:ffff")
        self.assertSilentAbout(
            world, Verdict.OUTSIDE, "2001:db8:64:11ff:ffff:ffff:ffff:ffff", "2001:db8:64:1300::1"
        )

    def test_case18_slash80(self) -> None:
        """
        An /80 ends where its 80th bit says.
        """
        world = World(["2001:db8:0:64:80::/80"])
        self.assertOurs(world, "2001:db8:0:64:80::1", "2001:db8:0:64:80:ffff:ffff:ff7f")
        self.assertSilentAbout(
            world, Verdict.OUTSIDE, "2001:db8:0:64:7f:ffff:ffff:ffff", "2001:db8:0:64:81::1"
        )

    def test_case18_slash127(self) -> None:
        """
        Both addresses of a /127 are ours, and nothing beside them (RFC 6164).
        """
        world = World(["2001:db8::8/127"])
        self.assertOurs(world, "2001:db8::8", "2001:db8::9")
        self.assertSilentAbout(world, Verdict.OUTSIDE, "2001:db8::7", "2001:db8::a")

    def test_case19_twoPrefixes(self) -> None:
        """
        Both of two prefixes are answered for, and nothing between them.
        """
        world = World(["2001:db8:0:64::/64", "fd00:64:0:1::/64"])
        self.assertOurs(world, "2001:db8:0:64::1", "fd00:64:0:1::1")
        self.assertSilentAbout(
            world, Verdict.OUTSIDE, "2001:db8:0:65::1", "fd00:64::1", "fd00:64:0:2::1"
        )


class DuplicateAddressDetectionTests(CaseTestCase):
    """
    Cases 20 to 27: probes from the unspecified address (RFC 4862 5.4).
    """

    def worlds(self, **options: object) -> Iterator[World]:
        """
        Every policy that defends T: asked to, or by itself because a host rule covers T.
        """
        rules: tuple[list[str], ...] = ([TARGET], ["2001:db8:0:64::57:0/112"])
        for hosts in rules:
            yield dataclasses.replace(World(), hosts=hosts, dad=DadPolicy.AUTO, **options)
            yield dataclasses.replace(World(), hosts=hosts, dad=DadPolicy.DEFEND, **options)

    def test_case20_defended(self) -> None:
        """
        A probe for a listed host is answered to all nodes, from T, with S=0 O=1 and TLLAO (7.2.4).
        """
        for world in self.worlds():
            self.assertDefended(world, probe())
            self.assertEqual(world.responder.counters(), {"defended": 1})

    def test_case20_defendedWithoutRule(self) -> None:
        """
        Asked to defend, what no host rule covers is defended too, with O=0 (case 60).
        """
        self.assertDefended(World(dad=DadPolicy.DEFEND), probe(), flags=0x00)

    def test_case21_ignored(self) -> None:
        """
        A probe gets silence where we are told to ignore it, or where no host rule covers T.
        """
        self.assertSilent(World(), probe(), Verdict.DAD_IGNORED)
        other = World(hosts=["2001:db8:0:64::57:caff", "2001:db8:0:64::58:0/112"])
        self.assertSilent(other, probe(), Verdict.DAD_IGNORED)
        for hosts in ([], [TARGET]):
            world = World(hosts=hosts, dad=DadPolicy.IGNORE)
            self.assertSilent(world, probe(), Verdict.DAD_IGNORED)
            self.assertAdvertised(world, solicitation(), flags=0x60 if hosts else 0x40)

    def test_case22_nonce(self) -> None:
        """
        A probe with a nonce (RFC 7527) is defended against, and the nonce is not echoed.
        """
        for world in self.worlds():
            self.assertDefended(world, probe(options=unknownOption(14, NONCE)))

    def test_case23_sllao(self) -> None:
        """
        A probe must not have a source link-layer address option (7.1.1).
        """
        for world in self.worlds():
            for options in (sllao(), unknownOption(14, NONCE) + sllao(), sllao("00:" * 5 + "00")):
                frame = probe(options=options)
                self.assertSilent(world, frame, Verdict.DAD_LINK_LAYER_OPTION)

    def test_case24_destination(self) -> None:
        """
        A probe must go to the solicited-node group (7.1.1).
        """
        for world in self.worlds():
            for destination in (TARGET, OUR_LINK_LOCAL, "ff02::1", "ff02::2", "ff02::1:ff57:caff"):
                frame = probe(destination=destination)
                self.assertSilent(world, frame, Verdict.DAD_DESTINATION)

    def test_case25_ourOwnProbe(self) -> None:
        """
        The host's own probe, looped back to us, is not answered.
        """
        for world in self.worlds():
            self.assertSilent(world, probe(linkSource=HOST_LINK), Verdict.OWN_FRAME)

    def test_case26_excluded(self) -> None:
        """
        A probe for an excluded address is not answered, though a host rule covers it.
        """
        for world in self.worlds(excluded=["2001:db8:0:64::57:cafe"]):
            self.assertSilent(world, probe(), Verdict.EXCLUDED)

    def test_case27_addressAddedWhileRunning(self) -> None:
        """
        An address of P that the interface comes to have is the kernel's to answer for from the next
        frame on: probes and solicitations for it get nothing from us.
        """
        world = World(hosts=[TARGET], dad=DadPolicy.DEFEND)
        self.assertDefended(world, probe())
        self.assertAdvertised(world, solicitation(), flags=0x60)
        own = everyAddress([TARGET])
        ownership = dataclasses.replace(
            world.ownership(), interfaceAddresses=own, hostAddresses=own
        )
        world.tables.ownershipChanged(ownership)
        self.assertSilentAbout(world, Verdict.OWN_ADDRESS, TARGET)


class DroppedTests(CaseTestCase):
    """
    Cases 28 to 48: what is dropped, each counted by its reason.
    """

    def setUp(self) -> None:
        """
        A world that answers the base, and a probe too: what is dropped is dropped for its fault.
        """
        self.world = World(hosts=[TARGET])
        self.assertAdvertised(self.world, solicitation(), flags=0x60)
        self.assertDefended(self.world, probe())

    def test_case28_hopLimit(self) -> None:
        """
        A hop limit that is not 255 comes from behind a router (7.1.1).
        """
        for hopLimit in (254, 64, 1, 0):
            frame = solicitation(hopLimit=hopLimit)
            self.assertSilent(self.world, frame, Verdict.HOP_LIMIT)
            self.assertSilent(self.world, probe(hopLimit=hopLimit), Verdict.HOP_LIMIT)

    def test_case29_code(self) -> None:
        """
        The code must be 0 (7.1.1).
        """
        for code in (1, 2, 255):
            self.assertSilent(self.world, solicitation(code=code), Verdict.CODE)

    def test_case30_checksum(self) -> None:
        """
        A wrong checksum, and a zero one, are not right (7.1.1).
        """
        right = int.from_bytes(solicitation()[56:58], "big")
        for wrong in (0, 0xFFFF, right ^ 1, right + 1, right - 1, right ^ 0xFFFF):
            frame = solicitation(checksum=wrong)
            self.assertSilent(self.world, frame, Verdict.CHECKSUM)

    def test_case30_pseudoHeader(self) -> None:
        """
        The checksum covers the addresses too (RFC 8200 8.1).
        """
        frame = bytearray(solicitation())
        frame[37] ^= 1
        self.assertSilent(self.world, bytes(frame), Verdict.CHECKSUM)

    def test_case31_icmpLength(self) -> None:
        """
        An ICMP length under 24 has no target (7.1.1).
        """
        for length in (8, 16, 23):
            self.assertSilent(self.world, self.short(length), Verdict.ICMP_LENGTH)

    def short(self, length: int) -> bytes:
        """
        A solicitation of some bytes, with the right checksum, and padded to a whole frame.
        """
        s = scapy()
        head = s.ICMPv6Unknown(type=135, code=0, msgbody=bytes(4) + addressBytes(TARGET))
        whole = bytes(s.raw(head))[:length]
        group = groupOf(TARGET)
        checksum = s.in6_chksum(58, s.IPv6(src=ROUTER, dst=group), whole[:2] + b"\0\0" + whole[4:])
        message = whole[:2] + checksum.to_bytes(2, "big") + whole[4:]
        return frames.frame(s.Raw(message), ROUTER, group, nh=58, hlim=255, padding=bytes(20))

    def test_case32_optionOfLengthZero(self) -> None:
        """
        An option of length 0 has no end (4.6, 7.1.1): first, last, and as a link-layer address.
        """
        zero = b"\x0e\0" + NONCE
        for options in (zero, sllao() + zero, zero + sllao(), b"\x01\0" + linkBytes(ROUTER_LINK)):
            frame = solicitation(options=options)
            self.assertSilent(self.world, frame, Verdict.OPTION_LENGTH)

    def test_case33_optionPastTheEnd(self) -> None:
        """
        An option that says it is longer than what is there: no option is read past the end, though
        the frame goes on with padding.
        """
        for options in (b"\x01\x02" + linkBytes(ROUTER_LINK), sllao() + b"\x0e\xff" + NONCE):
            for padding in (b"", bytes(16)):
                frame = solicitation(options=options, padding=padding)
                self.assertSilent(self.world, frame, Verdict.OPTION_OVERRUN)

    def test_case33_trailingBytes(self) -> None:
        """
        1 to 7 bytes that are left over are no option.
        """
        for trailing in range(1, 8):
            for options in (sllao() + b"\x0e\x01\0\0\0\0\0"[:trailing], sllao()[:trailing]):
                frame = solicitation(options=options)
                self.assertSilent(self.world, frame, Verdict.OPTION_OVERRUN)

    def test_case34_multicastTarget(self) -> None:
        """
        A multicast target is nobody's (7.1.1).
        """
        for target in ("ff02::1", "ff02::1:ff57:cafe", "ff0e::57:cafe", "ff00::"):
            self.assertSilentAbout(self.world, Verdict.MULTICAST_TARGET, target)

    def test_case35_specialTarget(self) -> None:
        """
        ::, ::1, link-local and v4-mapped addresses are no targets for us (RFC 4291 2.5).
        """
        for target in ("::", "::1", "fe80::1", "fe80::57:cafe", "febf:ffff::1", "::ffff:192.0.2.1"):
            self.assertSilentAbout(self.world, Verdict.SPECIAL_TARGET, target)

    def test_case36_outside(self) -> None:
        """
        A target outside P is somebody else's.
        """
        for target in ("2001:db8:0:65::57:cafe", "2001:db9:0:64::57:cafe", "fec0::1", "::2"):
            self.assertSilentAbout(self.world, Verdict.OUTSIDE, target)

    def test_case37_fragmentHeader(self) -> None:
        """
        A solicitation with any fragment header is ignored (RFC 6980 5): atomic, first, later, and
        with other headers before or behind it.
        """
        for headers in (
            fragmentHeader(),
            fragmentHeader(more=1),
            fragmentHeader(offset=1),
            fragmentHeader(offset=100, more=1),
            fragmentHeader() / fragmentHeader(),
            hopByHop() / fragmentHeader(),
            fragmentHeader() / destinationOptions(),
        ):
            frame = solicitation(headers=headers)
            self.assertSilent(self.world, frame, Verdict.FRAGMENT)
            self.assertSilent(self.world, probe(headers=headers), Verdict.FRAGMENT)

    def test_case38_extensionHeaders(self) -> None:
        """
        A solicitation behind a hop-by-hop, destination or routing header is not answered: a choice.
        """
        for headers in (hopByHop(), destinationOptions(), routing(), hopByHop() / routing()):
            frame = solicitation(headers=headers)
            self.assertSilent(self.world, frame, Verdict.EXTENSION_HEADER)

    def test_case39_multicastSource(self) -> None:
        """
        A group is no source (RFC 4291 2.7).
        """
        for source in ("ff02::1", "ff02::1:ff57:cafe", "ff0e::1"):
            frame = solicitation(source=source)
            self.assertSilent(self.world, frame, Verdict.MULTICAST_SOURCE)

    def test_case40_loopbackSource(self) -> None:
        """
        ::1 is not on any link (RFC 4291 2.5.3).
        """
        self.assertSilent(self.world, solicitation(source="::1"), Verdict.SPECIAL_SOURCE)

    def test_case41_sllaoThatIsNoStation(self) -> None:
        """
        A group, zero or broadcast address is nobody to answer to; nor are we, nor a length that is
        not Ethernet's (RFC 2464 6). Without the option the same is true of the frame's source.
        """
        nobody = (
            "33:33:00:00:00:01",
            "01:00:5e:00:00:01",
            "03:00:00:00:00:fe",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
        )
        refused = Verdict.LINK_LAYER_ADDRESS
        for link in nobody:
            self.assertSilent(self.world, solicitation(options=sllao(link)), refused)
            frame = solicitation(options=b"", linkSource=link)
            self.assertSilent(self.world, frame, refused)
        self.assertSilent(self.world, solicitation(options=sllao(HOST_LINK)), refused)
        long = unknownOption(1, linkBytes(ROUTER_LINK) + bytes(8))
        self.assertSilent(self.world, solicitation(options=long), refused)

    def test_case42_otherHost(self) -> None:
        """
        A frame that the kernel says is for another host is not for us.
        """
        for frame in (solicitation(), solicitation(destination=TARGET), probe(), echoRequest()):
            self.assertSilent(self.world, frame, Verdict.OTHER_HOST, OTHER_HOST)

    def test_case43_ourOwnFrames(self) -> None:
        """
        Frames from H, and those that the kernel says are on their way out, are ours.
        """
        for packetType in (HOST, GROUP):
            frame = solicitation(linkSource=HOST_LINK)
            self.assertSilent(self.world, frame, Verdict.OWN_FRAME, packetType)
        self.assertSilent(self.world, solicitation(), Verdict.OUTGOING, OUTGOING)
        frame = echoRequest(linkSource=HOST_LINK)
        self.assertSilent(self.world, frame, Verdict.OWN_FRAME, HOST)

    def test_case44_payloadLength(self) -> None:
        """
        A payload length that is over the frame, or 0, does not fit (RFC 8200 3).
        """
        for length in (33, 40, 1_500, 0xFFFF, 0):
            frame = solicitation(plen=length)
            self.assertSilent(self.world, frame, Verdict.PAYLOAD_LENGTH)

    def test_case44_version(self) -> None:
        """
        A version that is not 6 is not IPv6 (RFC 8200 3).
        """
        for version in (0, 4, 5, 7, 15):
            frame = solicitation(version=version)
            self.assertSilent(self.world, frame, Verdict.NOT_IPV6)

    def test_case44_shortFrame(self) -> None:
        """
        A frame that was cut at any byte is not read past its end.
        """
        base = solicitation()
        for length in range(len(base)):
            reason = Verdict.SHORT_FRAME if length < 62 else Verdict.PAYLOAD_LENGTH
            self.assertSilent(self.world, base[:length], reason)

    def test_case45_tcpLookalike(self) -> None:
        """
        A TCP segment whose source port begins with 135, or 128, is no ICMPv6 message.
        """
        for port in (0x8700, 0x87FF, 0x8800, 0x8000):
            frame = frames.tcp(sourcePort=port)
            self.assertEqual(frame[54], port >> 8)
            self.assertSilent(self.world, frame, Verdict.OTHER_TYPE, HOST)

    def test_case46_otherGroup(self) -> None:
        """
        A multicast destination must be the target's own solicited-node group (7.2.2).
        """
        for destination in (
            "ff02::1",
            "ff02::2",
            "ff02::1:ff57:caff",
            "ff02::1:ff00:cafe",
            "ff02::2:ff57:cafe",
            "ff05::1:ff57:cafe",
        ):
            frame = solicitation(destination=destination)
            self.assertSilent(self.world, frame, Verdict.OTHER_GROUP)

    def test_case47_sourceIsTarget(self) -> None:
        """
        Who asks for his own address has it, and it is not a probe.
        """
        for destination in (None, TARGET):
            frame = solicitation(source=TARGET, destination=destination)
            self.assertSilent(self.world, frame, Verdict.SOURCE_IS_TARGET)

    def test_case48_otherMessages(self) -> None:
        """
        Router Solicitations and Advertisements, Redirects and Neighbor Advertisements ask nothing.
        """
        s = scapy()
        option = s.ICMPv6NDOptSrcLLAddr(lladdr=ROUTER_LINK)
        messages = (
            s.ICMPv6ND_RS() / option,
            s.ICMPv6ND_RA() / option,
            s.ICMPv6ND_Redirect(tgt=TARGET, dst=TARGET) / option,
        )
        for message in messages:
            frame = frames.frame(message, ROUTER, "ff02::1", hlim=255)
            self.assertIn(frame[54], (133, 134, 137))
            self.assertSilent(self.world, frame, Verdict.OTHER_TYPE)
        self.assertSilent(self.world, frames.advertisement(override=0), Verdict.ADVERTISEMENT)

    def test_everyDropHasItsName(self) -> None:
        """
        The counters have one name and one sentence for each verdict, and leave out what never came.
        """
        world = World()
        self.assertEqual(world.responder.counters(), {})
        self.assertSilent(world, b"", Verdict.SHORT_FRAME)
        self.assertSilent(world, solicitation(hopLimit=1), Verdict.HOP_LIMIT)
        self.assertSilent(world, solicitation(hopLimit=2), Verdict.HOP_LIMIT)
        self.assertEqual(world.responder.counters(), {"short_frame": 1, "hop_limit": 2})
        self.assertTrue(all(verdict.reason for verdict in Verdict))


class OwnershipTests(CaseTestCase):
    """
    Cases 49 to 55: whose an address is.
    """

    def test_case49_interfacesOwn(self) -> None:
        """
        The kernel answers for an address of the interface: nothing from us, listed or not.
        """
        for hosts in ([], [TARGET]):
            world = World(interfaceAddresses=[TARGET], hosts=hosts, dad=DadPolicy.DEFEND)
            self.assertSilentAbout(world, Verdict.OWN_ADDRESS, TARGET)
            self.assertOurs(world, "2001:db8:0:64::57:cafd")

    def test_case49_onAnotherInterface(self) -> None:
        """
        An address of the host on another interface is answered for: on this one the kernel is
        silent about it.
        """
        world = World(hostAddresses=[TARGET])
        self.assertOurs(world, TARGET)
        self.assertDefended(world, probe(), flags=0x00)
        self.assertSilent(
            World(hostAddresses=[TARGET], dad=DadPolicy.IGNORE), probe(), Verdict.DAD_IGNORED
        )

    def test_case50_gateway(self) -> None:
        """
        A gateway inside P is not ours.
        """
        world = World(gateways=["2001:db8:0:64::1"], hosts=[PREFIX], dad=DadPolicy.DEFEND)
        self.assertSilentAbout(world, Verdict.GATEWAY, "2001:db8:0:64::1")
        self.assertAdvertised(world, solicitation(), flags=0x60)

    def test_case50_knownNeighbor(self) -> None:
        """
        Another machine inside P that the host knows of is not ours.
        """
        world = World(neighbors=["2001:db8:0:64::2"], hosts=[PREFIX], dad=DadPolicy.DEFEND)
        self.assertSilentAbout(world, Verdict.NEIGHBOR, "2001:db8:0:64::2")

    def test_case51_subnetRouterAnycast(self) -> None:
        """
        P:: is the routers' (RFC 4291 2.6.1), listed or not.
        """
        for prefix, first in (
            ("2001:db8:0:64::/64", "2001:db8:0:64::"),
            ("2001:db8:0:64:80::/80", "2001:db8:0:64:80::"),
            ("2001:db8::80/121", "2001:db8::80"),
            ("2001:db8::8/126", "2001:db8::8"),
        ):
            world = World([prefix], hosts=[first], dad=DadPolicy.DEFEND)
            self.assertSilentAbout(world, Verdict.ANYCAST, first)

    def test_case51_everySubnetOfAShorterPrefix(self) -> None:
        """
        In a /48 the first address of every /64 is the routers', and the second is not.
        """
        world = World(["2001:db8:64::/48"])
        for subnet in ("0", "1", "8000", "ffff"):
            self.assertSilentAbout(world, Verdict.ANYCAST, f"2001:db8:64:{subnet}::")
            self.assertOurs(world, f"2001:db8:64:{subnet}::1")

    def test_case51_noneInSlash127(self) -> None:
        """
        A /127 has no anycast address (RFC 6164).
        """
        self.assertOurs(World(["2001:db8::8/127"]), "2001:db8::8", "2001:db8::9")

    def test_case52_reservedAnycastOfEachSubnet(self) -> None:
        """
        Up to /64 the identifiers fdff:ffff:ffff:ff80 to fdff:ffff:ffff:ffff of each /64 are
        reserved (RFC 2526); what is around them, and the last address, is ours.
        """
        for prefix, subnets in (
            ("2001:db8:0:64::/64", ("2001:db8:0:64",)),
            ("2001:db8:64::/48", ("2001:db8:64:0", "2001:db8:64:7", "2001:db8:64:ffff")),
        ):
            world = World([prefix])
            for subnet in subnets:
                self.assertSilentAbout(
                    world,
                    Verdict.ANYCAST,
                    f"{subnet}:fdff:ffff:ffff:ff80",
                    f"{subnet}:fdff:ffff:ffff:fffe",
                    f"{subnet}:fdff:ffff:ffff:ffff",
                )
                self.assertOurs(
                    world,
                    f"{subnet}:fdff:ffff:ffff:ff7f",
                    f"{subnet}:fe00:0:0:0",
                    f"{subnet}:ffff:ffff:ffff:ff80",
                    f"{subnet}:ffff:ffff:ffff:ffff",
                )

    def test_case52_reservedAnycastOfALongerPrefix(self) -> None:
        """
        From /65 to /120 the last 128 addresses are reserved (RFC 2526).
        """
        slash80 = World(["2001:db8:0:64:80::/80"])
        self.assertOurs(
            slash80, "2001:db8:0:64:80:ffff:ffff:ff7f", "2001:db8:0:64:80:fdff:ffff:ff80"
        )
        self.assertSilentAbout(
            slash80,
            Verdict.ANYCAST,
            "2001:db8:0:64:80:ffff:ffff:ff80",
            "2001:db8:0:64:80:ffff:ffff:ffff",
        )
        slash120 = World(["2001:db8::64:0/120"])
        self.assertOurs(slash120, "2001:db8::64:1", "2001:db8::64:7f")
        self.assertSilentAbout(slash120, Verdict.ANYCAST, "2001:db8::64:80", "2001:db8::64:ff")

    def test_case52_noneReservedInSlash121(self) -> None:
        """
        In a /121 none is reserved: all 128 addresses but the first are ours.
        """
        world = World(["2001:db8::6480/121"])
        self.assertOurs(world, "2001:db8::6481", "2001:db8::64fe", "2001:db8::64ff")
        self.assertSilentAbout(world, Verdict.ANYCAST, "2001:db8::6480")
        self.assertSilentAbout(world, Verdict.OUTSIDE, "2001:db8::647f", "2001:db8::6500")

    def test_case54_addressRemoved(self) -> None:
        """
        An address that the interface no longer has is ours again, at once; one that it has got is
        not.
        """
        world = World(interfaceAddresses=[TARGET])
        self.assertSilentAbout(world, Verdict.OWN_ADDRESS, TARGET)
        without = dataclasses.replace(world, interfaceAddresses=[])
        world.tables.ownershipChanged(without.ownership())
        self.assertOurs(world, TARGET)
        again = dataclasses.replace(world, interfaceAddresses=[TARGET])
        world.tables.ownershipChanged(again.ownership())
        self.assertSilentAbout(world, Verdict.OWN_ADDRESS, TARGET)

    def test_case55_excludedPrefix(self) -> None:
        """
        An excluded /80 is silent from its first address to its last, and answered around it. So is
        one that this host routes to another interface.
        """
        block = ["2001:db8:0:64:5::/80"]
        for world in (World(excluded=block, hosts=[PREFIX]), World(routed=block, hosts=[PREFIX])):
            self.assertSilentAbout(
                world,
                Verdict.EXCLUDED,
                "2001:db8:0:64:5::",
                "2001:db8:0:64:5::cafe",
                "2001:db8:0:64:5:ffff:ffff:ffff",
            )
            for target in ("2001:db8:0:64:4:ffff:ffff:ffff", "2001:db8:0:64:6::"):
                self.assertAdvertised(
                    world, solicitation(target), source=target, target=target, flags=0x60
                )


class AdvertisementTests(CaseTestCase):
    """
    Cases 57 to 61: what is in every advertisement.
    """

    @staticmethod
    def solicitations() -> tuple[bytes, ...]:
        """
        Solicitations of every kind, and probes.
        """
        return (
            solicitation(),
            solicitation(source=GLOBAL_INSIDE),
            solicitation(options=b""),
            solicitation(destination=TARGET),
            solicitation(destination=TARGET, options=b""),
            solicitation(options=sllao(OTHER_LINK)),
            solicitation(options=unknownOption(14, NONCE) + sllao()),
            probe(),
            probe(options=unknownOption(14, NONCE)),
        )

    def advertisements(self) -> Iterator[Advertisement]:
        """
        What each of the solicitations gets in worlds of every kind.
        """
        for hosts in ([], [TARGET], [PREFIX]):
            for source in AdvertisementSource:
                world = World(hosts=hosts, dad=DadPolicy.DEFEND, source=source)
                for frame in self.solicitations():
                    reply = world.responder.frameReceived(frame, GROUP, 0.0)[1]
                    assert reply is not None
                    yield readAdvertisement(reply)

    def test_case56_solicitedOrNot(self) -> None:
        """
        S=1 in the answer to a solicitation, to the group or to T, which makes a neighbour's entry
        reachable; S=0 in the defence against a probe, which makes it stale (7.2.5).
        """
        world = World(dad=DadPolicy.DEFEND)
        for frame in (solicitation(), solicitation(destination=TARGET)):
            self.assertAdvertised(world, frame, flags=0x40)
        self.assertDefended(world, probe(), flags=0x00)

    def test_case57_multicastIsUnsolicited(self) -> None:
        """
        S=1 goes to one host, and what goes to a group has S=0 (4.4, 7.2.4).
        """
        for one in self.advertisements():
            toGroup = one.destination.startswith("ff")
            self.assertEqual(one.flags & 0x40, 0x00 if toGroup else 0x40)
            self.assertEqual(one.linkDestination.startswith("33:33"), toGroup)

    def test_case58_targetLinkLayerAddressAlways(self) -> None:
        """
        Every advertisement has H as its target link-layer address (7.2.4).
        """
        for one in self.advertisements():
            self.assertEqual((one.targetLinkLayer, one.linkSource), (HOST_LINK, HOST_LINK))

    def test_case59_noRouter(self) -> None:
        """
        R=0, and the reserved bits are zero (4.4).
        """
        for one in self.advertisements():
            self.assertEqual(one.flags & 0x9F, 0)

    def test_case60_override(self) -> None:
        """
        O=1 for what a host rule covers, by address or by sub-prefix; O=0 for what is only in P, so
        that a real owner wins (7.2.8).
        """
        self.assertAdvertised(World(), solicitation(), flags=0x40)
        self.assertAdvertised(World(hosts=["2001:db8:0:64::1"]), solicitation(), flags=0x40)
        for rule in (TARGET, "2001:db8:0:64::57:0/112", PREFIX):
            self.assertAdvertised(World(hosts=[rule]), solicitation(), flags=0x60)

    def test_case61_flagBytes(self) -> None:
        """
        The byte behind the checksum, as a number (4.4): 0x40, 0x60, 0x20, and 0x00.
        """
        for hosts, frame, byte in (
            ([], solicitation(), 0x40),
            ([TARGET], solicitation(), 0x60),
            ([TARGET], probe(), 0x20),
            ([], probe(), 0x00),
        ):
            world = World(hosts=hosts, dad=DadPolicy.DEFEND)
            reply = world.responder.frameReceived(frame, GROUP, 0.0)[1]
            assert reply is not None
            self.assertEqual(reply[58], byte)
            self.assertEqual(reply[59:62], b"\0\0\0")

    def test_fromTheLinkLocalAddress(self) -> None:
        """
        Where asked for, advertisements come from our link-local address; from the target, until
        there is one. Defences too.
        """
        world = World(hosts=[TARGET], source=AdvertisementSource.LINK_LOCAL)
        self.assertAdvertised(world, solicitation(), source=OUR_LINK_LOCAL, flags=0x60)
        reply = world.responder.frameReceived(probe(), GROUP, 0.0)[1]
        assert reply is not None
        self.assertEqual(readAdvertisement(reply).source, OUR_LINK_LOCAL)
        world.identity.linkLocal = None
        self.assertAdvertised(world, solicitation(), source=TARGET, flags=0x60)

    def test_newLinkLayerAddress(self) -> None:
        """
        When the interface has another link-layer address, advertisements have it at once, and the
        old one is nobody's.
        """
        world = World()
        world.identity.linkLayerAddress = linkBytes(OTHER_LINK)
        self.assertAdvertised(
            world, solicitation(), linkSource=OTHER_LINK, targetLinkLayer=OTHER_LINK
        )
        self.assertSilent(world, solicitation(linkSource=OTHER_LINK), Verdict.OWN_FRAME)


class EchoTests(CaseTestCase):
    """
    Cases 75 to 83: echo (RFC 4443 4.1, 4.2).
    """

    def assertEchoed(self, world: World, frame: bytes, **expected: object) -> None:
        """
        A request is answered with one reply of exactly these fields, the base's unless given.
        """
        fields = frames.EchoReply(
            linkDestination=ROUTER_LINK,
            linkSource=HOST_LINK,
            source=TARGET,
            destination=ROUTER,
            trafficClass=0,
            identifier=0x1234,
            sequence=7,
            data=b"abcdefgh",
        )._replace(**expected)
        verdict, reply = world.responder.frameReceived(frame, HOST, 0.0)
        self.assertIs(verdict, Verdict.ECHOED)
        assert reply is not None
        self.assertEqual(readEchoReply(reply), fields)

    def test_case75_replyComesFromTheTarget(self) -> None:
        """
        From inside and outside P: one reply, its source the address that was asked (RFC 4443 4.2).
        """
        world = World()
        for source in (ROUTER, GLOBAL_INSIDE, GLOBAL_OUTSIDE):
            frame = echoRequest(source=source)
            self.assertEchoed(world, frame, source="2001:db8:0:64::57:cafe", destination=source)
        self.assertEqual(world.responder.counters(), {"echoed": 3})

    def test_case75_goesBackToTheFrame(self) -> None:
        """
        The reply goes to the station that the request came from, with the request's traffic class.
        """
        frame = echoRequest(linkSource=OTHER_LINK, tc=0xB8)
        self.assertEchoed(World(), frame, linkDestination=OTHER_LINK, trafficClass=0xB8)

    def test_case77_othersAreNotOurs(self) -> None:
        """
        Echo to what is excluded, routed elsewhere, a gateway's, anycast, or outside gets nothing
        from us.
        """
        world = World(
            excluded=["2001:db8:0:64::e"],
            gateways=["2001:db8:0:64::1"],
            routed=["2001:db8:0:64:7::/80"],
            hosts=[PREFIX],
        )
        for destination in (
            "2001:db8:0:64::e",
            "2001:db8:0:64:7::cafe",
            "2001:db8:0:64::1",
            "2001:db8:0:64::",
            "2001:db8:0:64:fdff:ffff:ffff:ff80",
            "2001:db8:0:65::1",
            OUR_LINK_LOCAL,
        ):
            frame = echoRequest(destination)
            self.assertSilent(world, frame, Verdict.KERNELS_ECHO, HOST)
        self.assertEchoed(world, echoRequest())

    def test_case77_otherProtocols(self) -> None:
        """
        TCP to an excluded address gets nothing from us, nor does TCP to any other.
        """
        world = World(excluded=["2001:db8:0:64::e"])
        for destination in ("2001:db8:0:64::e", TARGET):
            frame = frames.tcp(destination, sourcePort=40_000)
            self.assertSilent(world, frame, Verdict.OTHER_TYPE, HOST)

    def test_case82_dataComesBack(self) -> None:
        """
        Data, identifier and sequence number come back unchanged, in even and odd lengths.
        """
        world = World()
        for length in (0, 1, 2, 3, 7, 8, 55, 56, 1_399, 1_400, 1_451, 1_452):
            data = bytes(i * 7 % 256 for i in range(length))
            for identifier, sequence in ((0, 0), (0xFFFF, 0xFFFF), (0x0102, length)):
                frame = echoRequest(data=data, identifier=identifier, sequence=sequence)
                self.assertEchoed(world, frame, data=data, identifier=identifier, sequence=sequence)

    def test_case82_paddingIsNoData(self) -> None:
        """
        Ethernet padding does not come back.
        """
        self.assertEchoed(World(), echoRequest(data=b"x", padding=b"\xee" * 9), data=b"x")

    def test_case83_hostsOwnAddress(self) -> None:
        """
        Echo to the host's own address inside P is the kernel's, on whichever interface it is, and
        from the moment that it is there.
        """
        for world in (World(interfaceAddresses=[TARGET]), World(hostAddresses=[TARGET])):
            self.assertSilent(world, echoRequest(), Verdict.KERNELS_ECHO, HOST)
        world = World()
        self.assertEchoed(world, echoRequest())
        added = dataclasses.replace(world, interfaceAddresses=[TARGET])
        world.tables.ownershipChanged(added.ownership())
        self.assertSilent(world, echoRequest(), Verdict.KERNELS_ECHO, HOST)
        world.tables.ownershipChanged(World().ownership())
        self.assertEchoed(world, echoRequest())

    def test_leftToTheKernel(self) -> None:
        """
        Without an echo of ours every request is the kernel's, and so is one behind a header.
        """
        world = World()
        for headers in (fragmentHeader(more=1), hopByHop(), destinationOptions(), routing()):
            frame = echoRequest(headers=headers)
            self.assertSilent(world, frame, Verdict.KERNELS_ECHO, HOST)
        neighbor = NeighborDiscovery(world.identity, world.tables)
        world.responder = Responder(world.identity, neighbor, None)
        self.assertSilent(world, echoRequest(), Verdict.KERNELS_ECHO, HOST)
        self.assertAdvertised(world, solicitation())

    def test_noAmplifier(self) -> None:
        """
        What was sent to a link-layer group, or comes from a group, :: or ::1, gets no reply (RFC
        4443 4.2, RFC 4291 2.7).
        """
        world = World()
        for packetType in (GROUP, BROADCAST):
            frame = echoRequest(linkDestination="33:33:00:00:00:01")
            self.assertSilent(world, frame, Verdict.LINK_LAYER_GROUP, packetType)
        for linkSource in ("33:33:00:00:00:01", "00:00:00:00:00:00"):
            frame = echoRequest(linkSource=linkSource)
            self.assertSilent(world, frame, Verdict.LINK_LAYER_ADDRESS, HOST)
        for source in ("ff02::1", "ff0e::1"):
            frame = echoRequest(source=source)
            self.assertSilent(world, frame, Verdict.MULTICAST_SOURCE, HOST)
        for source in ("::", "::1"):
            frame = echoRequest(source=source)
            self.assertSilent(world, frame, Verdict.SPECIAL_SOURCE, HOST)
        frame = echoRequest(source=TARGET)
        self.assertSilent(world, frame, Verdict.SOURCE_IS_TARGET, HOST)

    def test_malformedRequests(self) -> None:
        """
        A wrong checksum or another code gets no reply (RFC 4443 2.3, 4.1).
        """
        world = World()
        self.assertSilent(world, echoRequest(checksum=0), Verdict.CHECKSUM, HOST)
        self.assertSilent(world, echoRequest(code=1), Verdict.CODE, HOST)
