"""
The grammar of an ndppd.conf, as ndppd 0.2.5 reads it: names, values, blocks and comments.

A setting is a name, an optional C{=}, a value that ends with a blank or a brace, and an optional
block in braces. The value and the opening brace stand on the line of the name. A setting needs no
end of line: C{router no ttl 500} is two. Comments begin with C{#} or C{//} and end with the line,
or stand between C{/*} and C{*/}.

What makes ndppd hang, skip what is meant or read nothing of the rest is an error here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from prefix64.errors import NdppdError

MOST_BYTES = 1 << 20
"""The longest file that is read."""

MOST_SETTINGS = 2_000
DEEPEST = 8
"""How many blocks may be open at once. ndppd has a use for two."""

_LONGEST_QUOTED = 40
"""Characters of what the file says that are repeated."""

_BLANKS = re.compile(r"[ \t\v\f\r]*")
_BLANKS_AND_LINES = re.compile(r"[ \t\n\v\f\r]*")
_TO_THE_LINE_END = re.compile(r"[^\n]*")
_NAME = re.compile(r"[A-Za-z0-9_-]*")
_VALUE = re.compile(r"[!-z|~]*")
"""What C's isgraph takes for visible, less the braces."""


@dataclass(frozen=True, slots=True)
class Setting:
    """
    A setting.

    @ivar name: its name; empty where something else stands, such as C{;}.
    @ivar value: what stands behind the name on its line, or the empty string.
    @ivar line: the number of that line, from 1.
    @ivar block: the settings inside its braces; L{None} if it has none.
    """

    name: str
    value: str
    line: int
    block: tuple[Setting, ...] | None = None


def quoted(value: str) -> str:
    """
    What a file says, in quotes: cut where it is long, and with nothing in it but visible ASCII.
    """
    cut = value[:_LONGEST_QUOTED]
    return ascii(cut) + ("..." if cut != value else "")


def readSettings(content: bytes, file: str) -> tuple[Setting, ...]:
    """
    Read a file.

    @param content: all of it.
    @param file: what an error calls it.
    @raise NdppdError: it is no ndppd.conf, or one that ndppd does not read as it looks.
    """
    if len(content) > MOST_BYTES:
        raise NdppdError(f"{file} is larger than {MOST_BYTES:,} bytes: is it an ndppd.conf?")
    return _Reader(content.decode("latin-1"), file).settings()


class _Reader:
    """
    Where the reading of a text has come to.
    """

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._position = 0
        self._count = 0
        self._counted, self._line = 0, 1

    def settings(self) -> tuple[Setting, ...]:
        """
        Read all of it.
        """
        if (end := self._text.find("\0")) >= 0:
            self._position = end
            self._wrong("a NUL byte, behind which ndppd reads nothing: is it a text file?")
        found = self._block(0)
        if self._next == "}":
            line = self._lineHere()
            self._position += 1
            self._skip(_BLANKS_AND_LINES)
            if self._next:
                self._wrong(
                    "'}' closes nothing, and ndppd reads nothing behind it: delete it, or the rest",
                    line,
                )
        return found

    @property
    def _next(self) -> str:
        """The next character, or the empty string at the end."""
        return self._text[self._position : self._position + 1]

    def _lineHere(self) -> int:
        """
        The number of the line that has been come to.
        """
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    def _wrong(self, what: str, line: int | None = None) -> NoReturn:
        """
        Say what is wrong.

        @param line: where, if not here.
        """
        raise NdppdError(f"{self._file}:{self._lineHere() if line is None else line}: {what}")

    def _take(self, pattern: re.Pattern[str]) -> str:
        """
        Take what fits a pattern, which is always something, if only the empty string.
        """
        found = pattern.match(self._text, self._position)
        assert found is not None
        self._position = found.end()
        return found[0]

    def _skip(self, blanks: re.Pattern[str]) -> None:
        """
        Skip blanks and comments.
        """
        while True:
            self._take(blanks)
            if self._next == "#" or self._text.startswith("//", self._position):
                self._take(_TO_THE_LINE_END)
            elif self._text.startswith("/*", self._position):
                # One character further, not two: ndppd takes /*/ for a whole comment.
                end = self._text.find("*/", self._position + 1)
                if end < 0:
                    self._wrong("the comment has no end: put */ behind it")
                self._position = end + 2
            else:
                return

    def _block(self, depth: int) -> tuple[Setting, ...]:
        """
        Read settings up to a closing brace, or to the end of the text.

        @param depth: how many blocks are open.
        """
        found: list[Setting] = []
        while True:
            self._skip(_BLANKS_AND_LINES)
            if self._next in ("", "}"):
                return tuple(found)
            found.append(self._setting(depth))

    def _setting(self, depth: int) -> Setting:
        """
        Read a setting.
        """
        self._count += 1
        line = self._lineHere()
        if self._count > MOST_SETTINGS:
            self._wrong(f"more than {MOST_SETTINGS:,} settings: is it an ndppd.conf?")
        name, value = self._nameAndValue()
        if self._next == "{":
            return Setting(name, value, line, self._braces(name, value, depth))
        if not name and not value and self._next not in ("\n", "}", ""):
            self._wrong(f"{quoted(self._next)} is read by ndppd in comments only: delete it")
        return Setting(name, value, line)

    def _nameAndValue(self) -> tuple[str, str]:
        """
        Read what stands before a block, or instead of one.
        """
        name = self._take(_NAME)
        self._skip(_BLANKS)
        if self._next == "=":
            self._position += 1
            self._skip(_BLANKS)
        value = self._quotedValue() if self._next in ("'", '"') else self._take(_VALUE)
        self._skip(_BLANKS)
        return name, value

    def _braces(self, name: str, value: str, depth: int) -> tuple[Setting, ...]:
        """
        Read the block of a setting, with its braces.
        """
        line = self._lineHere()
        if not name and not value:
            self._wrong("'{' is read by ndppd on the line of its proxy or rule only: put it there")
        if depth == DEEPEST:
            self._wrong(f"more than {DEEPEST} blocks in each other: is it an ndppd.conf?")
        self._position += 1
        block = self._block(depth + 1)
        if not self._next:
            self._wrong(f"the block of {quoted(f'{name} {value}'.strip())} has no '}}'", line)
        self._position += 1
        return block

    def _quotedValue(self) -> str:
        """
        Read a value in quotes. ndppd does not read what stands behind it on the line.
        """
        quote = self._next
        start = self._position + 1
        rest = self._take(_TO_THE_LINE_END)[1:]
        value, closing, behind = rest.partition(quote)
        if not closing or behind.strip(" \t\v\f\r"):
            self._wrong(
                f"{quoted(quote + rest)}: ndppd does not read the rest of a line with quotes: "
                "leave them out"
            )
        self._position = start + len(rest)
        return value
