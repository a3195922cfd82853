"""
Waiting for an interface, without any privilege.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from prefix64.errors import InterfaceError, InterruptedStart
from prefix64.kernel import arrival
from prefix64.kernel.arrival import awaitLink, canExist
from prefix64.kernel.messages import Link
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.options.values import findLink

ETH0 = Link("eth0", 2, 1, b"\x02\0\0\0\0\x01", True)


class AwaitLinkTests(SynchronousTestCase):
    """
    L{awaitLink}, with a kernel that says what the test wants.
    """

    def setUp(self) -> None:
        self.looks = 0
        self.events: list[float] = []
        self.patch(arrival.select, "select", self.select)

    def select(self, readers: list[Any], *others: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """
        Note for how long is waited; an event comes at once.
        """
        self.events.append(others[-1])
        self.assertEqual(len(readers), 1)
        return readers, [], []

    def nowAndThen(self, found: int) -> Link | None:
        """
        An interface that is there at one of the looks.
        """
        self.looks += 1
        return ETH0 if self.looks == found else None

    def test_oneThatIsThereIsNotWaitedFor(self) -> None:
        """
        No event is needed.
        """
        self.assertIs(awaitLink(lambda: self.nowAndThen(1), 3600), ETH0)
        self.assertEqual(self.events, [])

    def test_eachEventIsOneLook(self) -> None:
        """
        And the time that is left gets less, not longer.
        """
        self.assertIs(awaitLink(lambda: self.nowAndThen(5), 3600), ETH0)
        self.assertEqual((self.looks, len(self.events)), (5, 4))
        self.assertEqual(self.events, sorted(self.events, reverse=True))
        self.assertTrue(all(3590 < left <= 3600 for left in self.events))

    def test_itIsLookedForAfterSubscribing(self) -> None:
        """
        One that comes between a first look and the subscription would be missed for good.
        """
        descriptors = set(os.listdir("/proc/self/fd"))
        seen: list[int] = []

        def find() -> Link:
            seen.append(len(set(os.listdir("/proc/self/fd")) - descriptors))
            return ETH0

        awaitLink(find, 1)
        self.assertGreaterEqual(seen[0], 1)

    def test_eventsOfOthersDoNotProlongTheWait(self) -> None:
        """
        However many come.
        """
        begin = time.monotonic()
        self.assertIsNone(awaitLink(lambda: None, 0.05))
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        self.assertLess(time.monotonic() - begin, 5)


class QuietTests(SynchronousTestCase):
    """
    Where nothing happens.
    """

    def test_theEndOfTheTime(self) -> None:
        """
        It sleeps, and looks a last time.
        """
        looks: list[float] = []
        begin, used = time.monotonic(), time.process_time()
        self.assertIsNone(awaitLink(lambda: looks.append(1), 0.3))  # type: ignore[func-returns-value]
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)
        self.assertLess(time.process_time() - used, 0.2)
        self.assertGreaterEqual(len(looks), 2)

    def test_theSocketIsClosed(self) -> None:
        """
        Whatever the end, an error included.
        """
        before = os.listdir("/proc/self/fd")
        awaitLink(lambda: ETH0, 1)
        awaitLink(lambda: None, 0)
        self.assertRaises(ZeroDivisionError, awaitLink, lambda: 1 // 0, 1)
        self.assertEqual(os.listdir("/proc/self/fd"), before)


class NameTests(SynchronousTestCase):
    """
    Names for which nobody need wait.
    """

    def test_whatCanBeAName(self) -> None:
        """
        Up to 15 bytes, without blanks, slashes and colons (dev_valid_name of the kernel).
        """
        for name in ("lo", "eth0", "wlp0s20f3", "x" * 15, "eth0.64", "\u00e9th0", "...", "a\x01"):
            self.assertTrue(canExist(name), name)
        for name in (
            "",
            ".",
            "..",
            "x" * 16,
            "\u00e9" * 8,
            "a/b",
            "a b",
            "a\nb",
            "a:1",
            "\0",
            "\u00e0",
        ):
            self.assertFalse(canExist(name), name)


class FindLinkTests(SynchronousTestCase):
    """
    L{findLink} with a wait.
    """

    def setUp(self) -> None:
        self.error = io.StringIO()

    def find(self, name: str, wait: float) -> Link:
        with contextlib.redirect_stderr(self.error):
            return findLink(name, wait)

    def test_oneLineSaysForWhatAndHowLong(self) -> None:
        """
        And the error that it was waited; what somebody typed is quoted.
        """
        error = str(self.assertRaises(InterfaceError, self.find, "none0", 0.02))
        line = "prefix64: waiting up to 0.02 seconds for interface 'none0'\n"
        self.assertEqual(self.error.getvalue(), line)
        self.assertIn("--iface 'none0': there is no such interface; there are: ", error)
        self.assertTrue(error.endswith(" (waited 0.02 seconds)"), error)
        self.assertRaises(InterfaceError, self.find, "a\x1b[1m", 0.01)
        self.assertNotIn("\x1b", self.error.getvalue())

    def test_nobodyWaitsForANameThatCannotBe(self) -> None:
        """
        Nor for one that cannot be encoded.
        """
        for name in ("x" * 300, "a/b", "lo\nlo", "\udcff", ""):
            error = str(self.assertRaises(InterfaceError, self.find, name, 3600))
            self.assertNotIn("waited", error)
        self.assertEqual(self.error.getvalue(), "")

    def test_oneThatIsThereIsNotWaitedFor(self) -> None:
        """
        Nothing is said.
        """
        self.patch(RoutingKernel, "link", lambda kernel, name: ETH0)
        self.patch(arrival.select, "select", self.fail)
        with contextlib.suppress(InterfaceError):  # there is no such switch of this eth0
            self.find("eth0", 3600)
        self.assertEqual(self.error.getvalue(), "")

    def test_ctrlC(self) -> None:
        """
        It is one line, as everything that ends a start.
        """

        def interrupt(*arguments: Any) -> None:
            raise KeyboardInterrupt

        self.patch(arrival.select, "select", interrupt)
        error = str(self.assertRaises(InterruptedStart, self.find, "none0", 3600))
        self.assertEqual(error, "Ctrl-C came while waiting for interface 'none0'")
