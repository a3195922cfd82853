"""
Limits: how many answers a second go out, in all and to each source link-layer address.

A limit of N a second lets a burst of N through, what one second is worth, and then one each 1/N of
a second. It is kept as a single time (the virtual scheduling algorithm of ITU-T I.371): the moment
when all that was let through would have been sent at the even pace.
"""

from __future__ import annotations

from typing import Final

from prefix64.icmpv6.verdicts import Verdict

MOST_SOURCES: Final = 4096
"""
The most source link-layer addresses that are remembered; of more, the one that was let through
least recently is forgotten, and starts with a full burst when it comes back.
"""

BURST: Final = 1.0
"""Seconds of answers that may come at once."""

_ROUNDING: Final = 1e-6
"""Seconds that a sum of many intervals may be off."""


class Limits:
    """
    The two limits. A source that is over its own limit takes nothing from the others.
    """

    def __init__(self, total: float = 0, perSource: float = 0) -> None:
        """
        @param total: answers a second in all; 0 is no limit.
        @param perSource: answers a second to each source link-layer address; 0 is no limit.
        """
        self._interval = 1 / total if total else 0.0
        self._sourceInterval = 1 / perSource if perSource else 0.0
        self._due = float("-inf")
        self._sourceDue: dict[bytes, float] = {}

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._interval or self._sourceInterval)

    def refusal(self, source: bytes, now: float) -> Verdict | None:
        """
        Ask for one answer.

        @param source: the link-layer address that the frame came from, 6 bytes.
        @param now: seconds, of any monotonic clock.
        @return: L{None}, and the answer is counted; or which limit is reached.
        """
        latest = now + BURST + _ROUNDING
        sourceDue = self._sourceDue.get(source, now)
        if self._sourceInterval and max(sourceDue, now) + self._sourceInterval > latest:
            return Verdict.SOURCE_RATE
        if self._interval:
            due = max(self._due, now) + self._interval
            if due > latest:
                return Verdict.RATE
            self._due = due
        if self._sourceInterval:
            self._remember(source, max(sourceDue, now) + self._sourceInterval)
        return None

    def _remember(self, source: bytes, due: float) -> None:
        """
        Note when a source is next due; the one that was noted longest ago makes room.
        """
        self._sourceDue.pop(source, None)
        self._sourceDue[source] = due
        if len(self._sourceDue) > MOST_SOURCES:
            del self._sourceDue[next(iter(self._sourceDue))]

    def __len__(self) -> int:
        """How many sources are remembered."""
        return len(self._sourceDue)
