"""
A second reading of RFC 4861 7.1.1 and RFC 4443 4.1, which shares no code with the first, and a
responder that it is held against.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.icmpv6.echo import Echo
from prefix64.icmpv6.neighbor import LinkIdentity, NeighborDiscovery
from prefix64.icmpv6.policies import DadPolicy
from prefix64.icmpv6.responder import Responder
from prefix64.icmpv6.verdicts import Verdict
from prefix64.ownership import Ownership
from tests.frames import HOST_LINK, PREFIX, linkBytes

HOST, BROADCAST, GROUP, OTHER_HOST, OUTGOING = range(5)
"""The packet types of packet(7)."""

OWN = "2001:db8:0:64::1"
EXCLUDED = "2001:db8:0:64:e::/80"
LISTED = "2001:db8:0:64::57:0/112"


def responder(dad: DadPolicy = DadPolicy.DEFEND) -> Responder:
    """
    One that serves P, less an address of its own and an excluded /80.
    """
    own = frozenset([parseAddress(OWN)])
    ownership = Ownership((parsePrefix(PREFIX),), (parsePrefix(EXCLUDED),), own, own)
    tables = CurrentTable(HostTable(ownership, [Host(parsePrefix(LISTED), WelcomeSite())]))
    identity = LinkIdentity(linkBytes(HOST_LINK), b"\xfe\x80" + bytes(13) + b"\1")
    neighbor = NeighborDiscovery(identity, tables, dad)
    return Responder(identity, neighbor, Echo(neighbor))


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


def isRightReply(packet: Packet, verdict: Verdict, frame: bytes) -> bool:
    """
    Whether a reply is one that the standards know, goes to who asked, and is about what he asked.
    """
    reply = parse(frame)
    if reply is None or not reply.hasRightChecksum or reply.linkSource != linkBytes(HOST_LINK):
        return False
    if verdict is Verdict.ECHOED:
        return (
            reply.message == b"\x81\0" + reply.message[2:4] + packet.message[4:]
            and (reply.source, reply.destination) == (packet.destination, packet.source)
            and frame[:6] == packet.linkSource
        )
    target = packet.message[8:24]
    probed = verdict is Verdict.DEFENDED
    flags = 0x20 * (IPv6Address(target) in IPv6Network(LISTED)) | 0x40 * (not probed)
    message = bytes((flags, 0, 0, 0)) + target + b"\x02\x01" + linkBytes(HOST_LINK)
    return (
        reply.message == b"\x88\0" + reply.message[2:4] + message
        and reply.hopLimit == 255
        and reply.source.packed == target
        and reply.destination == (IPv6Address("ff02::1") if probed else packet.source)
        and frame[:6] == (bytes.fromhex("333300000001") if probed else solicitorOf(packet))
    )


def hold(frame: bytes, packetType: int) -> Verdict:
    """
    Hold the responder's decision about a frame against the second reading, by both of its paths.

    @return: the verdict.
    @raise AssertionError: they differ.
    """
    one, other = responder(), responder()
    verdict, reply = one.frameReceived(frame, packetType, 0.0)
    assert one.counters() == {verdict.name.lower(): 1}, one.counters()
    assert (reply is not None) == verdict.answered, verdict
    replies = other.framesReceived([(frame, packetType)], 0.0)
    assert replies == ([] if reply is None else [reply]), replies
    assert other.counters() == one.counters(), other.counters()
    packet = parse(frame) if isForUs(frame, packetType) else None
    expected = None
    if packet is not None and mustAdvertise(packet):
        isProbe = packet.source == IPv6Address("::")
        expected = Verdict.DEFENDED if isProbe else Verdict.ADVERTISED
    elif packet is not None and mustEcho(packet) and packetType == HOST:
        expected = Verdict.ECHOED
    assert (verdict if verdict.answered else None) is expected, (verdict, expected)
    if reply is not None:
        assert packet is not None
        assert isRightReply(packet, verdict, reply), reply.hex()
    return verdict
