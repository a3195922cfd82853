"""
C{prefix64 import-ndppd}: print the options that do what an ndppd.conf did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from prefix64.errors import NdppdError
from prefix64.ndppd.configuration import readConfiguration
from prefix64.ndppd.conversion import FORWARD, OWN, Conversion, convert
from prefix64.ndppd.model import Remark
from prefix64.ndppd.reading import MOST_BYTES, readSettings
from prefix64.ndppd.writing import NOT_CONVERTED, commandLine, comment, comments, toml

DEFAULT_FILE = "/etc/ndppd.conf"
_STANDARD_INPUT = "-"
_ALL, _NOT_ALL = 0, 1
_GUIDE = "docs/howto-ndppd.md"


def addImportNdppdCommand(commands: Any) -> None:
    """
    Add the command to the parser.
    """
    command = commands.add_parser(
        "import-ndppd",
        help="print the options that do what an ndppd.conf did",
        description=(
            "Read the configuration of ndppd 0.2.5, and print the twistd command that does the "
            "same, or a file for its --config if ndppd listened on several interfaces. What has "
            "to be known is in comments. It changes nothing."
        ),
        epilog="Exit status 0: all of it is converted; 1: some of it has no counterpart, or the "
        "file has a mistake: the line says which.",
    )
    add = command.add_argument
    add("file", nargs="?", default=DEFAULT_FILE, metavar="FILE",
        help=f"the file; - is standard input [default: {DEFAULT_FILE}]")  # fmt: skip
    add("--toml", action="store_true", help="print a file for --config, also for one interface")
    add("--static", choices=(OWN, FORWARD),
        help="what static rules are: addresses of this host itself, or what lives behind it "
             "[default: those longer than /64 live behind it]")  # fmt: skip
    command.set_defaults(run=runImportNdppd)


def runImportNdppd(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0 if all was converted, else 1.
    @raise NdppdError: the file cannot be read, has a mistake, or nothing that could be served.
    """
    file = printable("standard input" if given.file == _STANDARD_INPUT else given.file)
    configuration = readConfiguration(readSettings(content(given.file, file), file), file)
    converted = convert(configuration.proxies, given.static)
    remarks = [*configuration.remarks, *converted.remarks]
    print("\n".join(page(file, converted, remarks, given.toml)))
    missed = sum(len(remark.lines) for remark in remarks if remark.isMissed)
    if not converted.interfaces:
        raise NdppdError(f"{file} has no rule that prefix64 could serve: see {_GUIDE}")
    if missed:
        print(f"prefix64: {file}: no counterpart for {missed} of its settings: see {NOT_CONVERTED} "
              "in the comments", file=sys.stderr)  # fmt: skip
    return _NOT_ALL if missed else _ALL


def content(name: str, file: str) -> bytes:
    """
    Read a file, up to one byte more than is allowed.

    @param name: its path, or C{-}.
    @param file: what an error calls it.
    @raise NdppdError: it cannot be read.
    """
    try:
        if name == _STANDARD_INPUT:
            if sys.stdin is None:
                raise ValueError("it is closed")
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with open(name, "rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise NdppdError(f"{file} cannot be read: {why}: name an ndppd.conf") from None


def page(file: str, converted: Conversion, remarks: list[Remark], asToml: bool) -> Iterator[str]:
    """
    All that is printed, in lines.
    """
    served = converted.interfaces
    asToml = asToml or len(served) > 1
    yield from comment(f"What {file} did, by prefix64 import-ndppd.")
    yield from comments(remarks)
    if any(one.excluded for one in served):
        yield from comment("A single address is served as the /127 that it is in, less the other.")
    if any(one.forwards for one in served):
        yield from comment("forward needs: sysctl -w net.ipv6.conf.all.forwarding=1")
    if served:
        yield from comment("Before the start: systemctl disable --now ndppd")
    if served and asToml:
        yield from comment("Start it with: twistd -n prefix64 --config THIS-FILE")
        yield ""
        yield from toml(served)
    elif served:
        yield from commandLine(served[0])


def printable(name: str) -> str:
    """
    A path, in quotes and escaped if there is anything in it but visible ASCII.
    """
    return name if name.isascii() and name.isprintable() else ascii(name)
