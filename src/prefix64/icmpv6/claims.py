"""
Addresses of the prefix that the link shows to be somebody else's.

The router's own address inside the prefix is known in no other way when the host's default route
goes by its link-local address: but the router solicits from it.
"""

from __future__ import annotations

from typing import Final

MOST_CLAIMS: Final = 4096
"""The most addresses that are remembered; of more, the one that was silent longest is forgotten."""

FORGET_AFTER: Final = 86_400.0
"""Seconds after its last sign of life that an address is forgotten: a day."""


class Claims:
    """
    The addresses that others use, each with the time of its last sign of life.
    """

    def __init__(self) -> None:
        self._lastSeen: dict[int, float] = {}

    def claim(self, address: int, now: float) -> None:
        """
        Note a sign of life of somebody who uses an address.

        @param now: seconds, of any monotonic clock.
        """
        self._lastSeen.pop(address, None)
        self._lastSeen[address] = now
        if len(self._lastSeen) > MOST_CLAIMS:
            del self._lastSeen[next(iter(self._lastSeen))]

    def isClaimed(self, address: int, now: float) -> bool:
        """
        Tell whether somebody used an address within the last day.
        """
        seen = self._lastSeen.get(address)
        if seen is None:
            return False
        if now - seen > FORGET_AFTER:
            del self._lastSeen[address]
            return False
        return True

    def __len__(self) -> int:
        return len(self._lastSeen)
