"""
The public fakes: they are what they stand for.
"""

from __future__ import annotations

import errno

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from prefix64.link.packet_socket import ILinkSocket, PacketSocket
from prefix64.routing.guard import Guard, GuardKind, IGuard
from prefix64.routing.kernel import IRoutingKernel, RoutingKernel
from prefix64.testing import MemoryGuard, MemoryKernel, MemoryLink
from tests.frames import HOST_LINK, linkBytes
from tests.link_contract import LinkSocketTestsMixin


class InterfaceTests(SynchronousTestCase):
    """
    Fake and real thing provide the same interface.
    """

    def test_fakesProvideTheirInterfaces(self) -> None:
        """
        A fake has every method, with its signature, and every attribute.
        """
        self.assertTrue(verifyObject(ILinkSocket, MemoryLink()))
        self.assertTrue(verifyObject(IRoutingKernel, MemoryKernel()))
        for kind in GuardKind:
            self.assertTrue(verifyObject(IGuard, MemoryGuard(kind)))

    def test_realOnesImplementThem(self) -> None:
        """
        So have the real ones, as far as a class can say without the privilege to make one.
        """
        for interface, real in (
            (ILinkSocket, PacketSocket),
            (IRoutingKernel, RoutingKernel),
            (IGuard, Guard),
        ):
            self.assertTrue(interface.implementedBy(real))
            self.assertTrue(verifyClass(interface, real))


class MemoryLinkTests(LinkSocketTestsMixin, SynchronousTestCase):
    """
    The contract of a link, kept by L{MemoryLink}.
    """

    def makeLink(self) -> MemoryLink:
        """
        See L{LinkSocketTestsMixin.makeLink}.
        """
        self.link = MemoryLink(linkBytes(HOST_LINK))
        return self.link

    def peerSends(self, frame: bytes) -> None:
        """
        See L{LinkSocketTestsMixin.peerSends}.
        """
        self.link.deliver(frame)

    def peerReceived(self, count: int) -> list[bytes]:
        """
        See L{LinkSocketTestsMixin.peerReceived}.
        """
        return list(self.link.sent)


class MemoryLinkControlTests(SynchronousTestCase):
    """
    What a test can have a link in memory do.
    """

    def test_errorsComeFirstAndOnce(self) -> None:
        """
        Errors are raised in their order, each once, before a frame is received or sent.
        """
        link = MemoryLink()
        link.deliver(b"frame", 2)
        down, full = OSError(errno.ENETDOWN, "down"), OSError(errno.ENOBUFS, "full")
        link.receiveErrors.extend([down, full])
        self.assertIs(self.assertRaises(OSError, link.receive), down)
        self.assertIs(self.assertRaises(OSError, link.receive), full)
        self.assertEqual(link.receive(), (b"frame", 2))
        link.sendErrors.append(full)
        self.assertIs(self.assertRaises(OSError, link.send, b"lost"), full)
        link.send(b"sent")
        self.assertEqual(link.sent, [b"sent"])

    def test_dropsAreToldOnce(self) -> None:
        """
        Drops are counted since the last call, as the kernel does (packet(7)).
        """
        link = MemoryLink()
        link.dropped = 64
        self.assertEqual((link.drops(), link.drops()), (64, 0))

    def test_closedLinkHasTheKernelsError(self) -> None:
        """
        Whatever else it was to do: nothing is received and nothing sent, and that is EBADF.
        """
        link = MemoryLink()
        link.deliver(b"frame")
        link.receiveErrors.append(OSError(errno.ENETDOWN, "down"))
        link.sendErrors.append(OSError(errno.ENOBUFS, "full"))
        link.close()
        for call, *arguments in ((link.receive,), (link.send, b"frame")):
            self.assertEqual(self.assertRaises(OSError, call, *arguments).errno, errno.EBADF)
        self.assertEqual(link.sent, [])

    def test_emptyLinkHasTheKernelsError(self) -> None:
        """
        A receive without a frame fails with EAGAIN.
        """
        error = self.assertRaises(BlockingIOError, MemoryLink().receive)
        self.assertEqual(error.errno, errno.EAGAIN)
