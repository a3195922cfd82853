"""
The words of an ndppd.conf other than C{proxy}, C{rule} and the methods: what each did, and why
prefix64 needs none of it or what it lacks.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Place(enum.Enum):
    """
    Where a setting stands. The value says it in words.
    """

    TOP = "outside of a proxy"
    PROXY = "in a proxy"
    RULE = "in a rule"


READ = {
    Place.TOP: ("proxy", "route-ttl"),
    Place.PROXY: ("rule", "router", "ttl", "timeout"),
    Place.RULE: ("iface", "auto", "static"),
}
"""What ndppd 0.2.5 reads, and where."""


@dataclass(frozen=True)
class Word:
    """
    A word.

    @ivar places: where it is read.
    @ivar why: what has to be said of it.
    @ivar isMissed: whether it did something that prefix64 does not do.
    @ivar isSwitch: whether it does nothing unless its value is C{yes} or C{true}.
    @ivar isLater: whether ndppd reads it in versions after 0.2.5 only.
    """

    places: tuple[Place, ...]
    why: str
    isMissed: bool = False
    isSwitch: bool = False
    isLater: bool = True


_NOTHING_KEPT = "prefix64 keeps no list of answers: each solicitation is decided anew"
_NOBODY_ASKED = "prefix64 asks nobody before it answers: there is nothing to wait for"
_TOLD = "the kernel tells prefix64 of each change at once"
_NO_ROUTES = "prefix64 makes no routes to what is behind this host: ip -6 route add PREFIX dev NAME"

WORDS = {
    "route-ttl": Word((Place.TOP,), _TOLD, isLater=False),
    "ttl": Word((Place.PROXY,), _NOTHING_KEPT, isLater=False),
    "timeout": Word((Place.PROXY,), _NOBODY_ASKED, isLater=False),
    "address-ttl": Word((Place.TOP,), _TOLD),
    "valid-ttl": Word((Place.TOP,), _NOTHING_KEPT),
    "invalid-ttl": Word((Place.TOP,), _NOTHING_KEPT),
    "renew": Word((Place.TOP,), _NOTHING_KEPT),
    "deadtime": Word((Place.PROXY,), _NOTHING_KEPT),
    "keepalive": Word((Place.TOP, Place.PROXY), _NOTHING_KEPT),
    "retries": Word((Place.PROXY,), _NOBODY_ASKED),
    "retrans-limit": Word((Place.TOP,), _NOBODY_ASKED),
    "retrans-time": Word((Place.TOP,), _NOBODY_ASKED),
    "promiscuous": Word((Place.PROXY,), "prefix64 receives all multicast without it"),
    "promisc": Word((Place.PROXY,), "prefix64 receives all multicast without it"),
    "autowire": Word((Place.PROXY, Place.RULE), _NO_ROUTES, isMissed=True, isSwitch=True),
    "autovia": Word((Place.RULE,), _NO_ROUTES, isMissed=True, isSwitch=True),
    "table": Word((Place.RULE,), "prefix64 goes by the routes of all tables"),
    "rewrite": Word((Place.RULE,), "prefix64 answers with the address asked for", isMissed=True),
}
"""Of versions up to 0.2.5, of the later 0.2 and of 1.0."""
