"""
What every link does, fake or real.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from prefix64.link.packet_socket import ILinkSocket
from tests.frames import ROUTER_LINK, linkBytes, solicitation

PACKET_HOST = 0
PACKET_MULTICAST = 2


class LinkSocketTestsMixin:
    """
    Tests of an L{ILinkSocket}, to be mixed into a C{SynchronousTestCase}. The link's interface has
    a peer, whose link-layer address is C{tests.frames.ROUTER_LINK} in all that it sends.

    A user says how to make the link, how the peer sends, and what it has got. On a real link others
    may be heard, the kernels of both ends among them: frames of theirs are passed over.
    """

    def makeLink(self) -> ILinkSocket:
        """
        Open a link whose filter lets all Neighbor Solicitations through; C{addCleanup} whatever has
        to be undone. Its link-layer address may be any: tests ask the link.
        """
        raise NotImplementedError

    def peerSends(self, frame: bytes) -> None:
        """
        Have the peer send a frame.
        """
        raise NotImplementedError

    def peerReceived(self, count: int) -> list[bytes]:
        """
        All frames that came to the peer so far, in order.

        @param count: how many from the link to wait for, in vain for a few seconds at most.
        """
        raise NotImplementedError

    def waitForFrame(self, link: ILinkSocket) -> None:
        """
        Wait until a frame has come, for a few seconds at most. In memory it has.
        """

    def received(self, link: ILinkSocket, count: int) -> list[tuple[bytes, int]]:
        """
        The next frames from the peer, with their packet types.
        """
        found: list[tuple[bytes, int]] = []
        while len(found) < count:
            try:
                frame, packetType = link.receive()
            except BlockingIOError:
                self.waitForFrame(link)
                frame, packetType = link.receive()
            if frame[6:12] == linkBytes(ROUTER_LINK):
                found.append((frame, packetType))
        return found

    def drained(self, link: ILinkSocket) -> None:
        """
        Read until nothing is left.

        @raise BlockingIOError: always.
        """
        while True:
            link.receive()

    def fromLink(self, link: ILinkSocket, number: int) -> bytes:
        """
        A frame to the peer that nobody answers: a solicitation for an address of its number.
        """
        return solicitation(
            f"2001:db8::{number:x}",
            destination=f"2001:db8::{number:x}",
            linkSource=link.linkLayerAddress.hex(":"),
            linkDestination=ROUTER_LINK,
        )

    def test_providesTheInterface(self) -> None:
        """
        It has all that L{ILinkSocket} names, its link-layer address among it.
        """
        link = self.makeLink()
        self.assertTrue(verifyObject(ILinkSocket, link))
        self.assertIsInstance(link.linkLayerAddress, bytes)
        self.assertEqual(len(link.linkLayerAddress), 6)
        self.assertEqual(link.linkLayerAddress[0] & 1, 0)
        self.assertIsInstance(link.fileno(), int)

    def test_emptyLinkWouldBlock(self) -> None:
        """
        A receive without a frame raises BlockingIOError, and does not wait.
        """
        link = self.makeLink()
        self.assertRaises(BlockingIOError, self.drained, link)
        self.assertRaises(BlockingIOError, self.drained, link)

    def test_framesComeWholeAndInOrder(self) -> None:
        """
        Frames are received from their link-layer header to their last byte, in the order in which
        they were sent, each once.
        """
        link = self.makeLink()
        sent = [
            solicitation(f"2001:db8::{number:x}", options=b"\x63\x01" + bytes(6) + options)
            for number, options in enumerate(
                (b"", b"\x63\x02" + bytes(14), b"\x63\x90" + bytes(1150))
            )
        ]
        for frame in sent:
            self.peerSends(frame)
        self.assertEqual([frame for frame, _ in self.received(link, len(sent))], sent)
        self.assertRaises(BlockingIOError, self.drained, link)

    def test_packetTypeOfAFrameToUs(self) -> None:
        """
        A frame to the link's own address has packet type 0 (packet(7)).
        """
        link = self.makeLink()
        self.peerSends(solicitation(linkDestination=link.linkLayerAddress.hex(":")))
        ((_, packetType),) = self.received(link, 1)
        self.assertEqual(packetType, PACKET_HOST)

    def test_framesAreSentAsTheyAre(self) -> None:
        """
        What is sent comes to the peer, byte for byte and in order.
        """
        link = self.makeLink()
        sent = [self.fromLink(link, number) for number in range(1, 5)]
        for frame in sent:
            link.send(frame)
        ours = [
            frame for frame in self.peerReceived(len(sent)) if frame[6:12] == link.linkLayerAddress
        ]
        self.assertEqual([frame for frame in ours if frame in sent], sent)

    def test_ownFramesDoNotComeBack(self) -> None:
        """
        What was sent is not received.
        """
        link = self.makeLink()
        frame = self.fromLink(link, 1)
        link.send(frame)
        self.peerReceived(1)
        self.peerSends(solicitation())
        self.assertEqual(self.received(link, 1)[0][0], solicitation())
        self.assertRaises(BlockingIOError, self.drained, link)

    def test_nothingIsDropped(self) -> None:
        """
        A link that keeps up has dropped nothing, and asking does not change that.
        """
        link = self.makeLink()
        self.peerSends(solicitation())
        self.received(link, 1)
        self.assertEqual((link.drops(), link.drops()), (0, 0))

    def test_closingTwice(self) -> None:
        """
        A link may be closed again; it has no descriptor then, and has dropped nothing.
        """
        link = self.makeLink()
        link.close()
        link.close()
        self.assertEqual(link.fileno(), -1)
        self.assertEqual(link.drops(), 0)

    def test_closedLinkRaises(self) -> None:
        """
        A closed link neither receives nor sends: both raise OSError, and not that it would block.
        """
        link = self.makeLink()
        frame = self.fromLink(link, 1)
        link.close()
        for error in (
            self.assertRaises(OSError, link.receive),
            self.assertRaises(OSError, link.send, frame),
        ):
            self.assertNotIsInstance(error, BlockingIOError)
