"""
Addresses of the prefix that the link shows to be somebody else's.

The router's own address inside the prefix is known in no other way when the host's default route
goes by its link-local address: but the router solicits from it.
"""

from __future__ import annotations

from typing import Final

MOST_CLAIMS: Final = 4096
"""The most addresses that are remembered."""

FORGET_AFTER: Final = 86_400.0
"""Seconds after its last sign of life that an address is forgotten: a day."""

ESTABLISHED_AFTER: Final = 10.0
"""
Seconds from the first sign of life to another one that make an address established. A flood of
invented ones pushes out new ones, and none that is established.
"""

MOST_ESTABLISHED: Final = 3072
"""The most established ones."""

_CLEARED_EVERY: Final = 60.0
"""Seconds from one look through all established ones to the next."""


class Claims:
    """
    The addresses that others use, each with the times of its first and its last sign of life. Of
    too many new ones the one that was silent longest is forgotten. Of too many established ones it
    is the youngest: however many somebody invents, those that were there before them stay.

    @ivar new: by address, the times of the first and the last sign of life, in seconds.
    @ivar established: by address, the time of the last one.
    """

    def __init__(self) -> None:
        self.new: dict[int, tuple[float, float]] = {}
        self.established: dict[int, float] = {}
        self._cleared = float("-inf")

    def claim(self, address: int, now: float) -> None:
        """
        Note a sign of life of somebody who uses an address.

        @param now: seconds, of any monotonic clock.
        """
        if address in self.established:
            self.established[address] = now
            return
        first, last = self.new.pop(address, (now, now))
        if now - last > FORGET_AFTER:
            first = now
        if now - first >= ESTABLISHED_AFTER:
            self._establish(address, now)
            return
        self.new[address] = first, now
        if len(self.new) > MOST_CLAIMS - MOST_ESTABLISHED:
            del self.new[next(iter(self.new))]

    def _establish(self, address: int, now: float) -> None:
        """
        Take in one that has spoken for long enough. They stand in the order in which they came.
        """
        if len(self.established) >= MOST_ESTABLISHED:
            self._forgetSilent(now)
        if len(self.established) >= MOST_ESTABLISHED:
            self.established.popitem()
        self.established[address] = now

    def _forgetSilent(self, now: float) -> None:
        """
        Forget those that were silent for a day, once in a while.
        """
        if now - self._cleared < _CLEARED_EVERY:
            return
        self._cleared = now
        silent = [one for one, last in self.established.items() if now - last > FORGET_AFTER]
        for address in silent:
            del self.established[address]

    def isClaimed(self, address: int, now: float) -> bool:
        """
        Tell whether somebody used an address within the last day.
        """
        seen = self._lastSeen(address)
        if seen is None:
            return False
        if now - seen > FORGET_AFTER:
            self.established.pop(address, None)
            self.new.pop(address, None)
            return False
        return True

    def _lastSeen(self, address: int) -> float | None:
        """
        When the last sign of life of an address came.
        """
        seen = self.established.get(address)
        if seen is None and address in self.new:
            seen = self.new[address][1]
        return seen

    def __contains__(self, address: int) -> bool:
        return address in self.established or address in self.new

    def __len__(self) -> int:
        return len(self.new) + len(self.established)
