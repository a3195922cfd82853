"""
The C{prefix64} command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from prefix64 import __version__
from prefix64.doctor.command import addDoctorCommand
from prefix64.errors import Prefix64Error
from prefix64.lab.command import addLabCommand
from prefix64.probe.command import addProbeCommand


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    top = argparse.ArgumentParser(
        prog="prefix64",
        description="Own every IPv6 address of a prefix. The server itself is: twistd prefix64.",
    )
    top.add_argument("--version", action="version", version=f"prefix64 {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    addLabCommand(commands)
    addProbeCommand(commands)
    addDoctorCommand(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    @param arguments: without the program's name; those of the process if left out.
    @return: the exit status.
    """
    given = parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except Prefix64Error as error:
        print(f"prefix64: {error}", file=sys.stderr)
        return 1
    return status
