"""
The packet socket on a real link.
"""

from __future__ import annotations

import errno
import socket
from select import select
from typing import Any

from prefix64.addressing import parsePrefix
from prefix64.errors import InterfaceError
from prefix64.link.packet_socket import PacketSocket
from prefix64.link.socket_filter import icmpv6Filter
from tests.frames import linkBytes, solicitation
from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import (
    PREFIX,
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
        self.assertEqual(link.receive()[0], frame)
        self.assertRaises(BlockingIOError, link.receive)

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
            found.append(link.receive()[1])
        self.assertEqual(found, [2, 3, 0])

    def test_drops(self) -> None:
        """
        Frames that found no room are counted, once.
        """
        link = self.open()
        frame = solicitation(options=b"\x63\xaf" + bytes(1398))
        for _ in range(8000):
            self.peerSocket.send(frame)
        dropped = link.drops()
        self.assertGreater(dropped, 0)
        self.assertEqual(link.drops(), 0)
        received = 0
        while select([link], [], [], 0)[0]:
            received += link.receive()[0] == frame
        self.assertEqual(received + dropped, 8000)

    def test_linkGoesDown(self) -> None:
        """
        A link that goes down is one ENETDOWN in receiving, and an error in sending; when it comes
        up again the socket works as before.
        """
        link = self.open()
        self.host.ip("link set eth0 down")
        select([link], [], [], _SECONDS)
        error = self.assertRaises(OSError, link.receive)
        self.assertEqual(error.errno, errno.ENETDOWN)
        self.assertRaises(BlockingIOError, link.receive)
        error = self.assertRaises(OSError, link.send, solicitation())
        self.assertEqual(error.errno, errno.ENETDOWN)
        self.host.ip("link set eth0 up")
        eventually(lambda: "LOWER_UP" in self.peer.ip("link show dev eth0"))
        self.assertEqual(self.host.allmulti(), 1)
        self.peerSocket.send(solicitation())
        select([link], [], [], _SECONDS)
        self.assertEqual(link.receive()[0], solicitation())

    def test_interfaceIsDeleted(self) -> None:
        """
        After the interface is gone a send is an error, and closing is none.
        """
        link = self.open()
        self.host.ip("link del eth0")
        self.assertRaises(OSError, link.receive)
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
