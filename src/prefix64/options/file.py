"""
The file of C{--config}: TOML, from keys and values to texts by the names of options, as the command
line would give them. Its shape is checked here; what a text means is checked where the command
line's is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefix64.errors import ConfigError
from prefix64.option_text import printable
from prefix64.options.file_keys import Keys

LARGEST_FILE = 1 << 20
"""The most bytes of a file."""


@dataclass(frozen=True)
class ConfigFile:
    """
    What a file says.

    @ivar path: of the file, as a person reads it.
    @ivar top: texts by the names of options, lists of texts, and booleans, as the file has them
        outside of tables.
    @ivar tables: the same of each table, which is an interface.
    """

    path: str
    top: Mapping[str, Any]
    tables: tuple[Mapping[str, Any], ...] = ()


def readConfigFile(path: str) -> ConfigFile:
    """
    Read a file.

    @raise ConfigError: it cannot be read, or has a key that nobody reads, or a value of another
        kind than its key has.
    """
    if not path:
        raise ConfigError("--config '': name a file, or leave the option out")
    document, keys = _parsed(path, _content(path)), Keys(path)
    top = keys.top(document)
    return ConfigFile(printable(path), top, tuple(keys.tables(document)))


def _content(path: str) -> str:
    """
    The text of a file.

    @raise ConfigError: there is none.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(
            f"--config {path!r}: {error.strerror}: name a file that can be read"
        ) from None
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"--config {path!r}: more than {LARGEST_FILE:,} bytes: make it shorter")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"--config {path!r}: line {line} is not UTF-8: save the file in that encoding"
        ) from None


def _parsed(path: str, content: str) -> dict[str, Any]:
    """
    The keys and values of a text.

    @raise ConfigError: it is not TOML, or more than can be read.
    """
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        reason = (
            str(error) if len(str(error)) <= 200 else f"{str(error)[:120]}...{str(error)[-60:]}"
        )
        raise ConfigError(
            f"--config {path!r} is not TOML (https://toml.io): {printable(reason)}"
        ) from None
    except (RecursionError, ValueError):
        raise ConfigError(
            f"--config {path!r} has a number that is too long, or too many brackets in each other"
        ) from None
