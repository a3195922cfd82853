"""
C{prefix64 cleanup}: remove from the kernel what a crashed run left there, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from prefix64.cleanup.cleaning import Cleaning, Outcome, Question
from prefix64.errors import OptionError
from prefix64.options.routing import steering
from prefix64.options.values import absolutePath, defaultStateDirectory
from prefix64.privileges import checkPrivileges
from prefix64.routing.commands import quoted
from prefix64.routing.entries import PRIORITY, TABLE


def addCleanupCommand(commands: Any) -> None:
    """
    Add the command to the parser.
    """
    cleanup = commands.add_parser(
        "cleanup",
        help="remove what a crashed server left in the kernel",
        description=(
            "Remove the rules, routes, neighbor proxies and changed sysctls that a twistd prefix64 "
            "left which was killed or crashed, and print each. What belongs to one that runs, or "
            "to anybody else, is left alone. The next start on the same interface takes over what "
            "was left, so this is for when there is to be none."
        ),
    )
    add = cleanup.add_argument
    add("-i", "--iface", metavar="NAME", help="the interface that was served [default: every one]")
    add("--table", metavar="N", help=f"the routing table [default: {TABLE}]")
    add("--priority", metavar="N", help=f"the priority of the rules [default: {PRIORITY}]")
    add("--state", metavar="DIRECTORY",
        help=f"where sysctls were written down [default: {defaultStateDirectory()}]")  # fmt: skip
    add("--dry-run", action="store_true", help="print what would be done, and change nothing")
    add("--json", action="store_true", help="print JSON")
    cleanup.set_defaults(run=runCleanup)


def runCleanup(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0 if nothing is left that was asked for, also if nothing was; 1 if something is: the
        kernel refused, or the interface is served.
    @raise Prefix64Error: an option is wrong, a privilege is missing, or nothing could be found out.
    """
    question = asked(given)
    if not question.rehearsed:
        checkPrivileges(True, False, ())
    outcome = Cleaning(question).clean()
    if given.json:
        print(json.dumps(asJson(question, outcome), indent=2), flush=True)
    else:
        print("\n".join(lines(question, outcome)), flush=True)
    for error in outcome.refused:
        print(f"prefix64: not undone: {error}", file=sys.stderr)
    return int(bool(outcome.refused) or outcome.isServed)


def asked(given: argparse.Namespace) -> Question:
    """
    Read the options.

    @raise OptionError: one is wrong.
    """
    if given.iface == "":
        raise OptionError("--iface '': name an interface, or leave the option out")
    numbers = steering({"table": given.table, "priority": given.priority}).numbers
    return Question(numbers, given.iface, _stateDirectory(given.state), given.dry_run)


def _stateDirectory(text: str | None) -> str:
    """
    The state directory. The usual one need not be there, for most runs write nothing down.

    @raise OptionError: it cannot be read.
    """
    directory = defaultStateDirectory() if text is None else absolutePath("state", text)
    missing = text is None and not os.path.lexists(directory)
    if not missing and not (os.path.isdir(directory) and os.access(directory, os.R_OK | os.X_OK)):
        raise OptionError(
            f"--state {directory!r} cannot be read, so that it is not known what sysctls were: "
            "name the directory that the server had"
        )
    return directory


def lines(question: Question, outcome: Outcome) -> Iterator[str]:
    """
    What was done, and what was not.
    """
    if outcome.removed:
        yield "# would be removed:" if question.rehearsed else "# removed:"
        yield from map(str, outcome.removed)
    else:
        where = f": there is no interface {quoted(question.interface or '')}"
        yield "# nothing to remove" + (where if outcome.isUnknown else "")
    for name, by in outcome.left.items():
        what = "where firewall marks lead" if " " in name else "served"
        yield f"# left alone: {name if ' ' in name else quoted(name)} is {what} {by}"
    for numbers in outcome.others:
        yield (
            "# something is left under other numbers: prefix64 cleanup "
            f"--table {numbers.table} --priority {numbers.priority}"
        )


def asJson(question: Question, outcome: Outcome) -> dict[str, Any]:
    """
    What was done, for a program.
    """
    return {
        "dryRun": question.rehearsed,
        "removed": [list(command.words) for command in outcome.removed],
        "refused": [str(error) for error in outcome.refused],
        "left": [{"what": name, "holder": by} for name, by in outcome.left.items()],
        "others": [{"table": one.table, "priority": one.priority} for one in outcome.others],
    }
