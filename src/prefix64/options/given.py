"""
What was given on the command line and in the file of C{--config}, put together: the command line
wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefix64.errors import OptionError
from prefix64.option_text import Origin
from prefix64.options.file import ConfigFile, readConfigFile
from prefix64.options.file_keys import OF_LINK, OF_PROCESS, OF_TABLES, TABLES, tableName
from prefix64.routing.entries import LOOPBACK

_GO_WITH_ROUTING = ("ports", "fwmark")
"""What has a meaning only with one way of routing."""


@dataclass(frozen=True)
class Given:
    """
    Options, and where they were given.

    @ivar options: texts by the names of options, lists of texts for those that may be given again,
        booleans for flags. What was not given is missing.
    @ivar origin: where each was given.
    """

    options: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True)
class AllGiven:
    """
    All that was given.

    @ivar process: all options but those of tables.
    @ivar links: the same for each interface, with those of its table.
    """

    process: Given
    links: tuple[Given, ...]

    def interfaces(self) -> list[tuple[str, Origin]]:
        """
        The names of the interfaces as they were given, each with where that was.
        """
        return [(one.options.get("iface", LOOPBACK), one.origin) for one in self.links]


def allGiven(typed: Mapping[str, Any]) -> AllGiven:
    """
    Put the command line and the file together.

    @param typed: what the command line says: texts, lists and flags by the names of options; what
        was not given is L{None}, an empty list, or 0.
    @raise ConfigError: the file cannot be read, or has a wrong key or value.
    @raise OptionError: the command line contradicts the tables of the file.
    """
    path = typed["config"]
    file = ConfigFile("", {}) if path is None else readConfigFile(path)
    line = {name: typed[name] for name in (*OF_PROCESS, *OF_LINK) if _isGiven(typed[name])}
    if file.tables:
        _refuseContradiction(line, file.path)
    tables = [(tableName(index), table) for index, table in enumerate(file.tables)]
    process = _together(file, [], line)
    links = [_together(file, [table], line) for table in tables] or [process]
    return AllGiven(process, tuple(links))


def _isGiven(value: object) -> bool:
    """
    Tell whether the command line has an option.
    """
    return value is not None and value != [] and value != 0


def _refuseContradiction(line: Mapping[str, Any], path: str) -> None:
    """
    See that the command line names no other interface than the file's tables.

    @raise OptionError: it does.
    """
    for name in OF_TABLES:
        if name in line:
            raise OptionError(
                f"--{name} contradicts the [[{TABLES}]] tables of {path}: "
                "leave it out, or change the file"
            )


def _together(
    file: ConfigFile, tables: Iterable[tuple[str, Mapping[str, Any]]], line: Mapping[str, Any]
) -> Given:
    """
    Put one over the other: what the file says at its top, a table of it, the command line.

    @param tables: one, with its name; or none.
    """
    options: dict[str, Any] = {}
    places: dict[str, str] = {}
    for place, layer in [("", file.top), *tables]:
        _lay(options, layer)
        places.update(dict.fromkeys(layer, place))
    _lay(options, line)
    left = {name: place for name, place in places.items() if name in options and name not in line}
    return Given(options, Origin(file.path, left, frozenset(line), place))


def _lay(options: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """
    Put options over others. With another way of routing, what belongs to the one beneath it goes.
    """
    way = options.get("routing")
    if way is not None and layer.get("routing", way) != way:
        for name in _GO_WITH_ROUTING:
            options.pop(name, None)
    options.update(layer)
