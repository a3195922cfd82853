"""
What every link does, fake or real.
"""

from __future__ import annotations

import errno

from zope.interface.verify import verifyObject

from prefix64.link.packet_socket import USUAL_LENGTH, ILinkSocket
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
            came = link.receive(1)
            if not came:
                self.waitForFrame(link)
                came = link.receive(1)
                assert came, f"{len(found)} frames of {count}"
            found += [one for one in came if one[0][6:12] == linkBytes(ROUTER_LINK)]
        return found

    def assertNothingLeft(self, link: ILinkSocket) -> None:
        """
        No frame of the peer's is left, and asking does not wait.
        """
        while came := link.receive(64):
            assert all(frame[6:12] != linkBytes(ROUTER_LINK) for frame, _ in came), came

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

    def advertisement(self, link: ILinkSocket, number: int) -> bytes:
        """
        A frame of the length that most answers have, that nobody reads.
        """
        return (
            linkBytes(ROUTER_LINK)
            + link.linkLayerAddress
            + b"\x86\xdd"
            + number.to_bytes(4, "big").rjust(USUAL_LENGTH - 14, b"\0")
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

    def test_emptyLinkHasNothing(self) -> None:
        """
        A receive without a frame has none, and does not wait; nor is there an error to take.
        """
        link = self.makeLink()
        self.assertNothingLeft(link)
        self.assertNothingLeft(link)
        self.assertIsNone(link.takeError())

    def test_unread(self) -> None:
        """
        What has come and was not received is counted.
        """
        link = self.makeLink()
        self.peerSends(solicitation())
        self.waitForFrame(link)
        self.assertGreaterEqual(link.unread(), 1)
        self.received(link, 1)
        self.assertNothingLeft(link)
        self.assertEqual((link.unread(), link.isBound()), (0, True))

    def test_atMostSoMany(self) -> None:
        """
        No more frames are received than were asked for; the rest comes later.
        """
        link = self.makeLink()
        sent = [solicitation(f"2001:db8::{number:x}") for number in range(1, 8)]
        for frame in sent:
            self.peerSends(frame)
        found: list[bytes] = []
        while len(found) < len(sent):
            came = link.receive(3)
            self.assertLessEqual(len(came), 3)
            found += [frame for frame, _ in came if frame[6:12] == linkBytes(ROUTER_LINK)]
            if not came:
                self.waitForFrame(link)
        self.assertEqual(found, sent)

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
        self.assertNothingLeft(link)

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

    def test_framesAreSentTogether(self) -> None:
        """
        So does all that is sent at once, be it much, and of whatever length; each of the same
        length in its order.
        """
        link = self.makeLink()
        usual = [self.advertisement(link, number) for number in range(150)]
        others = [self.fromLink(link, 1), self.fromLink(link, 2) + bytes(900)]
        self.assertEqual(link.sendAll([*usual[:99], *others, *usual[99:]]), [])
        frames = [frame for frame in self.peerReceived(152) if frame[6:12] == link.linkLayerAddress]
        self.assertEqual([frame for frame in frames if frame in usual], usual)
        self.assertEqual([frame for frame in frames if frame in others], others)
        self.assertEqual(link.sendAll([]), [])

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
        self.assertNothingLeft(link)

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
        self.assertEqual((link.drops(), link.unread(), link.isBound()), (0, 0, False))

    def test_closedLinkRaises(self) -> None:
        """
        A closed link neither receives nor sends, nor has a filter: the error is EBADF.
        """
        link = self.makeLink()
        frame = self.fromLink(link, 1)
        link.close()
        for error in (
            self.assertRaises(OSError, link.receive, 1),
            self.assertRaises(OSError, link.send, frame),
            self.assertRaises(OSError, link.setFilter, bytes.fromhex("06000000ffffffff")),
            *link.sendAll([frame]),
        ):
            self.assertEqual(error.errno, errno.EBADF)
