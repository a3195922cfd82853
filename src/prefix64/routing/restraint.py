"""
When to stop putting back what somebody deletes: whoever deletes it again means it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

AGAIN = 60.0
"""Seconds in which a second deletion of the same thing is a fight, and no accident."""


class Restraint:
    """
    What was put back, and what is left alone.

    @ivar abandoned: what is not put back any more.
    """

    def __init__(self) -> None:
        self.abandoned: set[Hashable] = set()
        self._putBack: dict[Hashable, float] = {}

    def judge(self, missing: Iterable[Hashable], now: float) -> tuple[list[str], list[str]]:
        """
        Decide about what is missing.

        @param now: seconds, of any monotonic clock.
        @return: what is to be put back, and what is now left alone, each as text, in order.
        """
        back, left = [], []
        self._putBack = {one: at for one, at in self._putBack.items() if now - at < AGAIN}
        for one in missing:
            if one in self.abandoned:
                continue
            if one in self._putBack:
                self.abandoned.add(one)
                left.append(str(one))
            else:
                self._putBack[one] = now
                back.append(str(one))
        return back, left

    def found(self, there: Iterable[Hashable]) -> None:
        """
        Take note of what is there: somebody may have put back what was left alone.
        """
        self.abandoned.difference_update(there)
