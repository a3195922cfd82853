"""
How a packet's way through a firewall may end, as values.
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_PLACES = 8
"""The most places that are remembered."""


@dataclass(frozen=True)
class Place:
    """
    Where a packet is kept from coming in, or may be.

    @ivar handle: of the rule; L{None} for the chain's policy.
    @ivar what: C{drop}, C{reject}, C{policy}, or a word for what else becomes of it.
    """

    family: str
    table: str
    chain: str
    handle: int | str | None
    what: str

    @property
    def drops(self) -> bool:
        """Whether that is the packet's end."""
        return self.what in ("drop", "reject", "policy")


@dataclass(frozen=True)
class Ends:
    """
    How a rule or chain may end.

    @ivar accepts: the packet may be accepted.
    @ivar returns: it may go back to the chain from which this one was jumped to.
    @ivar continues: it may go on to the next rule.
    @ivar places: where it may be dropped.
    """

    accepts: bool = False
    returns: bool = False
    continues: bool = False
    places: tuple[Place, ...] = ()

    def either(self, other: Ends) -> Ends:
        """
        One or the other.
        """
        return Ends(
            self.accepts or other.accepts,
            self.returns or other.returns,
            self.continues or other.continues,
            tuple(dict.fromkeys(self.places + other.places))[:_MOST_PLACES],
        )


CONTINUES = Ends(continues=True)


@dataclass(frozen=True)
class Passage:
    """
    What becomes of a packet.

    @ivar places: where it is or may be dropped; none if it comes in for certain.
    @ivar certain: whether it is dropped for certain.
    """

    places: tuple[Place, ...] = ()
    certain: bool = False
