"""
Rules and routes of the kernel, anybody's, as values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prefix64.addressing import Prefix
from prefix64.routing.entries import Rule

LOCAL_TABLE: Final = 255

RTN_UNICAST: Final = 1
RTN_LOCAL: Final = 2
RTN_UNREACHABLE: Final = 7
RTN_THROW: Final = 9

FR_ACT_TO_TBL: Final = 1
FR_ACT_BLACKHOLE: Final = 6


@dataclass(frozen=True)
class RuleFact:
    """
    A policy rule, anybody's.

    @ivar interface: the C{iif} that it is for; empty for any.
    @ivar conditional: whether it asks for more than an interface and a destination.
    @ivar action: 1 looks a table up, 6 to 8 end the search (C{FR_ACT_*}).
    @ivar suppressed: routes of this length or shorter do not count; -1 for none.
    @ivar protocol: who made it, as rtnetlink has it; 0 where nobody says so.
    @ivar ours: what it is of ours, or L{None}.
    """

    priority: int
    destination: Prefix
    table: int = 0
    interface: str = ""
    conditional: bool = False
    action: int = 1
    suppressed: int = -1
    protocol: int = 0
    ours: Rule | None = None

    def __str__(self) -> str:
        to = f" to {self.destination}" if self.destination.length else ""
        iif = f" iif {self.interface}" if self.interface else ""
        return f"priority {self.priority}{to}{iif}, table {self.table}"


@dataclass(frozen=True)
class RouteFact:
    """
    A route, anybody's, in any table.

    @ivar kind: 1 unicast, 2 local, 9 throw (C{RTN_*}).
    @ivar interfaces: the names of those that it leads to.
    @ivar protocol: who made it (C{rtm_protocol}).
    """

    table: int
    destination: Prefix
    kind: int = 1
    interfaces: tuple[str, ...] = ()
    gateways: tuple[int, ...] = ()
    protocol: int = 0

    def __str__(self) -> str:
        kind = "local " if self.kind == RTN_LOCAL else ""
        device = f" dev {self.interfaces[0]}" if self.interfaces else ""
        return f"{kind}{self.destination}{device}"
