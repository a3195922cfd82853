"""
The packet socket on a real link.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
from select import select
from typing import Any

from prefix64.addressing import parsePrefix
from prefix64.errors import InterfaceError
from prefix64.link.packet_socket import PacketSocket
from prefix64.link.receive_ring import SLOTS
from prefix64.link.socket_filter import icmpv6Filter
from tests.frames import linkBytes, solicitation
from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import (
    PREFIX,
    ROUTER_LAYER,
    SERVER_LAYER,
    Namespace,
    eventually,
    makeLink,
)
from tests.kernel.twistd import runWithout
from tests.link_contract import LinkSocketTestsMixin

FILTER = icmpv6Filter([parsePrefix(PREFIX)], True)
UNPRIVILEGED = """
from prefix64.errors import PrivilegeError
from prefix64.link.packet_socket import PacketSocket
try:
    PacketSocket("eth0", b"")
except PrivilegeError as error:
    print(error)
"""
_SECONDS = 5.0


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class LinkTestCase(KernelTestCase):
    """
    Two namespaces and a veth pair; nothing else is said on it.
    """

    def setUp(self) -> None:
        """
        Make them.
        """
        super().setUp()
        self.host, self.peer = Namespace("host"), Namespace("peer")
        for namespace in (self.host, self.peer):
            self.addCleanup(namespace.remove)
            namespace.make()
        makeLink(self.peer, self.host)
        with self.peer.entered():
            self.peerSocket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(0x86DD)
            )
            self.peerSocket.bind(("eth0", 0x86DD))
        self.addCleanup(self.peerSocket.close)

    def open(self, interface: str = "eth0", program: bytes = FILTER) -> PacketSocket:
        """
        Open the packet socket of the host.
        """
        with self.host.entered():
            link = PacketSocket(interface, program)
        self.addCleanup(link.close)
        return link


class PacketSocketContractTests(LinkSocketTestsMixin, LinkTestCase):
    """
    The contract of a link, kept by L{PacketSocket}.
    """

    def makeLink(self) -> PacketSocket:
        """
        See L{LinkSocketTestsMixin.makeLink}.
        """
        return self.open()

    def peerSends(self, frame: bytes) -> None:
        """
        See L{LinkSocketTestsMixin.peerSends}.
        """
        self.peerSocket.send(frame)

    def peerReceived(self, count: int) -> list[bytes]:
        """
        See L{LinkSocketTestsMixin.peerReceived}.
        """
        frames: list[bytes] = []
        while len(frames) < count and select([self.peerSocket], [], [], _SECONDS)[0]:
            frame = self.peerSocket.recv(65535)
            if frame[6:12] == linkBytes(SERVER_LAYER):
                frames.append(frame)
        return frames

    def waitForFrame(self, link: Any) -> None:
        """
        See L{LinkSocketTestsMixin.waitForFrame}.
        """
        select([link], [], [], _SECONDS)


class PacketSocketTests(LinkTestCase):
    """
    What only a real link does.
    """

    def test_linkLayerAddress(self) -> None:
        """
        It knows the interface's link-layer address.
        """
        self.assertEqual(self.open().linkLayerAddress, linkBytes(SERVER_LAYER))

    def test_allmulti(self) -> None:
        """
        All multicast is received while it is open, for each that is open, and no longer; the
        interface is never promiscuous.
        """
        self.assertEqual(self.host.allmulti(), 0)
        one, other = self.open(), self.open()
        self.assertEqual(self.host.allmulti(), 2)
        self.assertIn("promiscuity 0", self.host.ip("-d link show dev eth0"))
        one.close()
        self.assertEqual(self.host.allmulti(), 1)
        other.close()
        self.assertEqual(self.host.allmulti(), 0)

    def test_filter(self) -> None:
        """
        What nobody counts does not come through: what another program says, and a solicitation on
        another link.
        """
        link = self.open()
        frame = solicitation()
        tcp = frame[:20] + b"\x06" + frame[21:]
        ipv4 = frame[:12] + b"\x08\x00" + frame[14:]
        for sent in (tcp, ipv4, frame):
            self.peerSocket.send(sent)
        select([link], [], [], _SECONDS)
        self.assertEqual(link.receive(9), [(frame, 2)])

    def test_anotherFilter(self) -> None:
        """
        It takes the place of the one there was, and the socket stays open; one that is no program
        is refused, and changes nothing.
        """
        link = self.open(program=bytes.fromhex("0600000000000000"))  # ret #0
        self.peerSocket.send(solicitation())
        link.setFilter(FILTER)
        frame = solicitation("2001:db8::7")
        self.peerSocket.send(frame)
        select([link], [], [], _SECONDS)
        self.assertEqual(link.receive(9), [(frame, 2)])
        self.assertRaises(OSError, link.setFilter, bytes.fromhex("ffff0000ffffffff"))
        self.peerSocket.send(frame)
        select([link], [], [], _SECONDS)
        self.assertEqual(link.receive(9), [(frame, 2)])

    def test_packetTypes(self) -> None:
        """
        The kernel says whether a frame was for a group or for another host.
        """
        link = self.open()
        for destination in ("33:33:ff:00:00:01", "02:00:00:00:00:99", SERVER_LAYER):
            self.peerSocket.send(linkBytes(destination) + solicitation()[6:])
        found = []
        for _ in range(3):
            select([link], [], [], _SECONDS)
            found.append(link.receive(1)[0][1])
        self.assertEqual(found, [2, 3, 0])

    def test_framesThatDoNotFitIntoTheRing(self) -> None:
        """
        Those are received whole, between the others, in order, as are all that come while the ring
        goes round.
        """
        link = self.open()
        small = solicitation()
        large = [
            solicitation(options=b"\x63\xaf" + bytes([number]) * 1398) for number in range(1, 9)
        ]
        found: list[bytes] = []
        for turn in range(SLOTS // 1000 + 2):
            sent = [frame for big in large for frame in (small, big)] * 62
            for frame in sent:
                self.peerSocket.send(frame)
            while came := link.receive(50):
                found += [frame for frame, _ in came]
            self.assertEqual(found, sent, f"turn {turn}")
            found.clear()
        self.assertEqual(link.drops(), 0)

    def test_frameForAMacvlan(self) -> None:
        """
        A frame that the kernel takes over for an interface on top of this one is another host's.
        """
        self.host.ip("link add link eth0 name child type macvlan mode private")
        self.host.ip("link set dev child address 02:00:00:00:00:33 up")
        link = self.open()
        for destination in ("02:00:00:00:00:33", SERVER_LAYER):
            self.peerSocket.send(linkBytes(destination) + solicitation()[6:])
        eventually(lambda: link.unread() == 2)
        self.assertEqual([packetType for _, packetType in link.receive(9)], [3, 0])

    def test_noDescriptorIsLeft(self) -> None:
        """
        Too many open files: the error says so, and what was opened until then is closed.
        """
        with self.host.entered():
            before = set(os.listdir("/proc/self/fd"))
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            for free in range(2):
                highest = max(map(int, before)) + 1 + free
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest, limits[1]))
                try:
                    spare = self.fillDescriptors(free)
                    error = self.assertRaises(InterfaceError, PacketSocket, "eth0", FILTER)
                finally:
                    for descriptor in spare:
                        os.close(descriptor)
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                self.assertIn("Too many open files", str(error))
                self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.host.allmulti(), 0)

    @staticmethod
    def fillDescriptors(free: int) -> list[int]:
        """
        Open as many files as can be, but for a few.
        """
        spare: list[int] = []
        try:
            while True:
                spare.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            for _ in range(min(free, len(spare))):
                os.close(spare.pop())
        return spare

    def test_drops(self) -> None:
        """
        Frames that found no room are counted, once: in the ring, or, of those that do not fit into
        it, in the queue.
        """
        for frame in (solicitation(), solicitation(options=b"\x63\xaf" + bytes(1398))):
            link = self.open()
            count = SLOTS + 1000
            for _ in range(count):
                self.peerSocket.send(frame)
            received = 0
            while came := link.receive(64):
                received += sum(taken == frame for taken, _ in came)
            dropped = link.drops()
            self.assertGreater(dropped, 0)
            self.assertEqual(link.drops(), 0)
            self.assertEqual(received + dropped, count)
            self.peerSocket.send(frame)
            self.assertEqual([taken for taken, _ in link.receive(9)], [frame])
            link.close()

    def test_queueThatOverflowsStaysInStep(self) -> None:
        """
        Where the queue of those that do not fit into the ring has no room for some, each slot still
        has its own: all that is received comes in order, the small ones between the large.
        """
        link = self.open()
        small, large = solicitation(), solicitation(options=b"\x63\xaf" + bytes(1398))
        sent = [
            (large if number % 3 else small)[:-4] + number.to_bytes(4, "big")
            for number in range(1, SLOTS - 100)
        ]
        for turn in range(2):
            for frame in sent:
                self.peerSocket.send(frame)
            received: list[bytes] = []
            while came := link.receive(64):
                received += [frame for frame, _ in came]
            dropped = link.drops()
            self.assertGreater(dropped, 1000, turn)
            self.assertEqual(len(received) + dropped, len(sent))
            numbers = [int.from_bytes(frame[-4:], "big") for frame in received]
            self.assertEqual(numbers, sorted(set(numbers)))
            self.assertEqual(received, [sent[number - 1] for number in numbers])
            self.assertLess({n for n in range(1, len(sent)) if n % 3 == 0}, set(numbers))

    def test_manyFramesInOneCall(self) -> None:
        """
        What many have to be told goes out with one system call for 64 of them.
        """
        link = self.open()
        calls: list[int] = []
        send = link._batch._send

        def counted(descriptor: int, messages: int, count: int, flags: int) -> int:
            calls.append(send(descriptor, messages, count, flags))
            return calls[-1]

        self.patch(link._batch, "_send", counted)
        self.assertEqual(link.sendAll([self.usual(link)] * 150), [])
        self.assertEqual(calls, [64, 64, 22])

    def test_sendErrors(self) -> None:
        """
        Each frame that cannot be sent has an error, and the others are sent.
        """
        link = self.open()
        usual, long = self.usual(link), self.usual(link) + bytes(1500)
        (error,) = link.sendAll([usual, long, usual])
        self.assertEqual(error.errno, errno.EMSGSIZE)
        self.host.ip("link set eth0 down")
        errors = link.sendAll([usual] * 70)
        self.assertEqual([error.errno for error in errors], [errno.ENETDOWN] * 70)

    def usual(self, link: PacketSocket) -> bytes:
        """
        A frame of the usual length that nobody reads.
        """
        return linkBytes(ROUTER_LAYER) + link.linkLayerAddress + b"\x86\xdd" + bytes(72)

    def test_linkGoesDown(self) -> None:
        """
        A link that goes down is one ENETDOWN to take, and an error in sending; when it comes up
        again the socket works as before.
        """
        link = self.open()
        self.host.ip("link set eth0 down")
        select([link], [], [], _SECONDS)
        self.assertEqual(link.receive(9), [])
        error = link.takeError()
        self.assertEqual(error and error.errno, errno.ENETDOWN)
        self.assertIsNone(link.takeError())
        self.assertEqual(select([link], [], [], 0)[0], [])
        error = self.assertRaises(OSError, link.send, solicitation())
        self.assertEqual(error.errno, errno.ENETDOWN)
        self.host.ip("link set eth0 up")
        eventually(lambda: "LOWER_UP" in self.peer.ip("link show dev eth0"))
        self.assertEqual(self.host.allmulti(), 1)
        self.peerSocket.send(solicitation())
        select([link], [], [], _SECONDS)
        self.assertEqual([frame for frame, _ in link.receive(9)], [solicitation()])

    def test_interfaceIsDeleted(self) -> None:
        """
        After the interface is gone a send is an error, and closing is none.
        """
        link = self.open()
        self.host.ip("link del eth0")
        self.assertFalse(link.isBound())
        self.assertEqual(link.receive(9), [])
        self.assertIsNotNone(link.takeError())
        error = self.assertRaises(OSError, link.send, solicitation())
        self.assertIn(error.errno, (errno.ENXIO, errno.ENODEV))
        link.close()

    def test_tooLong(self) -> None:
        """
        A frame over the MTU is refused.
        """
        error = self.assertRaises(OSError, self.open().send, solicitation() + bytes(1500))
        self.assertEqual(error.errno, errno.EMSGSIZE)

    def test_refusedInterfaces(self) -> None:
        """
        An interface that is missing, or is not Ethernet, is an error that names it.
        """
        error = self.assertRaises(InterfaceError, self.open, "none0")
        self.assertEqual(str(error), "interface 'none0': no packet socket: No such device")
        error = self.assertRaises(InterfaceError, self.open, "lo")
        self.assertIn("interface 'lo' is not Ethernet", str(error))
        self.assertEqual(self.host.allmulti("lo"), 0)

    def test_missingPrivilege(self) -> None:
        """
        Without CAP_NET_RAW, the error names it.
        """
        said = runWithout(self.host, "net_raw", UNPRIVILEGED)
        self.assertEqual(said, "a packet socket needs CAP_NET_RAW: run it as root (sudo)\n")
