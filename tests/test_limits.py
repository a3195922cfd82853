"""
Limits: token buckets for all answers and for each source link-layer address.
"""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.icmpv6.limits import BURST, MOST_SOURCES, Limits
from prefix64.icmpv6.verdicts import Verdict

START = 123_456.75
"""Seconds; clocks do not begin at zero."""

ONE, OTHER = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"


class TotalTests(SynchronousTestCase):
    """
    The limit in all.
    """

    def granted(self, limits: Limits, now: float, tries: int, source: bytes = ONE) -> int:
        """
        How many of some tries at one moment are let through.
        """
        return sum(limits.refusal(source, now) is None for _ in range(tries))

    def test_noLimitLetsEverythingThrough(self) -> None:
        """
        And remembers nobody.
        """
        limits = Limits()
        self.assertFalse(limits.any)
        self.assertEqual(self.granted(limits, START, 10_000), 10_000)
        self.assertEqual(len(limits), 0)

    def test_burstOfOneSecond(self) -> None:
        """
        As many at once as the limit lets through in a second, and not one more.
        """
        for rate in (1, 2, 3, 7, 10, 64, 100, 1000, 33_333):
            limits = Limits(total=rate)
            self.assertTrue(limits.any)
            self.assertEqual(self.granted(limits, START, 2 * rate), rate, rate)
            self.assertIs(limits.refusal(ONE, START), Verdict.RATE)

    def test_thenAtTheEvenPace(self) -> None:
        """
        After the burst one each 1/N of a second, whoever asks.
        """
        limits = Limits(total=10)
        self.granted(limits, START, 100)
        for tenth in range(1, 200):
            now = START + tenth / 10
            self.assertEqual(self.granted(limits, now, 5, OTHER if tenth % 2 else ONE), 1)

    def test_whatIsNotUsedIsNotSavedUp(self) -> None:
        """
        An hour of silence is worth one burst.
        """
        limits = Limits(total=10)
        self.granted(limits, START, 100)
        self.assertEqual(self.granted(limits, START + 3600, 100), 10)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(
        st.integers(1, 500),
        st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 300)), min_size=1, max_size=40),
    )
    def test_neverMoreThanTheLimit(self, rate: int, tries: list[tuple[float, int]]) -> None:
        """
        However they come: in any stretch of time at most its length times the rate, and a burst.
        """
        limits, now, granted = Limits(total=rate), START, list[float]()
        for pause, count in tries:
            now += pause
            granted += [now] * self.granted(limits, now, count)
        for first in range(len(granted)):
            for last in range(first, len(granted), 7):
                seconds = granted[last] - granted[first]
                self.assertLessEqual(last - first + 1, (seconds + BURST) * rate + 1e-3)


class SourceTests(SynchronousTestCase):
    """
    The limit for each source.
    """

    def test_eachSourceHasItsOwn(self) -> None:
        """
        One that is over its limit takes nothing from another.
        """
        limits = Limits(perSource=5)
        for source in (ONE, OTHER):
            refusals = [limits.refusal(source, START) for _ in range(8)]
            self.assertEqual(refusals, [None] * 5 + [Verdict.SOURCE_RATE] * 3)
        self.assertIsNone(limits.refusal(ONE, START + 0.2))
        self.assertIs(limits.refusal(ONE, START + 0.2), Verdict.SOURCE_RATE)

    def test_overItsOwnItTakesNothingOfAll(self) -> None:
        """
        The total is for those who keep to theirs; and what the total refuses costs a source
        nothing.
        """
        limits = Limits(total=10, perSource=5)
        refusals = [limits.refusal(ONE, START) for _ in range(100)]
        self.assertEqual(refusals.count(Verdict.SOURCE_RATE), 95)
        refusals = [limits.refusal(OTHER, START) for _ in range(5)]
        self.assertEqual(refusals, [None] * 5)
        third = b"\x02\0\0\0\0\x03"
        self.assertIs(limits.refusal(third, START), Verdict.RATE)
        refusals = [limits.refusal(third, START + 1) for _ in range(6)]
        self.assertEqual(refusals, [None] * 5 + [Verdict.SOURCE_RATE])

    def test_aMillionSourcesAreNotRemembered(self) -> None:
        """
        The table is bounded; who was let through least recently is forgotten first.
        """
        limits = Limits(perSource=1)
        self.assertIsNone(limits.refusal(ONE, START))
        for number in range(MOST_SOURCES - 1):
            limits.refusal(b"\x06" + number.to_bytes(5, "big"), START)
        self.assertIs(limits.refusal(ONE, START), Verdict.SOURCE_RATE)
        size = sys.getsizeof(limits._sourceDue)
        for number in range(1_000_000):
            limits.refusal(b"\x0a" + number.to_bytes(5, "big"), START)
        self.assertEqual(len(limits), MOST_SOURCES)
        self.assertLessEqual(sys.getsizeof(limits._sourceDue), 2 * size)
        self.assertIsNone(limits.refusal(ONE, START))
