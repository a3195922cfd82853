"""
C{prefix64 doctor}: find out why nothing answers, and say what to do. It changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, count, exitStatus, summary, unknown
from prefix64.doctor.firewall.reading import readFirewall
from prefix64.doctor.firewall_checks import checkFirewall, checkListening
from prefix64.doctor.gathering import Question, gather, joinedGroups
from prefix64.doctor.link_checks import (
    checkInstance,
    checkInterface,
    checkLink,
    checkMulticast,
    checkPrivileges,
)
from prefix64.doctor.listening import Listener
from prefix64.doctor.observation import Observer, firstWords
from prefix64.doctor.routing_checks import checkRoutes, checkRules, checkSwitches
from prefix64.doctor.traffic_checks import (
    checkOthersHere,
    checkOthersOnLink,
    checkSnooping,
    checkSolicitations,
)
from prefix64.errors import OptionError, Prefix64Error
from prefix64.option_values import excludedBlocks, httpPlaces, secondsBetween, servedPrefixes
from prefix64.ownership import Ownership
from prefix64.routing.entries import LOOPBACK

DEFAULT_SECONDS = 10.0
LONGEST_SECONDS = 3600.0
_DEFAULT_PORT = "80"
_NOT_LOOKED = 2


def addDoctorCommand(commands: Any) -> None:
    """
    Add the command to the parser.
    """
    doctor = commands.add_parser(
        "doctor",
        help="find out why nothing answers",
        description=(
            "Look at the interface, rules, routes, switches, other programs, the firewall and, for "
            "some seconds, at the link, and say for each what was found and what to do. Run it on "
            "the server's host, as root to see everything. It changes nothing."
        ),
    )
    add = doctor.add_argument
    add("-i", "--iface", default=LOOPBACK, metavar="NAME",
        help=f"the interface that the prefix arrives on [default: {LOOPBACK}]")  # fmt: skip
    add("-p", "--prefix", action="append", default=[], metavar="PREFIX",
        help="a prefix that is to be served; may be given again")  # fmt: skip
    add("--exclude", action="append", default=[], metavar="ADDRESS",
        help="an address or prefix that is never ours; may be given again")  # fmt: skip
    add("--http", action="append", default=[], metavar="PORT",
        help=f"a port of HTTP, or none; may be given again [default: {_DEFAULT_PORT}]")  # fmt: skip
    add("--seconds", default=f"{DEFAULT_SECONDS:g}", metavar="N",
        help=f"how long to listen; 0: not at all [default: {DEFAULT_SECONDS:g}]")  # fmt: skip
    add("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=runDoctor)


def runDoctor(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0 if there is no problem, 1 if there is one, 2 if nothing was looked at.
    """
    try:
        question = asked(given)
        seconds = secondsBetween("seconds", given.seconds, 0, LONGEST_SECONDS)
        return exitStatus(told(question, seconds, given.json))
    except Prefix64Error as error:
        print(f"prefix64: {error}", file=sys.stderr)
        return _NOT_LOOKED


def told(question: Question, seconds: float, asOneDocument: bool) -> list[Finding]:
    """
    Make every check, and print each finding as soon as it is there; or all of them, as JSON.

    @return: what was found.
    """
    found: list[Finding] = []
    for finding in examine(question, seconds):
        found.append(finding)
        if not asOneDocument:
            print("\n".join(finding.lines()), flush=True)
    text = json.dumps(asJson(question, found), indent=2) if asOneDocument else f"\n{summary(found)}"
    print(text, flush=True)
    return found


def asked(given: argparse.Namespace) -> Question:
    """
    Read the options.

    @raise OptionError: one is wrong.
    """
    prefixes = servedPrefixes(given.prefix, given.iface)
    places = httpPlaces(given.http or [_DEFAULT_PORT], None)
    for place in places:
        if isinstance(place, str):
            raise OptionError(f"--http {place!r}: name the port alone, or none")
    ports = tuple(place for place in places if isinstance(place, int))
    return Question(given.iface, prefixes, excludedBlocks(given.exclude, prefixes), ports)


def examine(question: Question, seconds: float) -> Iterator[Finding]:
    """
    Make every check, one after the other.

    @param seconds: how long to listen to the link; 0 for not at all.
    """
    facts, ownership = gather(question)
    yield checkInterface(facts)
    if facts.link is None:
        yield checkPrivileges(facts)
        return
    yield checkLink(facts)
    yield checkPrivileges(facts)
    yield from checkInstance(facts)
    yield from checkRules(facts)
    yield from checkRoutes(facts)
    yield from checkMulticast(facts)
    yield from checkSwitches(facts)
    yield from checkOthersHere(facts)
    yield from checkListening(facts)
    yield from checkFirewall(facts, readFirewall(question.interface))
    if facts.isEthernet:
        yield from heard(facts, ownership, seconds)


def heard(facts: HostFacts, ownership: Ownership, seconds: float) -> Iterator[Finding]:
    """
    Listen to the link, and judge what was heard.
    """
    assert facts.link is not None
    why = advice = ""
    if not seconds:
        why, advice = "not listened for", "leave --seconds 0 out"
    elif not facts.link.link.up:
        why, advice = f"{facts.interface} is down", f"ip link set {facts.quoted} up"
    if not why:
        try:
            listener = Listener(facts.interface, firstWords(facts.prefixes))
            if sys.stderr.isatty():
                print(f"listening for {seconds:g} seconds: ping an address of the prefix from "
                      "outside meanwhile", file=sys.stderr)  # fmt: skip
            ours, joined = facts.link.link.linkLayerAddress, joinedGroups(facts.interface)
            observer = Observer(ownership, ours, joined)
            seen = listener.listen(observer, seconds)
        except Prefix64Error as error:
            why, advice = str(error), "sudo prefix64 doctor ..."
    if why:
        for check in ("solicitations", "snooping", "others"):
            yield unknown(check, why, advice)
        return
    yield checkSolicitations(facts, seen)
    yield checkSnooping(seen)
    yield from checkOthersOnLink(facts, seen)


def asJson(question: Question, found: list[Finding]) -> dict[str, Any]:
    """
    All that was found, for a program.
    """
    return {
        "interface": question.interface,
        "prefixes": [str(prefix) for prefix in question.prefixes],
        "findings": [finding.asJson() for finding in found],
        "count": count(found),
        "status": exitStatus(found),
    }
