"""
The options of the whole process, from texts to its settings.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from prefix64.errors import OptionError, givenIn
from prefix64.option_text import OptionText
from prefix64.options.given import AllGiven, Given
from prefix64.options.link import linkSettings
from prefix64.options.routing import checkPorts, checkProxied
from prefix64.options.values import (
    LONGEST_WAIT,
    absolutePath,
    accessLogPlace,
    defaultStateDirectory,
    httpPlaces,
    secondsBetween,
    sitesIn,
)
from prefix64.routing.entries import Way
from prefix64.settings import Launch, LinkSettings, Settings


def readSettings(given: AllGiven, reactor: Any, launch: Launch) -> Settings:
    """
    Read all options. Nothing but files is looked at.

    @raise Prefix64Error: one is wrong, or contradicts another.
    """
    links = tuple(map(_linkSettings, given.links))
    checkTogether(links)
    process = given.process.options
    with givenIn(given.process.origin):
        http = httpPlaces(process.get("http") or ["80"], reactor)
        excluded = tuple(block for link in links for block in link.excluded)
        prefixes = tuple(prefix for link in links for prefix in link.prefixes)
        sites = sitesIn(process.get("sites"), prefixes, excluded)
        stateDirectory = _stateDirectory(process.get("state"))
        accessLog = accessLogPlace(process.get("access-log", "-"))
    for link in links:
        with givenIn(link.origin):
            checkPorts(link, http)
            checkProxied(link, sites.hosts)
    return Settings(links, http, sites, stateDirectory, accessLog, launch, given.process.origin)


def readWait(given: AllGiven) -> float:
    """
    Read how many seconds to wait for interfaces that are missing.

    @raise OptionError: it is no number, or out of range.
    """
    with givenIn(given.process.origin):
        text = given.process.options.get("wait", "0")
        return secondsBetween("wait", text, 0, LONGEST_WAIT)


def _linkSettings(given: Given) -> LinkSettings:
    """
    Read the options of one interface.
    """
    with givenIn(given.origin):
        return dataclasses.replace(linkSettings(given.options), origin=given.origin)


def checkTogether(links: Sequence[LinkSettings]) -> None:
    """
    See that no two interfaces contradict each other.

    @raise OptionError: two are the same, share an address, or cannot share a table.
    """
    names: set[str] = set()
    tables: dict[int, list[LinkSettings]] = {}
    for link in links:
        with givenIn(link.origin):
            if link.interface in names:
                raise OptionError(
                    OptionText(
                        "{iface:{0!r}} is there already: give it one table, with all its prefixes",
                        link.interface,
                    )
                )
            if link.steering.way is not Way.NONE:
                _checkTable(link, tables.setdefault(link.steering.numbers.table, []))
        names.add(link.interface)
    _checkPrefixes(links)


def _checkTable(link: LinkSettings, others: list[LinkSettings]) -> None:
    """
    See that an interface can share its table with others: with another priority it could not be
    told whose a route is that was left there, and marks would lead to all prefixes of the table.

    @param others: those before it, to which it is added.
    """
    numbers, isMarked = link.steering.numbers, link.steering.way is Way.FWMARK
    for other in others:
        if other.steering.numbers.priority != numbers.priority:
            raise OptionError(
                OptionText(
                    "{priority:{0}} in table {1}, where {2} has {3}: give this one another "
                    "{table}, or the same {priority}",
                    numbers.priority,
                    numbers.table,
                    other.interface,
                    other.steering.numbers.priority,
                )
            )
        if isMarked and other.steering.way is Way.FWMARK:
            raise OptionError(
                OptionText(
                    "{routing:fwmark} leads to table {0}, as that of {1} does: give this one "
                    "another {table}",
                    numbers.table,
                    other.interface,
                )
            )
    others.append(link)


def _checkPrefixes(links: Sequence[LinkSettings]) -> None:
    """
    See that no two interfaces share an address. Of sorted prefixes, one that overlaps with any does
    so with the next to it.
    """
    every = sorted((prefix, place) for place, link in enumerate(links) for prefix in link.prefixes)
    for pair in itertools.pairwise(every):
        if pair[0][0].overlaps(pair[1][0]):
            (one, earlier), (other, later) = sorted(pair, key=lambda found: found[1])
            with givenIn(links[later].origin):
                raise OptionError(
                    OptionText(
                        "{prefix:{0}} overlaps with {1} of {2}: leave one out",
                        other,
                        one,
                        links[earlier].interface,
                    )
                )


def _stateDirectory(text: str | None) -> str:
    """
    The state directory, as an absolute path.
    """
    return defaultStateDirectory() if text is None else absolutePath("state", text)
