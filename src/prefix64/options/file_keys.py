"""
The keys of the file of C{--config}: which there are, where they belong, and what values they have.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from prefix64.errors import ConfigError
from prefix64.option_text import printable
from prefix64.options.file_values import LONGEST_TEXT, Kind, inWords, isTooMuch, kinds
from prefix64.options.link import FLAGS, LISTS, WORDS
from prefix64.options.values import shortened

MOST_INTERFACES = 64
"""The most interfaces of one process."""

TABLES = "interface"
"""The key of the tables of interfaces."""

OF_LINK = (*WORDS, *LISTS, *FLAGS)
OF_PROCESS = ("http", "sites", "state", "access-log", "wait")

OF_TABLES = ("iface", "prefix", "exclude", "forward")
"""What belongs into the tables, if there are any."""


class Keys:
    """
    Reads the keys of one file.
    """

    def __init__(self, path: str) -> None:
        self._path = printable(path)
        self._kinds = kinds(path)

    def top(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """
        Read what stands outside of tables.

        @return: what the command line would give, by the names of options.
        @raise ConfigError: a key or a value cannot be.
        """
        top = {name: value for name, value in document.items() if name != TABLES}
        options = self._options(top, "", (*OF_PROCESS, *OF_LINK))
        misplaced = [name for name in OF_TABLES if name in top]
        if misplaced and self._found(document):
            self._refuse(
                "", f"{misplaced[0]}: with [[{TABLES}]] tables it belongs into one of these"
            )
        return options

    def tables(self, document: Mapping[str, Any]) -> list[dict[str, Any]]:
        """
        Read the tables of interfaces.

        @return: of each what the command line would give, by the names of options.
        @raise ConfigError: a key or a value cannot be.
        """
        found = self._found(document)
        return [self._table(table, tableName(index)) for index, table in enumerate(found)]

    def _found(self, document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """
        The tables of interfaces.
        """
        found = document.get(TABLES, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self._refuse("", f"{TABLES}: write each interface as a table, [[{TABLES}]]")
        if len(found) > MOST_INTERFACES:
            self._refuse("", f"{len(found)} [[{TABLES}]] tables: at most {MOST_INTERFACES}")
        return found

    def _table(self, table: Mapping[str, Any], place: str) -> dict[str, Any]:
        """
        One table, which says of one interface what its prefixes are.
        """
        options = self._options(table, place, OF_LINK)
        for name, example in (("iface", '"eth0"'), ("prefix", '"2001:db8::/64"')):
            if options.get(name) in (None, []):
                self._refuse(place, f"{name} is missing: add {name} = {example}")
        return options

    def _options(
        self, table: Mapping[str, Any], place: str, names: Iterable[str]
    ) -> dict[str, Any]:
        """
        The options of a table.

        @param names: those that it may have.
        """
        options = {}
        for key, value in table.items():
            if key not in names:
                self._refuseKey(key, value, place, names)
            options[key] = self._value(self._kinds[key], key, value, place)
        return options

    def _value(self, kind: Kind, key: str, value: object, place: str) -> Any:
        """
        The value of a key, as the command line would give it.
        """
        read = kind.read(value)
        if isTooMuch(value):
            self._refuse(
                place, f"{key} has a text of more than {LONGEST_TEXT:,} characters, or with a NUL"
            )
        if read is None:
            self._refuse(place, f"{_wrong(kind, key, value)}: give {kind.words}")
        return read

    def _refuseKey(self, key: str, value: object, place: str, names: Iterable[str]) -> NoReturn:
        """
        Say that nobody reads a key, and which one may be meant.
        """
        if key in OF_PROCESS:
            self._refuse(
                place,
                f"{key} is for the whole process: move it to the top, before the first "
                f"[[{TABLES}]]",
            )
        shown = printable(shortened(key))
        if isinstance(value, dict) or _areTables(value):
            what = f"nobody reads the table [{shown}]"
            known = ["interface"] if place == "" else []
        else:
            what, known = f"nobody reads the key {shown}", list(names)
        near = difflib.get_close_matches(shown, known, 1)
        meant = f"did you mean {_asKey(near[0])}?" if near else f"there are: {_listed(known)}"
        self._refuse(place, f"{what}: {meant if known else 'leave it out'}")

    def _refuse(self, place: str, text: str) -> NoReturn:
        """
        Refuse the file.
        """
        where = f"{place}: " if place else ""
        raise ConfigError(f"{self._path}: {where}{text}")


def tableName(index: int) -> str:
    """
    What a table of an interface is called: C{[[interface]] 2}.

    @param index: from 0 on.
    """
    return f"[[{TABLES}]] {index + 1}"


def _wrong(kind: Kind, key: str, value: object) -> str:
    """
    What a key has that it cannot have.
    """
    if not isinstance(value, list | dict):
        return f"{key} = {inWords(value)}"
    if isinstance(value, dict) or kind.read([]) is None:
        return f"{key} is {inWords(value)}"
    wrong = next(one for one in value if kind.read([one]) is None)
    return f"{key} has {inWords(wrong)} in it"


def _areTables(value: object) -> bool:
    """
    Tell whether a value is an array of tables.
    """
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _asKey(name: str) -> str:
    """
    A key, or the name of the tables, as the file would have it.
    """
    return f"[[{TABLES}]]" if name == TABLES else name


def _listed(names: Iterable[str]) -> str:
    """
    The keys that there are.
    """
    return ", ".join(map(_asKey, names))
