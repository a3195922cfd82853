"""
Signals that end the process: caught, and given back as they were.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from prefix64.errors import InterruptedStart
from prefix64.services.signals import ENDING, Hangup, HeldSignals, interruptible, undisturbed


class SignalCase(SynchronousTestCase):
    """
    The handlers of this process are put back after each test. Meanwhile, signals are counted.
    """

    def setUp(self) -> None:
        self.came: list[int] = []
        for number in ENDING:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, self.note)

    def note(self, number: int, frame: object) -> None:
        self.came.append(number)

    def handlers(self) -> list[object]:
        return [signal.getsignal(number) for number in ENDING]


def send(number: int) -> None:
    """
    Send a signal to this process.
    """
    os.kill(os.getpid(), number)


def inAnotherThread(call: Callable[[], None]) -> None:
    """
    Call something in a thread of its own, and wait for it.
    """
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


class UndisturbedTests(SignalCase):
    """
    L{undisturbed}.
    """

    def test_aSignalIsNothing(self) -> None:
        """
        What is being undone is not interrupted; afterwards signals are what they were.
        """
        before = self.handlers()
        with undisturbed():
            for number in ENDING:
                send(number)
        self.assertEqual(self.came, [])
        self.assertEqual(self.handlers(), before)

    def test_inAnotherThreadItDoesNothing(self) -> None:
        """
        Python lets only the main thread decide about signals.
        """
        entered = []

        def enter() -> None:
            with undisturbed():
                entered.append(self.handlers())

        before = self.handlers()
        inAnotherThread(enter)
        self.assertEqual(entered, [before])


class InterruptibleTests(SignalCase):
    """
    L{interruptible}.
    """

    def test_oneThatComesWhileALineIsLoggedIsNotLost(self) -> None:
        """
        Twisted's log catches whatever an observer raises.
        """
        publisher = LogPublisher(lambda event: send(signal.SIGTERM))
        before, after = self.handlers(), []

        def start() -> None:
            with interruptible():
                Logger("prefix64", observer=publisher).info("a line")
                after.append("the line was logged")

        error = self.assertRaises(InterruptedStart, start)
        self.assertEqual(str(error), "SIGTERM came during the start")
        self.assertEqual((after, self.handlers()), (["the line was logged"], before))

    def test_aSignalIsAnException(self) -> None:
        """
        SIGTERM, SIGINT and SIGHUP; it names the signal.
        """
        self.assertEqual({n.name for n in ENDING}, {"SIGTERM", "SIGINT", "SIGHUP"})
        for number in ENDING:
            with self.assertRaises(InterruptedStart) as caught, interruptible():
                send(number)
            self.assertEqual(
                str(caught.exception), f"{signal.Signals(number).name} came during the start"
            )
        self.assertEqual(self.came, [])

    def test_afterwardsTheHandlersAreWhatTheyWere(self) -> None:
        """
        Also after a signal, and after any other exception.
        """
        before = self.handlers()
        with interruptible():
            self.assertTrue(all(handler not in before for handler in self.handlers()))
        self.assertEqual(self.handlers(), before)
        with self.assertRaises(InterruptedStart), interruptible():
            send(signal.SIGTERM)
        self.assertEqual(self.handlers(), before)
        with self.assertRaises(ValueError), interruptible():
            raise ValueError("ours")
        self.assertEqual(self.handlers(), before)
        send(signal.SIGTERM)
        self.assertEqual(self.came, [signal.SIGTERM])

    def test_whatIsIgnoredStaysIgnored(self) -> None:
        """
        By nohup(1), or of a shell's background job; the others count.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with self.assertRaises(InterruptedStart) as caught, interruptible():
            self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)
            send(signal.SIGHUP)
            send(signal.SIGTERM)
        self.assertIn("SIGTERM", str(caught.exception))
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)

    def test_outsideOfTheMainThreadNothingIsChanged(self) -> None:
        """
        Python allows it nowhere else; it is no error.
        """
        before, inside = self.handlers(), []

        def enter() -> None:
            with interruptible():
                inside.append(self.handlers())

        inAnotherThread(enter)
        self.assertEqual((inside, self.handlers()), ([before], before))


class ThreadReactor:
    """
    A reactor that only takes calls from a signal handler or thread.

    @ivar calls: what it was given, and has not called yet.
    """

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


class HangupTests(SignalCase):
    """
    L{Hangup}.
    """

    def setUp(self) -> None:
        super().setUp()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.reactor = ThreadReactor()
        self.happened = 0
        self.hangup = Hangup(self.happen, self.reactor)

    def happen(self) -> None:
        self.happened += 1

    def test_itHappensInTheReactor(self) -> None:
        """
        Not inside the handler, which may stand anywhere; each time.
        """
        self.hangup.catch()
        for _ in range(2):
            send(signal.SIGHUP)
        self.assertEqual((self.happened, len(self.reactor.calls)), (0, 2))
        for call in self.reactor.calls:
            call()
        self.assertEqual(self.happened, 2)

    def test_afterwardsTheSignalIsWhatItWas(self) -> None:
        """
        The end may come twice, and without a beginning.
        """
        self.hangup.release()
        self.hangup.catch()
        self.assertIsNot(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)
        for _ in range(2):
            self.hangup.release()
            self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)

    def test_whoElseHasAUseForItKeepsIt(self) -> None:
        """
        Ignored, or with a handler; also at the end.
        """
        for handler in (signal.SIG_IGN, self.note):
            signal.signal(signal.SIGHUP, handler)
            self.hangup.catch()
            self.assertEqual(signal.getsignal(signal.SIGHUP), handler)
            self.hangup.release()
            self.assertEqual(signal.getsignal(signal.SIGHUP), handler)

    def test_outsideOfTheMainThreadNothingIsChanged(self) -> None:
        """
        As with L{interruptible}.
        """
        inAnotherThread(self.hangup.catch)
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)


class HeldSignalsTests(SynchronousTestCase):
    """
    Between the start and the reactor.
    """

    def test_whatComesMeanwhileComesWhenItIsReleased(self) -> None:
        """
        It is not lost, and does not come before; another release changes nothing.
        """
        came: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        held = HeldSignals()
        self.addCleanup(held.release)
        held.hold()
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(came, [])
        held.release()
        self.assertEqual(came, [signal.SIGTERM])
        held.release()
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(ENDING), set())

    def test_whatWasBlockedStaysSo(self) -> None:
        """
        Whoever started the process may have blocked a signal.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        self.addCleanup(signal.pthread_sigmask, signal.SIG_UNBLOCK, {signal.SIGHUP})
        held = HeldSignals()
        held.hold()
        held.release()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.assertEqual(blocked & set(ENDING), {signal.SIGHUP})
