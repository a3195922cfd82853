"""
The packet socket under the reactor, with a link and a reactor in memory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from prefix64.link.packet_port import AT_ONCE, MOST_FRAMES, PacketPort
from prefix64.testing import MemoryLink

PACKET_OUTGOING = 4


def osError(number: int) -> OSError:
    """
    An error as the kernel makes it.
    """
    return OSError(number, os.strerror(number))


class RunningReactor(MemoryReactorClock):
    """
    A reactor that runs, remembers in which order readers come and go, and whose clock goes on a
    little whenever somebody looks at it.

    @ivar events: C{"add"} and C{"remove"}, in order.
    @ivar step: seconds that pass from one look to the next.
    """

    def __init__(self) -> None:
        super().__init__()
        self.running = True
        self.events: list[str] = []
        self.step = 0.0

    def seconds(self) -> float:
        """
        Look at the clock.
        """
        self.rightNow += self.step
        return float(super().seconds())

    def addReader(self, reader: Any) -> None:
        """
        Remember, and add.
        """
        self.events.append("add")
        super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        """
        Remember, and remove.
        """
        self.events.append("remove")
        super().removeReader(reader)


class PortTestCase(SynchronousTestCase):
    """
    A port that is reading, and answers each frame with the same bytes turned round.
    """

    def setUp(self) -> None:
        """
        Begin to read.
        """
        self.reactor = RunningReactor()
        self.link = MemoryLink()
        self.asked: list[tuple[bytes, int, float]] = []
        self.port = PacketPort(self.reactor, self.link, self.respond, self.reactor.seconds)
        self.port.startReading()
        self.reactor.events.clear()

    def respond(self, frames: Iterable[tuple[bytes, int]], now: float) -> list[bytes]:
        """
        Answer, but for empty frames.
        """
        for frame, packetType in frames:
            self.asked.append((frame, packetType, now))
        return [frame[::-1] for frame, _ in frames if frame]

    def deliver(self, count: int) -> list[bytes]:
        """
        Have numbered frames come in.

        @return: their replies.
        """
        numbered = [number.to_bytes(2, "big") + b"frame" for number in range(count)]
        for frame in numbered:
            self.link.deliver(frame)
        return [frame[::-1] for frame in numbered]


class ReadingTests(PortTestCase):
    """
    Frames in, replies out.
    """

    def test_isAReadDescriptor(self) -> None:
        """
        The reactor can read it, and knows its descriptor and its name.
        """
        self.assertTrue(verifyObject(IReadDescriptor, self.port))
        self.assertEqual(self.port.fileno(), self.link.fileno())
        self.assertEqual(self.port.logPrefix(), "ICMPv6")
        self.assertEqual(self.reactor.getReaders(), [self.port])

    def test_isNotReadBeforeItIsStarted(self) -> None:
        """
        A port that was made and not started is not in the reactor.
        """
        reactor = RunningReactor()
        PacketPort(reactor, MemoryLink(), self.respond)
        self.assertEqual(reactor.getReaders(), [])

    def test_repliesAreSentInOrder(self) -> None:
        """
        Each frame is answered once, in the order of arrival, in one wake-up.
        """
        replies = self.deliver(10)
        self.port.doRead()
        self.assertEqual(self.link.sent, replies)
        self.port.doRead()
        self.assertEqual(self.link.sent, replies)

    def test_nothingIsSentForSilence(self) -> None:
        """
        A frame without a reply is in nobody's way.
        """
        self.link.deliver(b"")
        self.link.deliver(b"ab")
        self.link.deliver(b"")
        self.port.doRead()
        self.assertEqual(len(self.asked), 3)
        self.assertEqual(self.link.sent, [b"ba"])

    def test_packetTypeAndTimeAreHandedOn(self) -> None:
        """
        The responder is given the frames, the kernel's packet types, and the time at which as many
        as are answered at once were taken.
        """
        self.reactor.rightNow = 64.0
        self.reactor.step = 0.0005
        self.link.deliver(b"one", PACKET_OUTGOING)
        self.deliver(AT_ONCE)
        self.port.doRead()
        self.assertEqual(self.asked[0][:2], (b"one", PACKET_OUTGOING))
        self.assertEqual({packetType for _, packetType, _ in self.asked[1:]}, {0})
        times = [time for _, _, time in self.asked]
        self.assertAlmostEqual(times[0], 64.0005)
        self.assertEqual(times[:AT_ONCE], [times[0]] * AT_ONCE)
        self.assertAlmostEqual(times[AT_ONCE], 64.0010)

    def test_spuriousWakeUp(self) -> None:
        """
        A wake-up without a frame is nothing.
        """
        self.port.doRead()
        self.assertEqual((self.asked, self.link.sent, self.reactor.events), ([], [], []))


class BoundTests(PortTestCase):
    """
    The reactor has its turn.
    """

    def test_batchEndsAt256Frames(self) -> None:
        """
        After 256 frames the replies go out and the reactor goes on; the rest is read when it comes
        back.
        """
        replies = self.deliver(600)
        for answered in (256, 512, 600):
            self.port.doRead()
            self.assertEqual(self.link.sent, replies[:answered])

    def test_batchEndsAfterTwoMilliseconds(self) -> None:
        """
        The clock is looked at after each 64 frames. Where those take 1.5 milliseconds, two times 64
        are answered in a turn: those during which the 2 milliseconds were over are the last.
        """
        self.reactor.step = 0.0015
        replies = self.deliver(5 * AT_ONCE)
        for answered in (2, 4, 5):
            self.port.doRead()
            self.assertEqual(self.link.sent, replies[: answered * AT_ONCE])

    def test_slowFramesAreAnsweredAllTheSame(self) -> None:
        """
        However slow, a turn answers some.
        """
        self.reactor.step = 3.0
        replies = self.deliver(3 * AT_ONCE)
        for answered in (1, 2, 3):
            self.port.doRead()
            self.assertEqual(self.link.sent, replies[: answered * AT_ONCE])

    def test_fastFramesAreNotCutShort(self) -> None:
        """
        Frames that take 7 microseconds each fill the whole batch.
        """
        self.reactor.step = 0.000_007 * AT_ONCE
        replies = self.deliver(256)
        self.port.doRead()
        self.assertEqual(self.link.sent, replies)

    def test_theBoundIsAWholeNumberOfTurns(self) -> None:
        """
        So that it is exact.
        """
        self.assertEqual(MOST_FRAMES % AT_ONCE, 0)


class ErrorTests(PortTestCase):
    """
    The interface fails.
    """

    def setUp(self) -> None:
        """
        Watch the log.
        """
        super().setUp()
        self.log = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def test_sendErrorsAreCountedByName(self) -> None:
        """
        A reply that cannot be sent is counted by the error's name, and the others are sent.
        """
        replies = self.deliver(5)
        self.link.sendErrors.extend(
            map(osError, (errno.ENOBUFS, errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN))
        )
        self.port.doRead()
        self.assertEqual(self.link.sent, replies[4:])
        self.assertEqual(self.port.sendErrors, {"ENOBUFS": 2, "ENETDOWN": 1, "EAGAIN": 1})
        self.assertEqual(self.reactor.events, [])

    def test_dropsAreThoseOfTheSocket(self) -> None:
        """
        Since the last call, as the kernel counts them (packet(7)).
        """
        self.link.dropped = 64
        self.assertEqual((self.port.drops(), self.port.drops()), (64, 0))

    def test_sendErrorWithoutANumberIsCounted(self) -> None:
        """
        An error that has no number, or one that has no name, is counted too.
        """
        self.deliver(2)
        self.link.sendErrors.extend([OSError("what?"), OSError(99_999, "never seen")])
        self.port.doRead()
        self.assertEqual(self.port.sendErrors, {"unknown": 2})

    def test_interfaceGoesDown(self) -> None:
        """
        ENETDOWN, which wakes us without a frame: the descriptor is taken out and put in again, in
        this order, for some event loops stop polling one that had an error; one line says so; and
        the next frame is answered.
        """
        self.link.errors.append(osError(errno.ENETDOWN))
        self.port.doRead()
        self.assertEqual(self.reactor.events, ["remove", "add"])
        self.assertEqual(self.reactor.getReaders(), [self.port])
        (event,) = self.log
        self.assertEqual(event["why"], os.strerror(errno.ENETDOWN))
        replies = self.deliver(1)
        self.port.doRead()
        self.assertEqual(self.link.sent, replies)

    def test_framesComeBeforeTheError(self) -> None:
        """
        What came before the interface went down is answered; the wake-up that finds nothing more
        takes the error.
        """
        replies = self.deliver(3)
        self.link.errors.append(osError(errno.ENETDOWN))
        self.port.doRead()
        self.assertEqual((self.link.sent, self.reactor.events), (replies, []))
        self.port.doRead()
        self.assertEqual(self.reactor.events, ["remove", "add"])
        self.assertFalse(self.link.errors)

    def test_connectionLostWhileRunning(self) -> None:
        """
        The reactor took the descriptor out because an error was pending: the error is cleared, and
        the descriptor put in again.
        """
        self.reactor.readers.clear()
        self.link.errors.append(osError(errno.ENETDOWN))
        self.port.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.reactor.getReaders(), [self.port])
        self.assertFalse(self.link.errors)
        replies = self.deliver(1)
        self.port.doRead()
        self.assertEqual(self.link.sent, replies)
        self.assertFalse(self.link.closed)

    def test_connectionLostWithoutAnError(self) -> None:
        """
        As before, but the error is gone already: there is nothing to clear.
        """
        self.reactor.readers.clear()
        self.port.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.reactor.getReaders(), [self.port])

    def test_connectionLostAtShutdown(self) -> None:
        """
        A reactor that stops takes everything out: the descriptor stays out, and nothing is read.
        """
        self.reactor.readers.clear()
        self.reactor.running = False
        self.link.deliver(b"frame")
        self.port.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.link.receive(2), [(b"frame", 0)])

    def test_connectionLostAfterTheEnd(self) -> None:
        """
        A port that was stopped does not come back.
        """
        self.port.stopReading()
        self.port.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.reactor.getReaders(), [])


class StoppingTests(PortTestCase):
    """
    The end.
    """

    def test_stoppingClosesTheLink(self) -> None:
        """
        The descriptor is taken out of the reactor before it is closed.
        """
        closed = self.link.close
        self.patch(self.link, "close", lambda: (self.reactor.events.append("close"), closed()))
        self.port.stopReading()
        self.assertEqual(self.reactor.events, ["remove", "close"])
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertTrue(self.link.closed)

    def test_stoppingTwice(self) -> None:
        """
        The second time nothing is taken out of the reactor.
        """
        self.port.stopReading()
        self.port.stopReading()
        self.assertEqual(self.reactor.events, ["remove"])

    def test_stoppingBeforeTheStart(self) -> None:
        """
        A port that never read closes its socket: the start may have failed behind it.
        """
        reactor, link = RunningReactor(), MemoryLink()
        PacketPort(reactor, link, self.respond).stopReading()
        self.assertEqual(reactor.events, [])
        self.assertTrue(link.closed)
