"""
Any bytes into the responder, against a second reading of RFC 4861 7.1.1 and RFC 4443 4.1 that
shares no code with the first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, IPv6Network

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.neighbor import DadPolicy, LinkIdentity, NeighborDiscovery
from prefix64.icmpv6.responder import Responder
from prefix64.icmpv6.verdicts import Verdict
from prefix64.ownership import Ownership
from tests import frames
from tests.frames import (
    HOST_LINK,
    PREFIX,
    ROUTER,
    TARGET,
    destinationOptions,
    echoRequest,
    fragmentHeader,
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

repeatable = settings(max_examples=200, deadline=None, derandomize=True)

HOST, BROADCAST, GROUP, OTHER_HOST, OUTGOING = range(5)
OWN = "2001:db8:0:64::1"
EXCLUDED = "2001:db8:0:64:e::/80"
LISTED = "2001:db8:0:64::57:0/112"
UNLISTED = "2001:db8:0:64:1234:5678:9abc:def0"

packetTypes = st.sampled_from((HOST, GROUP, BROADCAST, OTHER_HOST, OUTGOING))


def responder(dad: DadPolicy = DadPolicy.DEFEND) -> Responder:
    """
    One that serves P, less an address of its own and an excluded /80.
    """
    own = frozenset([parseAddress(OWN)])
    ownership = Ownership((parsePrefix(PREFIX),), (parsePrefix(EXCLUDED),), own, own)
    tables = CurrentTable(HostTable(ownership, [Host(parsePrefix(LISTED), WelcomeSite())]))
    identity = LinkIdentity(linkBytes(HOST_LINK), b"\xfe\x80" + bytes(13) + b"\1")
    return Responder(identity, NeighborDiscovery(identity, tables, dad), Echo(identity, tables))


# The second reading.


@dataclass(frozen=True)
class Packet:
    """
    An IPv6 packet on Ethernet whose lengths are right, and whose payload is ICMPv6 at once.
    """

    linkSource: bytes
    hopLimit: int
    source: IPv6Address
    destination: IPv6Address
    message: bytes

    @property
    def hasRightChecksum(self) -> bool:
        """
        RFC 4443 2.3, by the words of RFC 1071: all ones, when the checksum itself is added too.
        """
        covered = struct.pack(
            "!16s16sIxxxB", self.source.packed, self.destination.packed, len(self.message), 58
        )
        covered += self.message + b"\0" * (len(self.message) % 2)
        total = 0
        for (word,) in struct.iter_unpack("!H", covered):
            total += word
            total = (total & 0xFFFF) + (total >> 16)
        return total == 0xFFFF


def parse(frame: bytes) -> Packet | None:
    """
    Read a frame (RFC 2464 3, RFC 8200 3); L{None} for what is not an ICMPv6 packet in it.
    """
    if len(frame) < 54:
        return None
    _, linkSource, etherType, first, length, following, hopLimit, source, destination = (
        struct.unpack("!6s6sHIHBB16s16s", frame[:54])
    )
    payload = frame[54 : 54 + length]
    if etherType != 0x86DD or first >> 28 != 6 or following != 58 or len(payload) != length:
        return None
    return Packet(linkSource, hopLimit, IPv6Address(source), IPv6Address(destination), payload)


def optionsOf(message: bytes) -> list[tuple[int, bytes]] | None:
    """
    The options behind a target (4.6); L{None} if one has length 0, or they do not fill the message.
    """
    found, rest = [], message[24:]
    while rest:
        size = rest[1] * 8 if len(rest) > 1 else 0
        if size == 0 or size > len(rest):
            return None
        found.append((rest[0], rest[2:size]))
        rest = rest[size:]
    return found


def isValidSolicitation(packet: Packet | None) -> bool:
    """
    All that RFC 4861 7.1.1 demands, in its order.
    """
    if packet is None or packet.message[:1] != b"\x87":
        return False
    if packet.hopLimit != 255 or not packet.hasRightChecksum:
        return False
    if len(packet.message) < 24 or packet.message[1] != 0:
        return False
    target, options = IPv6Address(packet.message[8:24]), optionsOf(packet.message)
    if target.is_multicast or options is None:
        return False
    if packet.source == IPv6Address("::"):
        isGroup = packet.destination in IPv6Network("ff02::1:ff00:0/104")
        return isGroup and all(kind != 1 for kind, _ in options)
    return True


def isValidEchoRequest(packet: Packet | None) -> bool:
    """
    What RFC 4443 4.1 says that a request is.
    """
    return (
        packet is not None
        and len(packet.message) >= 8
        and packet.message[:2] == b"\x80\0"
        and packet.hasRightChecksum
    )


def isOurs(address: IPv6Address) -> bool:
    """
    Whether the responder's address it is, by the words of the standards for anycast addresses.
    """
    identifier = int(address) & 0xFFFF_FFFF_FFFF_FFFF
    return (
        address in IPv6Network(PREFIX)
        and address not in IPv6Network(EXCLUDED)
        and address != IPv6Address(OWN)
        and identifier != 0
        and not 0xFDFF_FFFF_FFFF_FF80 <= identifier <= 0xFDFF_FFFF_FFFF_FFFF
    )


def isStation(linkLayerAddress: bytes) -> bool:
    """
    Whether it is another station's address: Ethernet's, no group, not zero, not ours.
    """
    return (
        len(linkLayerAddress) == 6
        and linkLayerAddress[0] % 2 == 0
        and linkLayerAddress not in (bytes(6), linkBytes(HOST_LINK))
    )


def isOddSource(packet: Packet, target: IPv6Address) -> bool:
    """
    Whether the source is none that can be answered to.
    """
    return packet.source.is_multicast or packet.source in (IPv6Address("::1"), target)


def solicitorOf(packet: Packet) -> bytes:
    """
    The link-layer address of who asks: that of the first option of type 1, or the frame's.
    """
    options = optionsOf(packet.message) or []
    return next((value for kind, value in options if kind == 1), packet.linkSource)


def mustAdvertise(packet: Packet | None) -> bool:
    """
    Whether a frame for us is a solicitation that has to be answered.
    """
    if not isValidSolicitation(packet):
        return False
    assert packet is not None
    target = IPv6Address(packet.message[8:24])
    group = IPv6Address(int(IPv6Address("ff02::1:ff00:0")) + int(target) % (1 << 24))
    if packet.destination != group and packet.destination.is_multicast:
        return False
    if not isOurs(target) or isOddSource(packet, target):
        return False
    if packet.source == IPv6Address("::"):
        return packet.destination == group
    return isStation(solicitorOf(packet))


def mustEcho(packet: Packet | None) -> bool:
    """
    Whether a frame that was sent to H is an echo request that has to be answered.
    """
    if not isValidEchoRequest(packet):
        return False
    assert packet is not None
    return (
        isOurs(packet.destination)
        and not isOddSource(packet, packet.destination)
        and packet.source != IPv6Address("::")
        and packet.linkSource[0] % 2 == 0
        and packet.linkSource != bytes(6)
    )


def isForUs(frame: bytes, packetType: int) -> bool:
    """
    Whether a frame is not another host's, and not our own.
    """
    return packetType < OTHER_HOST and frame[6:12] != linkBytes(HOST_LINK)


# What is fed in.


@cache
def validFrames() -> tuple[bytes, ...]:
    """
    Frames of every kind that the filter lets through, well-formed.
    """
    s = scapy()
    redirect = s.ICMPv6ND_Redirect(tgt=TARGET, dst=TARGET)
    return (
        solicitation(),
        solicitation(UNLISTED),
        solicitation(destination=TARGET),
        solicitation(destination=TARGET, options=b""),
        solicitation(options=unknownOption(14, b"nonces") + sllao()),
        solicitation(options=unknownOption(77, bytes(126)) + sllao()),
        probe(),
        probe(UNLISTED, options=unknownOption(14, b"nonces")),
        solicitation(OWN),
        solicitation("2001:db8:0:64:e::1"),
        solicitation("2001:db8:0:64::"),
        echoRequest(),
        echoRequest(data=b"odd"),
        echoRequest(UNLISTED, source="2001:db8:0:64::9", data=bytes(200)),
        echoRequest(OWN),
        echoRequest("2001:db8:0:64:e::1"),
        frames.advertisement(),
        frames.tcp(),
        frames.frame(redirect, ROUTER, "ff02::1", hlim=255),
        solicitation(headers=fragmentHeader()),
        solicitation(headers=hopByHop()),
        echoRequest(headers=destinationOptions()),
        echoRequest(headers=hopByHop() / fragmentHeader(more=1)),
        echoRequest(headers=routing()),
    )


positions = st.integers(0, 110)
mutations = st.one_of(
    st.tuples(st.just("set"), positions, st.binary(min_size=1, max_size=1)),
    st.tuples(st.just("set"), positions, st.sampled_from((b"\0", b"\xff", b"\x80", b"\x87"))),
    st.tuples(st.just("set"), st.integers(20, 62), st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("insert"), positions, st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("cut"), positions, st.just(b"")),
    st.tuples(st.just("append"), positions, st.binary(min_size=1, max_size=24)),
)


def mutated(frame: bytes, what: str, position: int, data: bytes) -> bytes:
    """
    Spoil a frame in one place.
    """
    position %= len(frame) + 1
    if what == "cut":
        return frame[:position]
    if what == "append":
        return frame + data
    behind = position if what == "insert" else position + len(data)
    return frame[:position] + data + frame[behind:]


def repaired(frame: bytes, length: int | None) -> bytes:
    """
    Make a spoiled frame's length and checksum right again, so that what is wrong with it is found
    behind them. A message too short for a checksum gets a source that makes it right.

    @param length: the payload length to have, or C{None} for all that there is.
    """
    if len(frame) < 55:
        return frame
    length = len(frame) - 54 if length is None else 1 + length % (len(frame) - 54)
    frame = frame[:18] + length.to_bytes(2, "big") + frame[20:]
    at = 56 if length >= 4 else 36
    frame = frame[:at] + b"\0\0" + frame[at + 2 :]
    words = frame[22:54] + frame[54 : 54 + length] + b"\0" * (length % 2)
    total = sum(word for (word,) in struct.iter_unpack("!H", words)) + length + 58
    missing = 0xFFFF - total % 0xFFFF
    return frame[:at] + missing.to_bytes(2, "big") + frame[at + 2 :]


@st.composite
def spoiledFrames(draw: st.DrawFn) -> bytes:
    """
    Valid frames with up to four mutations, often with length and checksum right again.
    """
    frame = draw(st.sampled_from(validFrames()))
    for mutation in draw(st.lists(mutations, max_size=4)):
        frame = mutated(frame, *mutation)
    if draw(st.booleans()):
        frame = repaired(frame, draw(st.none() | st.integers(0, 200)))
    return frame


class FuzzTestCase(SynchronousTestCase):
    """
    What has to be true of every frame.
    """

    def check(self, frame: bytes, packetType: int) -> Verdict:
        """
        The verdict is the second reading's, the counters have it, and a reply is well-formed.
        """
        one = responder()
        verdict, reply = one.frameReceived(frame, packetType, 0.0)
        self.assertIsInstance(verdict, Verdict)
        self.assertEqual(sum(one.counts), 1)
        self.assertEqual(one.counts[verdict], 1)
        self.assertEqual(reply is not None, verdict.answered)
        packet = parse(frame) if isForUs(frame, packetType) else None
        expected: tuple[Verdict, ...] = ()
        if mustAdvertise(packet):
            assert packet is not None
            isProbe = packet.source == IPv6Address("::")
            expected = (Verdict.DEFENDED if isProbe else Verdict.ADVERTISED,)
        elif mustEcho(packet) and packetType == HOST:
            expected = (Verdict.ECHOED,)
        self.assertEqual((verdict,) if verdict.answered else (), expected)
        if reply is not None:
            assert packet is not None
            self.checkReply(packet, verdict, reply)
        return verdict

    def checkReply(self, packet: Packet, verdict: Verdict, reply: bytes) -> None:
        """
        A reply is one that the standards know, goes to who asked, and is about what he asked.
        """
        if verdict is Verdict.ECHOED:
            self.assertTrue(isValidEchoRequest(packet))
            echoed = readEchoReply(reply)
            self.assertEqual(IPv6Address(echoed.source), packet.destination)
            self.assertEqual(IPv6Address(echoed.destination), packet.source)
            self.assertEqual(reply[58:], packet.message[4:])
            self.assertEqual((reply[:6], reply[6:12]), (packet.linkSource, linkBytes(HOST_LINK)))
            return
        self.assertTrue(isValidSolicitation(packet))
        one = readAdvertisement(reply)
        self.assertEqual(IPv6Address(one.target).packed, packet.message[8:24])
        self.assertEqual((one.source, one.hopLimit), (one.target, 255))
        self.assertEqual((one.linkSource, one.targetLinkLayer), (HOST_LINK, HOST_LINK))
        override = 0x20 * (IPv6Address(one.target) in IPv6Network(LISTED))
        if verdict is Verdict.DEFENDED:
            self.assertEqual((one.destination, one.flags), ("ff02::1", override))
            self.assertEqual(one.linkDestination, "33:33:00:00:00:01")
        else:
            self.assertEqual(IPv6Address(one.destination), packet.source)
            self.assertEqual(one.flags, 0x40 | override)
            self.assertEqual(linkBytes(one.linkDestination), solicitorOf(packet))


class AnyBytesTests(FuzzTestCase):
    """
    Frames that nobody made.
    """

    @repeatable
    @given(st.binary(max_size=160), packetTypes)
    def test_anyBytesGetAVerdict(self, data: bytes, packetType: int) -> None:
        """
        Any bytes get one verdict, and no reply but to what 7.1.1 lets pass.
        """
        self.check(data, packetType)

    @repeatable
    @given(st.sampled_from((58, 58, 0, 43, 44, 60, 6)), st.binary(min_size=1, max_size=120))
    def test_anyPayloadGetsAVerdict(self, nextHeader: int, payload: bytes) -> None:
        """
        Any payload, under an IPv6 header that is right, gets one verdict.
        """
        head = validFrames()[0][:54]
        frame = head[:20] + bytes([nextHeader]) + head[21:] + payload
        self.check(repaired(frame, None), HOST)

    @settings(repeatable, max_examples=1_000)
    @given(
        st.sampled_from((0x80, 0x87)),
        st.sampled_from((0, 0, 0, 1)),
        st.binary(min_size=4, max_size=4),
        st.sampled_from((TARGET, UNLISTED, OWN, "2001:db8:0:65::1", "ff02::1", "fe80::1", "::")),
        st.binary(max_size=40),
        packetTypes,
    )
    def test_anyOptionsGetAVerdict(
        self, kind: int, code: int, reserved: bytes, target: str, rest: bytes, packetType: int
    ) -> None:
        """
        Any bytes behind a target get one verdict, and reserved ones are ignored (4.3).
        """
        head = validFrames()[0][:54]
        message = bytes([kind, code, 0, 0]) + reserved + IPv6Address(target).packed + rest
        self.check(repaired(head + message, None), packetType)


class SpoiledFramesTests(FuzzTestCase):
    """
    Frames that somebody spoiled.
    """

    def test_validFramesAreAnsweredOrNot(self) -> None:
        """
        The two readings agree on the frames that all others are made of, and both answer some.
        """
        verdicts = [self.check(frame, HOST) for frame in validFrames()]
        self.assertEqual(verdicts.count(Verdict.ADVERTISED), 6)
        self.assertEqual(verdicts.count(Verdict.DEFENDED), 2)
        self.assertEqual(verdicts.count(Verdict.ECHOED), 3)

    @settings(repeatable, max_examples=3_000)
    @given(spoiledFrames(), packetTypes)
    @example(b"", HOST)
    def test_spoiledFramesGetTheRightVerdict(self, frame: bytes, packetType: int) -> None:
        """
        What RFC 4861 7.1.1 or RFC 4443 refuses gets no reply; what they do not, and that is for P,
        gets the right one.
        """
        self.check(frame, packetType)

    def test_everyBitMatters(self) -> None:
        """
        A base solicitation, a probe and an echo request with any one bit changed, with the checksum
        left as it was and with one made right again.
        """
        for base in (validFrames()[0], validFrames()[6], validFrames()[11]):
            for bit in range(len(base) * 8):
                frame = bytearray(base)
                frame[bit // 8] ^= 1 << bit % 8
                self.check(bytes(frame), HOST)
                self.check(repaired(bytes(frame), None), HOST)

    def test_everyLengthIsReadToItsEnd(self) -> None:
        """
        Every payload length of every frame, with a right checksum: also of messages that have none.
        """
        for base in validFrames():
            for length in range(len(base) - 54):
                self.check(repaired(base, length), HOST)
