"""
What the doctor remembers of the link; the filter of its socket in the real kernel.
"""

from __future__ import annotations

import socket

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.doctor import observation
from prefix64.doctor.listening import filterProgram
from prefix64.doctor.observation import Observer, firstWords
from prefix64.doctor.switches import joinedGroups
from prefix64.icmpv6.packets import PACKET_OUTGOING
from prefix64.link.packet_socket import attachFilter
from prefix64.ownership import Ownership
from tests.frames import (
    HOST_LINK,
    PREFIX,
    ROUTER,
    ROUTER_LINK,
    TARGET,
    addressBytes,
    advertisement,
    destinationOptions,
    echoRequest,
    frame,
    groupOf,
    hopByHop,
    linkBytes,
    probe,
    scapy,
    solicitation,
    tcp,
)

MULTICAST, HOST = 2, 0
"""Packet types: to a group, and to us (packet(7))."""


def query(headers: bool = True) -> bytes:
    """
    An MLD query; without its Hop-by-Hop Options header it is none.
    """
    message = scapy().ICMPv6MLQuery2()
    return frame(message, ROUTER, "ff02::1", headers=hopByHop() if headers else None, hlim=1)


class ObserverTests(SynchronousTestCase):
    """
    What counts, and what does not.
    """

    def setUp(self) -> None:
        excluded = parsePrefix("2001:db8:0:64::ee")
        ownership = Ownership((parsePrefix(PREFIX),), (excluded,))
        self.observer = Observer(ownership, linkBytes(HOST_LINK))
        self.seen = self.observer.observation
        self.target = parseAddress(TARGET)

    def test_aGroupThatWasJoined(self) -> None:
        """
        Solicitations to it say nothing of those that nobody joined.
        """
        group = addressBytes(groupOf(TARGET))
        observer = Observer(Ownership((parsePrefix(PREFIX),)), linkBytes(HOST_LINK), {group})
        for target in (TARGET, "2001:db8:0:64::99"):
            observer.frameSeen(solicitation(target), MULTICAST)
        seen = observer.observation
        self.assertEqual((seen.solicitations, seen.multicast), (2, 1))

    def test_joinedGroupsAreTheKernels(self) -> None:
        """
        Every interface with IPv6 is a member of all nodes (RFC 4291 2.8).
        """
        self.assertIn(addressBytes("ff02::1"), joinedGroups("lo"))
        self.assertEqual(joinedGroups("none0"), frozenset())

    def test_aSolicitation(self) -> None:
        """
        It is counted, and the first one is the example.
        """
        self.observer.frameSeen(solicitation(), MULTICAST)
        self.observer.frameSeen(solicitation(source="2001:db8:9::1"), MULTICAST)
        self.observer.frameSeen(solicitation(destination=TARGET), HOST)
        self.assertEqual((self.seen.solicitations, self.seen.multicast), (3, 2))
        self.assertEqual(self.seen.solicited, {self.target: 3})
        self.assertEqual(
            self.seen.example, (self.target, parseAddress(ROUTER), linkBytes(ROUTER_LINK))
        )

    def test_notForUs(self) -> None:
        """
        Other prefixes, excluded and anycast addresses, and probes, which need no answer.
        """
        for other in (
            solicitation("2001:db8:0:65::1"),
            solicitation("2001:db8:0:64::ee"),
            solicitation("2001:db8:0:64::"),
            probe(),
        ):
            self.observer.frameSeen(other, MULTICAST)
        self.assertEqual((self.seen.solicitations, self.seen.otherSolicitations), (0, 4))

    def test_malformed(self) -> None:
        """
        By its reason it is neither.
        """
        for bad in (solicitation(hopLimit=64), solicitation(checksum=1), advertisement(hopLimit=1)):
            self.observer.frameSeen(bad, MULTICAST)
        self.assertEqual((self.seen.malformed, self.seen.solicitations), (3, 0))

    def test_anAnswer(self) -> None:
        """
        One that leaves, for what was asked for; also after the time for questions is over.
        """
        self.observer.frameSeen(solicitation(), MULTICAST)
        self.observer.closing = True
        self.observer.frameSeen(advertisement(linkSource=HOST_LINK), PACKET_OUTGOING)
        self.observer.frameSeen(solicitation("2001:db8:0:64::2"), MULTICAST)
        unasked = advertisement("2001:db8:0:64::3", linkSource=HOST_LINK)
        self.observer.frameSeen(unasked, PACKET_OUTGOING)
        self.assertEqual(self.seen.answered, {self.target: 1})
        self.assertEqual(self.seen.solicitations, 1)
        self.assertEqual(self.seen.advertisedByOthers, {})

    def test_ourOwnAddressComesIn(self) -> None:
        """
        Forged, or our own frame come back: it is nobody's.
        """
        for ours in (solicitation(linkSource=HOST_LINK), advertisement(linkSource=HOST_LINK)):
            self.observer.frameSeen(ours, MULTICAST)
        self.assertEqual(self.seen.solicitations, 0)
        self.assertEqual(self.seen.advertisedByOthers, {})

    def test_anotherMachineAdvertises(self) -> None:
        """
        Only for addresses that are ours to answer for.
        """
        for target in (TARGET, "2001:db8:0:65::1", "2001:db8:0:64::ee"):
            self.observer.frameSeen(advertisement(target), MULTICAST)
        self.assertEqual(self.seen.advertisedByOthers, {self.target: linkBytes(ROUTER_LINK)})

    def test_theAddressOfAnotherMachineIsNotAskedOfUs(self) -> None:
        """
        Once it was the source of a solicitation, or was advertised with the Override flag.
        """
        self.observer.frameSeen(solicitation("2001:db8:0:64::2", source=TARGET), MULTICAST)
        self.observer.frameSeen(solicitation(), MULTICAST)
        self.observer.frameSeen(advertisement("2001:db8:0:64::3", override=1), MULTICAST)
        self.observer.frameSeen(solicitation("2001:db8:0:64::3"), MULTICAST)
        self.observer.frameSeen(advertisement("2001:db8:0:64::4", override=0), MULTICAST)
        self.observer.frameSeen(solicitation("2001:db8:0:64::4"), MULTICAST)
        self.assertEqual((self.seen.solicitations, self.seen.otherSolicitations), (2, 2))

    def test_packetsForThePrefix(self) -> None:
        """
        Those that come in, not those that leave, nor those for other prefixes.
        """
        self.observer.frameSeen(tcp(), HOST)
        self.observer.frameSeen(echoRequest(), HOST)
        self.observer.frameSeen(tcp("2001:db8:0:65::1"), HOST)
        self.observer.frameSeen(tcp(), PACKET_OUTGOING)
        self.assertEqual(self.seen.arriving, 2)

    def test_aQuerier(self) -> None:
        """
        A query of another's, with the header that it must have.
        """
        self.observer.frameSeen(query(headers=False), MULTICAST)
        self.observer.frameSeen(query(), PACKET_OUTGOING)
        self.assertIsNone(self.seen.querier)
        self.observer.frameSeen(query(), MULTICAST)
        self.assertEqual(self.seen.querier, (parseAddress(ROUTER), linkBytes(ROUTER_LINK)))

    def test_memoryIsBounded(self) -> None:
        """
        However many addresses are asked for or advertised.
        """
        self.patch(observation, "MOST_REMEMBERED", 4)
        for number in range(1, 9):
            self.observer.frameSeen(solicitation(f"2001:db8:0:64::57:{number:x}"), MULTICAST)
            self.observer.frameSeen(advertisement(f"2001:db8:0:64::58:{number:x}"), MULTICAST)
        self.assertEqual((self.seen.solicitations, len(self.seen.solicited)), (8, 4))
        self.assertEqual(len(self.seen.advertisedByOthers), 4)
        self.assertEqual(len(self.seen.usedByOthers), 4)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.binary(max_size=120), st.integers(0, 4), st.booleans())
    def test_anyBytes(self, noise: bytes, packetType: int, likely: bool) -> None:
        """
        Nothing that comes is an exception.
        """
        self.observer.frameSeen(
            solicitation()[: len(noise)] + noise if likely else noise, packetType
        )


