"""
A host rule: an address, or a sub-prefix of them, and the site that it has.
"""

from __future__ import annotations

from dataclasses import dataclass

from prefix64.addressing import Prefix


@dataclass(frozen=True, slots=True)
class StaticSite:
    """
    A directory of files.

    @ivar root: its path, absolute, with every symbolic link resolved.
    """

    root: str


@dataclass(frozen=True, slots=True)
class WelcomeSite:
    """
    The page that shows the addresses, for every address that has no site of its own.
    """


Site = StaticSite | WelcomeSite


@dataclass(frozen=True, slots=True)
class Host:
    """
    The rule that says what an address serves.

    @ivar prefix: what it covers: one address (length 128) or a sub-prefix.
    @ivar site: what is served there.
    """

    prefix: Prefix
    site: Site
