"""
A tree of directories as the source of host rules: C{2001-db8--1/}, C{2001-db8--ab00-0_112/},
C{default/}.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from prefix64.addressing import Prefix, parsePrefix
from prefix64.errors import AddressError, SitesError
from prefix64.hosts.model import Host, StaticSite
from prefix64.option_text import OptionText

DEFAULT = "default"


@dataclass(frozen=True)
class SitesDirectory:
    """
    What a sites directory holds.

    @ivar hosts: a host rule for each directory that is named for an address or a sub-prefix.
    @ivar default: the site of every other address, or L{None}.
    """

    hosts: tuple[Host, ...] = ()
    default: StaticSite | None = None


def parseName(name: str) -> Prefix:
    """
    Read the name of a directory as an address or a sub-prefix.

    C{:} may be written C{-}, and the C{/} of a prefix length, which no file name can have, is
    written C{_}: C{2001-db8--1} and C{2001:db8::1} are the same address, C{2001-db8--ab00-0_112}
    is C{2001:db8::ab00:0/112}.

    @raise AddressError: it is neither.
    """
    return parsePrefix(name.replace("-", ":").replace("_", "/"))


def readSites(
    path: str, prefixes: Iterable[Prefix], excluded: Iterable[Prefix] = ()
) -> SitesDirectory:
    """
    Read a tree of sites.

    @param path: the directory.
    @param prefixes: the served prefixes; every name must lie in one of them.
    @param excluded: what is never ours; no name may lie in it.
    @raise SitesError: the directory cannot be read; a name in it is no address, sub-prefix or
        C{default}, or is never served; two names mean the same; or one of them is no directory.
    """
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise SitesError(OptionText("{sites:{0!r}}: {1}", path, error.strerror)) from None
    default: StaticSite | None = None
    hosts: list[Host] = []
    named: dict[Prefix, str] = {}
    for name in names:
        if name == DEFAULT:
            default = _site(path, name)
            continue
        prefix = _served(path, name, prefixes, excluded)
        if prefix in named:
            raise SitesError(
                OptionText(
                    "{sites:{0!r}}: {1!r} and {2!r} are both {3}: remove one",
                    path,
                    named[prefix],
                    name,
                    prefix,
                )
            )
        named[prefix] = name
        hosts.append(Host(prefix, _site(path, name)))
    return SitesDirectory(tuple(hosts), default)


def _served(path: str, name: str, prefixes: Iterable[Prefix], excluded: Iterable[Prefix]) -> Prefix:
    """
    Read one name, and see that it can ever be asked for.
    """
    try:
        prefix = parseName(name)
    except AddressError:
        raise SitesError(
            OptionText(
                "{sites:{0!r}}: {1!r} is no address, sub-prefix or '{2}': "
                "rename it (2001-db8--1, 2001-db8--ab00-0_112) or remove it",
                path,
                name,
                DEFAULT,
            )
        ) from None
    home = next((served for served in prefixes if served.covers(prefix)), None)
    if home is None:
        raise SitesError(
            OptionText(
                "{sites:{0!r}}: {1!r} ({2}) is in none of the served prefixes ({3}): "
                "rename it or remove it",
                path,
                name,
                prefix,
                ", ".join(map(str, prefixes)),
            )
        )
    anycast = home.anycast(prefix.network)
    if anycast is not None and anycast == home.anycast(prefix.last):
        raise SitesError(
            OptionText(
                "{sites:{0!r}}: {1!r} is the prefix's {2}, which is never served: rename it",
                path,
                name,
                anycast,
            )
        )
    for block in excluded:
        if block.covers(prefix):
            raise SitesError(
                OptionText(
                    "{sites:{0!r}}: {1!r} is excluded by {exclude:{2}}: remove one of the two",
                    path,
                    name,
                    block,
                )
            )
    return prefix


def _site(path: str, name: str) -> StaticSite:
    """
    The static site of one directory.
    """
    root = os.path.realpath(os.path.join(path, name))
    if not os.path.isdir(root):
        raise SitesError(
            OptionText(
                "{sites:{0!r}}: {1!r} is no directory: its files belong into one", path, name
            )
        )
    return StaticSite(root)
