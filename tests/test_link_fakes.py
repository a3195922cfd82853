"""
The public fakes: they are what they stand for.
"""

from __future__ import annotations

import errno

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from prefix64.kernel.guard import Guard, IGuard
from prefix64.kernel.interface import IRoutingKernel
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.link.packet_socket import ILinkSocket, PacketSocket
from prefix64.routing.entries import GuardKind
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

    def test_errorsComeOnce(self) -> None:
        """
        Errors come in their order, each once; those of the interface are in no frame's way, those
        of sending take one each.
        """
        link = MemoryLink()
        link.deliver(b"frame", 2)
        down, full = OSError(errno.ENETDOWN, "down"), OSError(errno.ENOBUFS, "full")
        link.errors.extend([down, full])
        self.assertEqual(link.receive(2), [(b"frame", 2)])
        self.assertEqual([link.takeError() for _ in range(3)], [down, full, None])
        link.sendErrors.extend([full, full])
        self.assertIs(self.assertRaises(OSError, link.send, b"lost"), full)
        self.assertEqual(link.sendAll([b"lost", b"one", b"two"]), [full])
        self.assertEqual(link.sent, [b"one", b"two"])

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
        link.errors.append(OSError(errno.ENETDOWN, "down"))
        link.sendErrors.append(OSError(errno.ENOBUFS, "full"))
        link.close()
        for call, *arguments in ((link.receive, 1), (link.takeError,), (link.send, b"frame")):
            self.assertEqual(self.assertRaises(OSError, call, *arguments).errno, errno.EBADF)
        (error,) = link.sendAll([b"frame"])
        self.assertEqual((error.errno, link.sent), (errno.EBADF, []))
