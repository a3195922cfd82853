"""
The kinds of values that keys of the file of C{--config} have, each read as what the command line
would give.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefix64.options.link import FLAGS, LISTS, WORDS
from prefix64.options.values import shortened

LONGEST_TEXT = 4096
"""The most characters of a text."""

NUMBERS = ("table", "priority", "fwmark", "rate", "rate-source", "na-router")
"""The options of interfaces whose values may be written as whole numbers."""

_LARGEST_NUMBER = 1 << 63  # TOML 1.0 wants no more than 64 bits


@dataclass(frozen=True)
class Kind:
    """
    A kind of values.

    @ivar words: what is to be given, for an error.
    @ivar read: given a value, what the command line would give; or L{None}.
    """

    words: str
    read: Callable[[Any], Any]


def kinds(path: str) -> Mapping[str, Kind]:
    """
    The kind of each key.

    @param path: of the file. Paths in it are relative to its directory.
    """
    directory = os.path.dirname(os.path.abspath(path))
    aPath = Kind("a path as a text in quotes", partial(_path, directory, ("",)))
    aLog = Kind("a path as a text in quotes", partial(_path, directory, ("", "-", "none")))
    texts = {name: Kind("a text in quotes", _text) for name in WORDS}
    numbers = {name: Kind("a whole number, or a text in quotes", _number) for name in NUMBERS}
    lists = {name: Kind("a text in quotes, or an array of such", _texts) for name in LISTS}
    return {
        **texts,
        **numbers,
        **lists,
        **{name: Kind("true or false", _flag) for name in FLAGS},
        "ports": Kind('a text in quotes, or an array of such, as ["tcp:80", "udp"]', _joined),
        "http": Kind("a port, a text in quotes, or an array of such", _places),
        "wait": Kind("seconds as a number", _seconds),
        "sites": aPath,
        "state": aPath,
        "access-log": aLog,
    }


def isTooMuch(value: object) -> bool:
    """
    Tell whether a value has a text that no option can have: it is too long, or has a NUL in it,
    which the kernel takes for the end.
    """
    texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return any(len(text) > LONGEST_TEXT or "\0" in text for text in texts)


def inWords(value: object) -> str:
    """
    A value, for an error: as the file has it, if it is short.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(shortened(value))
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST_NUMBER else "a number of more than 64 bits"
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list) else str(value)


def _text(value: object) -> str | None:
    """
    A text.
    """
    return value if isinstance(value, str) else None


def _number(value: object) -> str | None:
    """
    A whole number; or a text, for the words that some options have besides.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _LARGEST_NUMBER else None
    return _text(value)


def _seconds(value: object) -> str | None:
    """
    A number with decimals or without.
    """
    return repr(value) if isinstance(value, float) else _number(value)


def _flag(value: object) -> bool | None:
    """
    A boolean.
    """
    return value if isinstance(value, bool) else None


def _texts(value: object, read: Callable[[object], str | None] = _text) -> list[str] | None:
    """
    One value, or an array.

    @param read: reads one.
    """
    found = [read(one) for one in (value if isinstance(value, list) else [value])]
    texts = [text for text in found if text is not None]
    return texts if len(texts) == len(found) else None


def _places(value: object) -> list[str] | None:
    """
    Ports and endpoints.
    """
    return _texts(value, _number)


def _joined(value: object) -> str | None:
    """
    Protocols and ports, with commas between them.
    """
    texts = _texts(value)
    return None if texts is None else ",".join(texts)


def _path(directory: str, words: tuple[str, ...], value: object) -> str | None:
    """
    A path, made absolute.

    @param directory: what a relative one is relative to.
    @param words: what is no path.
    """
    text = _text(value)
    return text if text is None or text in words else os.path.join(directory, text)
