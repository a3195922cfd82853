"""
What is to be served, written as a command line or as TOML, with remarks as comments.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator

from prefix64.ndppd.conversion import Served, written
from prefix64.ndppd.model import Remark

NOT_CONVERTED = "NOT CONVERTED"
"""What a remark begins with that tells of something that will not be done."""

_WIDTH = 96
_MOST_LINES_NAMED = 8


def comments(remarks: Iterable[Remark]) -> Iterator[str]:
    """
    Write remarks in the order of their lines, those of what will not be done first.
    """
    for remark in sorted(remarks, key=lambda remark: (not remark.isMissed, remark.lines)):
        mark = f"{NOT_CONVERTED}, " if remark.isMissed else ""
        yield from comment(f"{mark}{_places(remark.lines)}: {remark.text}")


def comment(text: str) -> Iterator[str]:
    """
    Write a text as lines that begin with C{#}.
    """
    yield from textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _places(lines: tuple[int, ...]) -> str:
    """
    Name lines by their numbers, the first ones if there are many.
    """
    named = ", ".join(map(str, lines[:_MOST_LINES_NAMED]))
    more = len(lines) - _MOST_LINES_NAMED
    return f"line{'s' if len(lines) > 1 else ''} {named}{f' and {more} more' if more > 0 else ''}"


def _forwards(served: Served) -> list[str]:
    """
    The values of C{--forward}.
    """
    return ["auto"] * served.followsRoutes + [written(prefix) for prefix in served.forwarded]


def _routerFlag(served: Served) -> str:
    """
    The value of C{--na-router}.
    """
    return "auto" if served.router else "0"


def _asItIs(served: Served) -> list[tuple[str, str]]:
    """
    Where no address is this host's own: its routes are left as they are, and no other address is
    answered for than those that are forwarded.
    """
    return [("routing", "none"), ("respond", "hosts")] if served.ownsNothing else []


def commandLine(served: Served) -> Iterator[str]:
    """
    Write the command that serves an interface, for a shell: each line but the last goes on.
    """
    options = [("--iface", served.interface)]
    options += [("--prefix", str(prefix)) for prefix in served.prefixes]
    options += [("--exclude", str(prefix)) for prefix in served.excluded]
    options += [("--forward", value) for value in _forwards(served)]
    options += [(f"--{name}", value) for name, value in _asItIs(served)]
    options += [("--http", "none"), ("--echo", "kernel"), ("--na-router", _routerFlag(served))]
    line = "twistd -n prefix64"
    for option in map(shlex.join, options):
        if len(line) + len(option) > _WIDTH:
            yield f"{line} \\"
            line = "   "
        line += f" {option}"
    yield line


def toml(interfaces: Iterable[Served]) -> Iterator[str]:
    """
    Write the file for C{--config}.
    """
    yield 'http = "none"'
    yield 'echo = "kernel"'
    for served in interfaces:
        yield ""
        yield "[[interface]]"
        yield f"iface = {json.dumps(served.interface)}"
        yield from _list("prefix", [str(prefix) for prefix in served.prefixes])
        yield from _list("exclude", [str(prefix) for prefix in served.excluded])
        yield from _list("forward", _forwards(served))
        yield from (f'{name} = "{value}"' for name, value in _asItIs(served))
        yield f'na-router = "{_routerFlag(served)}"'


def _list(key: str, values: list[str]) -> Iterator[str]:
    """
    Write a list, on one line if it is short; nothing if it is empty.
    """
    line = f"{key} = {json.dumps(values)}"
    if not values:
        return
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{key} = ["
    for value in values:
        yield f"    {json.dumps(value)},"
    yield "]"
