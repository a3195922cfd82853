"""
What an ndppd.conf says, as values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prefix64.addressing import Prefix

STATIC, AUTO, IFACE = "static", "auto", "iface"
"""The methods of a rule."""


@dataclass(frozen=True)
class Remark:
    """
    Something to be told.

    @ivar lines: the numbers of the lines that it is about.
    @ivar isMissed: whether ndppd did something that prefix64 will not do.
    """

    lines: tuple[int, ...]
    text: str
    isMissed: bool = False


@dataclass(frozen=True)
class Rule:
    """
    A rule.

    @ivar method: L{STATIC}, L{AUTO} or L{IFACE}.
    @ivar interface: the one that is asked on with L{IFACE}; else the empty string.
    @ivar line: the number of its line.
    """

    prefix: Prefix
    method: str
    interface: str
    line: int


@dataclass(frozen=True)
class Proxy:
    """
    An interface that ndppd listens on.

    @ivar router: whether its answers have the R flag.
    @ivar line: the number of its line.
    """

    interface: str
    router: bool
    rules: tuple[Rule, ...]
    line: int


@dataclass
class Configuration:
    """
    All of it.

    @ivar proxies: in the order of the file, each interface once.
    """

    proxies: list[Proxy] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
