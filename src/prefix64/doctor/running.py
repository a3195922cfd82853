"""
How the prefix64 runs that serves an interface: its command line, as /proc has it, read as the
server itself reads it. Whoever wrote it is not trusted: what is no command line of prefix64's is
nothing.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twisted.python import usage

from prefix64.addressing import Prefix
from prefix64.doctor.facts import Instance
from prefix64.errors import Prefix64Error
from prefix64.hosts.directory import readSites
from prefix64.hosts.model import Host
from prefix64.instance_lock import holder
from prefix64.options.command_line import Options
from prefix64.options.given import allGiven
from prefix64.options.link import FLAGS, LISTS, WORDS, linkSettings
from prefix64.options.values import httpPlaces
from prefix64.settings import LinkSettings

_PROC = Path("/proc")
_MOST_BYTES = 1 << 17
_COMMAND = "prefix64"
_KNOWN = {*WORDS, *LISTS, *FLAGS, "http", "sites", "state", "access-log", "wait", "config"}


class _Read(Options):
    """
    The server's options without its checks of the host.
    """

    def postOptions(self) -> None:
        """
        Nothing: what the process was told is looked at, not whether it could be told so again.
        """

    def opt_version(self) -> None:
        """
        No server runs with this.
        """
        raise usage.UsageError("--version")

    opt_help = opt_version


def instanceOn(interface: str) -> Instance | None:
    """
    The prefix64 that runs on an interface.
    """
    by = holder(interface)
    if by is None:
        return None
    found = re.search(r"process (\d+)", by)
    process = int(found[1]) if found is not None else 0
    if not process:  # of another process namespace
        return Instance(by)
    return told(Instance(by, _capabilities(process)), process, interface)


def told(instance: Instance, process: int, interface: str) -> Instance:
    """
    Add what the command line and its file say, if it is one of prefix64's.
    """
    options = next(_given(process), None)
    if options is None:
        return instance
    try:
        given = allGiven(_asSeenFrom(process, options))
        names = [name for name, _ in given.interfaces()]
        one = given.links[names.index(interface) if interface in names else 0]
        settings = linkSettings(one.options)
        prefixes = [p for link in given.links for p in linkSettings(link.options).prefixes]
        places = httpPlaces(given.process.options.get("http") or ["80"], None)
        sites = given.process.options.get("sites")
    except (Prefix64Error, KeyError, ValueError, OSError):
        return instance
    if len(names) > 1 and interface not in names:
        return instance  # it is called by another name there: which is it?
    return dataclasses.replace(
        instance,
        # it may have been called by another of its names
        settings=dataclasses.replace(settings, interface=interface),
        ports=tuple(place for place in places if isinstance(place, int)),
        hosts=_hosts(sites, process, prefixes, settings),
    )


def _asSeenFrom(process: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """
    The options with the path of the file as it is found from here. What the file says of other
    paths is relative to it.
    """
    path = options["config"]
    return {**options, "config": None if path is None else _seenFrom(process, path)}


def commandLine(process: int) -> list[str]:
    """
    The words of a process's command line; nothing, if it cannot be read, or is too long.
    """
    try:
        with open(_PROC / str(process) / "cmdline", "rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError:
        return []
    whole = len(text) < _MOST_BYTES
    return text.decode("utf-8", "surrogateescape").split("\0")[:-1] if whole else []


def _given(process: int) -> Iterator[dict[str, Any]]:
    """
    The options of the server: what follows the name of twistd's command. It may stand among
    twistd's own options, too, as the name of a file. With an option that is not known here, nothing
    is known: it may say how an interface is served.
    """
    words = commandLine(process)
    for index, word in enumerate(words):
        if word == _COMMAND:
            options = _Read()
            try:
                options.parseOptions(words[index + 1 :])
            except (usage.UsageError, SystemExit, ValueError):
                continue
            if all(name in _KNOWN for name, value in options.items() if value):
                yield options


def _hosts(
    path: str | None, process: int, served: Iterable[Prefix], settings: LinkSettings
) -> tuple[Host, ...] | None:
    """
    What has a site of its own on the interface, in the tree that the other process reads.

    @param served: the prefixes of all its interfaces.
    """
    if path is None:
        return ()
    isSeen = path.startswith(f"{_PROC}/{process}/")
    try:
        hosts = readSites(path if isSeen else _seenFrom(process, path), tuple(served)).hosts
    except (Prefix64Error, OSError, ValueError):
        return None
    return tuple(h for h in hosts if any(p.covers(h.prefix) for p in settings.prefixes))


def _seenFrom(process: int, path: str) -> str:
    """
    A path as another process sees it, from its directory or its root.
    """
    place = _PROC / str(process) / ("root" if os.path.isabs(path) else "cwd")
    return os.path.join(place, path.lstrip("/"))


def _capabilities(process: int) -> int | None:
    """
    The effective set of a process.
    """
    try:
        text = (_PROC / str(process) / "status").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", text, re.M)
    return None if found is None else int(found[1], 16)
