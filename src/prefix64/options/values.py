"""
The texts of the command line read as values, each checked before anything is changed.
"""

from __future__ import annotations

import enum
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from twisted.internet.endpoints import serverFromString

from prefix64.addressing import Prefix, mergePrefixes, parsePrefix, parseServedPrefix
from prefix64.errors import AddressError, InterfaceError, InterruptedStart, OptionError
from prefix64.hosts.directory import SitesDirectory, readSites
from prefix64.kernel.arrival import awaitLink, canExist
from prefix64.kernel.messages import Link
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.option_text import OptionText
from prefix64.routing.entries import LOOPBACK
from prefix64.settings import DEFAULT_PREFIX

MOST_PREFIXES = 64
"""The most prefixes of one instance: the kernel's filter has a test for each."""

LONGEST_WAIT = 86_400.0
"""The most seconds to wait for an interface: a day."""

_LONGEST_QUOTED = 40
"""Characters of what the user wrote that an error repeats."""

MOST_A_SECOND = 1_000_000
"""The highest limit of answers a second: more than can be sent."""

PORTS = ("bridge", "bond", "team")
"""What takes the packets of the interfaces that are its ports."""

_E = TypeVar("_E", bound=enum.Enum)


def servedPrefixes(texts: Iterable[str], interface: str) -> tuple[Prefix, ...]:
    """
    Read the served prefixes.

    @param texts: what C{--prefix} was given; nothing is the default on the loopback interface.
    @raise OptionError: there is none, one is not to be served, two overlap, or there are too many.
    """
    prefixes = [namedPrefix("prefix", parseServedPrefix, text) for text in texts]
    if not prefixes and interface != LOOPBACK:
        raise OptionError(
            OptionText(
                "{iface:{0}} needs {prefix}: the prefix that arrives there, "
                "such as {prefix:2001:db8::/64}",
                interface,
            )
        )
    if len(prefixes) > MOST_PREFIXES:
        raise OptionError(f"{len(prefixes)} prefixes: at most {MOST_PREFIXES} are served")
    for index, one in enumerate(prefixes):
        for other in prefixes[:index]:
            if one.overlaps(other):
                raise OptionError(
                    OptionText("{prefix:{0}} and {prefix:{1}} overlap: leave one out", other, one)
                )
    return tuple(prefixes) or (DEFAULT_PREFIX,)


def excludedBlocks(texts: Iterable[str], prefixes: tuple[Prefix, ...]) -> tuple[Prefix, ...]:
    """
    Read what is never ours.

    @raise OptionError: one is no address or prefix, lies in no served prefix, or leaves nothing.
    """
    excluded = [namedPrefix("exclude", parsePrefix, text) for text in texts]
    for block in excluded:
        if any(block.covers(prefix) and block != prefix for prefix in prefixes):
            raise OptionError(
                OptionText("{exclude:{0}} leaves nothing of the prefix: exclude less", block)
            )
        if not any(prefix.covers(block) for prefix in prefixes):
            raise OptionError(
                OptionText(
                    "{exclude:{0}} is in none of the prefixes ({1}): leave it out",
                    block,
                    ", ".join(map(str, prefixes)),
                )
            )
    for prefix in prefixes:
        if sum(b.count for b in mergePrefixes(excluded) if prefix.covers(b)) == prefix.count:
            raise OptionError(OptionText("{exclude} leaves nothing of {0}: exclude less", prefix))
    return tuple(dict.fromkeys(excluded))


def httpPlaces(texts: list[str], reactor: Any) -> tuple[int | str, ...]:
    """
    Read where HTTP listens.

    @param texts: ports and descriptions of endpoints, or C{none} alone.
    @return: in order, each once; nothing for C{none}.
    @raise OptionError: one is neither, or C{none} is not alone.
    """
    if "none" not in texts:
        return tuple(dict.fromkeys(_httpPlace(text, reactor) for text in texts))
    if set(texts) != {"none"}:
        raise OptionError(OptionText("{http:none} contradicts another {http}: leave one out"))
    return ()


def _httpPlace(text: str, reactor: Any) -> int | str:
    """
    Read one port, or the description of one endpoint.
    """
    if text.isascii() and text.isdigit():
        port = int(text) if len(text) <= 5 else 0
        if not 1 <= port <= 65535:
            raise OptionError(OptionText("{http:{0}}: a port is from 1 to 65535", shortened(text)))
        return port
    try:
        serverFromString(reactor, text)
    except Exception:
        # What the endpoints' parsers raise for a wrong description is not for a person to read.
        raise OptionError(
            OptionText(
                "{http:{0!r}} is no port and no endpoint: give a port, an endpoint such as "
                r"tcp6:8080:interface=\:\:1, or none",
                text,
            )
        ) from None
    return text


def choice(option: str, choices: type[_E], text: str) -> _E:
    """
    Read a word that is one of a few.

    @raise OptionError: it is none of them.
    """
    try:
        return choices(text)
    except ValueError:
        words = ", ".join(one.value for one in choices)
        raise OptionError(
            OptionText("{option:{0!r}}: choose one of {1}", shortened(text), words, option=option)
        ) from None


def wholeNumber(option: str, text: str, least: int, most: int, unit: str = "") -> int:
    """
    Read a whole number.

    @param unit: of what, for the error.
    @raise OptionError: it is none, or out of range.
    """
    if text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most:
        return int(text)
    asked = f"{unit}{least} to {most:,}"
    raise OptionError(OptionText("{option:{0!r}}: give {1}", shortened(text), asked, option=option))