class FilterTests(SynchronousTestCase):
    """
    The program on one end of a pair of UNIX sockets.
    """

    def setUp(self) -> None:
        self.sender, self.receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)
        self.addCleanup(self.receiver.close)
        self.receiver.setblocking(False)
        attachFilter(self.receiver, filterProgram(firstWords([parsePrefix(PREFIX)])))

    def passes(self, packet: bytes) -> bool:
        """
        Tell whether a frame comes through.
        """
        self.sender.send(packet)
        try:
            return self.receiver.recv(4096) == packet
        except BlockingIOError:
            return False

    def test_whatIsLookedAtPasses(self) -> None:
        """
        Discovery for whatever address, queries, and packets to the prefix of any kind.
        """
        elsewhere = "2001:db9::1"
        for packet in (
            solicitation(),
            solicitation(elsewhere),
            advertisement(elsewhere),
            query(),
            tcp(),
            echoRequest(),
            echoRequest(headers=destinationOptions()),
        ):
            self.assertTrue(self.passes(packet), packet.hex())

    def test_theRestDoesNot(self) -> None:
        """
        Other destinations, other types, other protocols, short frames.
        """
        elsewhere = "2001:db9::1"
        ipv4 = b"\0" * 12 + b"\x08\0" + b"\x45" + b"\0" * 60
        tagged = solicitation()[:12] + b"\x81\0\0\x07" + solicitation()[12:]
        for packet in (
            tcp(elsewhere),
            echoRequest(elsewhere),
            echoRequest(elsewhere, headers=hopByHop()),
            query(headers=False),
            ipv4,
            tagged,
            solicitation()[:40],
            b"",
        ):
            self.assertFalse(self.passes(packet), packet.hex())

    def test_manyPrefixes(self) -> None:
        """
        The most that can be served.
        """
        prefixes = [parsePrefix(f"2001:{number:x}::/32") for number in range(1, 65)]
        attachFilter(self.receiver, filterProgram(firstWords(prefixes)))
        self.assertTrue(self.passes(tcp("2001:1::1")))
        self.assertTrue(self.passes(tcp("2001:40::1")))
        self.assertFalse(self.passes(tcp("2001:41::1")))
        self.assertTrue(self.passes(solicitation("2001:db8::1")))
