"""
C{prefix64 plan}: print what C{twistd prefix64} with the same options would put into the kernel, as
commands. It changes nothing, and needs no privilege.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.python import usage

from prefix64.errors import Prefix64Error
from prefix64.options.command_line import Options
from prefix64.planning.link_plan import LinkPlan, Planning
from prefix64.routing.commands import Command, guardName, quoted

NOTHING_PLANNED = 2
"""The exit status if there is no plan."""

_HEAD = (
    "What twistd prefix64 puts into the kernel, in this order: for sh(1), to do the same by hand.",
    "Nothing has been changed.",
)
_OWNER = (
    "prefix64 owns this table (flags owner), which ends with the process. nft(8) cannot give it an",
    "owner that lasts: what it makes ends by hand only:",
)


def _unchecked(admin: bool, packets: bool, ports: Iterable[int]) -> None:
    """
    Ask for no privilege.
    """


class PlanOptions(Options):
    """
    What C{prefix64 plan} takes: all that C{twistd prefix64} takes.
    """

    synopsis = "Usage: prefix64 plan [options]"
    longdesc = (
        "Print what twistd prefix64 with the same options would put into the kernel, each with its "
        "reason, as the ip, sysctl and nft commands that would do the same. Nothing is changed, "
        "and no privilege is needed. Options that have to do with nothing there are taken, too."
    )
    optFlags = [["json", None, "print JSON"]]

    checkPrivileges: Callable[..., None] = staticmethod(_unchecked)


def addPlanCommand(commands: Any) -> None:
    """
    Add the command to the parser. Its options are read by L{PlanOptions}: for argparse none of its
    arguments is an option.
    """
    plan = commands.add_parser(
        "plan",
        help="print what the server would put into the kernel",
        prefix_chars="\0",
        add_help=False,
    )
    plan.add_argument("options", nargs=argparse.REMAINDER)
    plan.set_defaults(run=runPlan)


def runPlan(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0; 1 if there is a plan and a reason why a start would fail; 2 if there is no plan.
    """
    options = PlanOptions()
    try:
        options.parseOptions(given.options)
        plans = Planning(options.settings).plans()
    except (usage.UsageError, Prefix64Error) as error:
        print(f"prefix64: {error}", file=sys.stderr)
        return NOTHING_PLANNED
    return _told(plans, bool(options["json"]))


def _told(plans: list[LinkPlan], asOneDocument: bool) -> int:
    """
    Print the plans, and then the first objection.
    """
    text = json.dumps(asJson(plans), indent=2) if asOneDocument else "\n".join(lines(plans))
    print(text, flush=True)
    objection = next((plan.objection for plan in plans if plan.objection is not None), None)
    if objection is not None:
        print(f"prefix64: {objection}", file=sys.stderr)
    return int(objection is not None)


def lines(plans: Iterable[LinkPlan]) -> Iterator[str]:
    """
    The plans as a script.
    """
    yield from (f"# {line}" for line in _HEAD)
    for plan in plans:
        prefixes = " and ".join(map(str, plan.prefixes))
        served = f"; served now {plan.holder}" if plan.holder is not None else ""
        yield f"\n# {prefixes} on {quoted(plan.interface)}{served}"
        yield from map(str, plan.commands)
        yield from _guardLines(plan)
        if not plan.commands and plan.guard == ():
            yield "# nothing"


def _guardLines(plan: LinkPlan) -> Iterator[str]:
    """
    The echo guard as a part of a script.
    """
    if plan.guard is None:
        yield "# The echo guard is left out: nft(8) cannot write the name of the interface."
    elif plan.guard:
        yield from (f"# {line}" for line in _OWNER)
        yield f"# nft delete table ip6 {guardName(plan.interface)}"
        yield from map(str, plan.guard)


def asJson(plans: Iterable[LinkPlan]) -> dict[str, Any]:
    """
    The plans, for a program.
    """
    return {
        "links": [
            {
                "interface": plan.interface,
                "prefixes": [str(prefix) for prefix in plan.prefixes],
                "holder": plan.holder,
                "commands": [_commandAsJson(one) for one in (*plan.commands, *(plan.guard or ()))],
                "objection": None if plan.objection is None else str(plan.objection),
            }
            for plan in plans
        ]
    }


def _commandAsJson(command: Command) -> dict[str, Any]:
    """
    One command: its words, which need no shell.
    """
    return {"command": list(command.words), "reason": command.reason}