def secondsBetween(option: str, text: str, least: float, most: float) -> float:
    """
    Read seconds, with decimals or without.

    @raise OptionError: it is no number, or out of range.
    """
    decimal = re.fullmatch(r"([0-9]{1,9})(\.[0-9]{1,9})?", text)
    if decimal is None or not least <= float(text) <= most:
        raise OptionError(
            OptionText(
                "{option:{0!r}}: give seconds from {1:g} to {2:.0f}",
                shortened(text),
                least,
                most,
                option=option,
            )
        )
    return float(text)


def shortened(text: str) -> str:
    """
    What the user wrote, as far as it fits into an error.
    """
    return text if len(text) <= _LONGEST_QUOTED else f"{text[: _LONGEST_QUOTED - 3]}..."


def answersASecond(option: str, text: str) -> int:
    """
    Read a limit.

    @return: answers a second, 1 to a million; 0 for no limit.
    @raise OptionError: it is no whole number, or out of range.
    """
    return wholeNumber(option, text, 0, MOST_A_SECOND, "answers a second, or 0 for no limit: ")


def sitesIn(
    path: str | None, prefixes: tuple[Prefix, ...], excluded: tuple[Prefix, ...]
) -> SitesDirectory:
    """
    Read the tree of sites.

    @raise OptionError: the path is empty.
    @raise SitesError: the tree is wrong.
    """
    if path is None:
        return SitesDirectory()
    return readSites(absolutePath("sites", path), prefixes, excluded)


def accessLogPlace(text: str) -> str:
    """
    Read where requests are logged.

    @return: C{-}, C{none}, or an absolute path.
    @raise OptionError: it is no place where a file can be.
    """
    if text in ("-", "none"):
        return text
    path = absolutePath("access-log", text)
    if os.path.isdir(path):
        raise OptionError(
            OptionText("{access-log:{0!r}} is a directory: name a file in it, - or none", text)
        )
    if not os.path.isdir(os.path.dirname(path)):
        raise OptionError(
            OptionText(
                "{access-log:{0!r}}: name a file in a directory that exists, - or none", text
            )
        )
    return path


def absolutePath(option: str, text: str) -> str:
    """
    Make a path absolute now: twistd changes its directory later.

    @raise OptionError: it is empty.
    """
    if not text:
        raise OptionError(
            OptionText("{option:''}: name a path, or leave the option out", option=option)
        )
    return os.path.abspath(text)


def defaultStateDirectory() -> str:
    """
    C{/var/lib/prefix64} for root, else the user's state directory (XDG Base Directory).
    """
    if os.geteuid() == 0:
        return "/var/lib/prefix64"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "prefix64")


def findLink(name: str, wait: float = 0.0, left: float | None = None) -> Link:
    """
    Find a served interface.

    @param wait: how many seconds to wait for it if it is missing.
    @param left: how many of these are left, after waiting for others; all, if left out.
    @raise InterfaceError: it is missing, is a port of a bridge or bond, or IPv6 is off on it.
    @raise InterruptedStart: Ctrl-C came while it was waited for.
    """
    kernel = RoutingKernel()
    waited = ""
    try:
        link = kernel.link(name)
        if link is None and wait and canExist(name):
            waited = f" (waited {_seconds(wait)})"
            link = _arrived(kernel, name, wait if left is None else left)
        if link is None:
            names = ", ".join(sorted(kernel.linkNames()))
            raise InterfaceError(
                OptionText(
                    "{iface:{0!r}}: there is no such interface; there are: {1}{2}",
                    name,
                    names,
                    waited,
                )
            )
    except UnicodeError:
        raise InterfaceError(
            OptionText("{iface:{0!r}}: there is no such interface", name)
        ) from None
    finally:
        kernel.close()
    if link.portOf in PORTS:
        raise InterfaceError(
            OptionText(
                "{iface:{0!r}} is a port of a {1}, which takes its packets: serve the {1} itself",
                name,
                link.portOf,
            )
        )
    switch = f"net/ipv6/conf/{link.name}/disable_ipv6"
    try:
        with open(f"/proc/sys/{switch}") as setting:
            off = setting.read().strip() != "0"
    except OSError:
        raise InterfaceError(
            OptionText("{iface:{0!r}}: it has no IPv6: is the ipv6 module off?", name)
        ) from None
    if off:
        raise InterfaceError(
            OptionText("{iface:{0!r}}: IPv6 is off there: sysctl -w {1}=0", name, switch)
        )
    return link


def _arrived(kernel: RoutingKernel, name: str, wait: float) -> Link | None:
    """
    Wait for an interface, and say so once. There is no log yet.
    """
    if wait:
        line = f"prefix64: waiting up to {_seconds(wait)} for interface {name!r}"
        print(line, file=sys.stderr, flush=True)
    try:
        return awaitLink(lambda: kernel.link(name), wait)
    except KeyboardInterrupt:
        raise InterruptedStart(f"Ctrl-C came while waiting for interface {name!r}") from None


def _seconds(number: float) -> str:
    """
    A number of seconds in words.
    """
    return f"{number:g} second{'' if number == 1 else 's'}"


def namedPrefix(option: str, parse: Callable[[str], Prefix], text: str) -> Prefix:
    """
    Read an option's value, and name the option in the error.
    """
    try:
        return parse(text)
    except AddressError as error:
        raise OptionError(OptionText("{option} {0}", error, option=option)) from None
