"""
The C{prefix64} command.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from prefix64 import __version__
from prefix64.cleanup.command import addCleanupCommand
from prefix64.doctor.command import addDoctorCommand
from prefix64.errors import Prefix64Error
from prefix64.lab.command import addLabCommand
from prefix64.ndppd.command import addImportNdppdCommand
from prefix64.planning.command import addPlanCommand
from prefix64.probe.command import addProbeCommand

INTERRUPTED, NOBODY_READS = 130, 141
"""Exit statuses, as the shell has them for SIGINT and SIGPIPE."""

CANNOT_WRITE = 2

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Parser(argparse.ArgumentParser):
    """
    Says a mistake in one line.
    """

    def error(self, message: str) -> NoReturn:
        """
        End with the line, and status 2.
        """
        self.exit(2, f"prefix64: {message} ({self.prog} --help shows what there is)\n")


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    top = Parser(
        prog="prefix64",
        description="Own every IPv6 address of a prefix. The server itself is: twistd prefix64.",
    )
    top.add_argument("--version", action="version", version=f"prefix64 {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    addLabCommand(commands)
    addProbeCommand(commands)
    addDoctorCommand(commands)
    addImportNdppdCommand(commands)
    addPlanCommand(commands)
    addCleanupCommand(commands)
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
        sys.stdout.flush()
    except Prefix64Error as error:
        print(f"prefix64: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("prefix64: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.errno != errno.EPIPE and error.errno not in _FULL:
            raise
        discardOutput()
        if error.errno == errno.EPIPE:
            return NOBODY_READS  # who reads has seen enough
        print(f"prefix64: the output cannot be written: {error.strerror}", file=sys.stderr)
        return CANNOT_WRITE
    return status


def discardOutput() -> None:
    """
    Let what is still to be written go nowhere: it would fail again when the process ends.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
