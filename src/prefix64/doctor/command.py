"""
C{prefix64 doctor}: find out why nothing answers, and say what to do. It changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from prefix64.doctor.answerer_checks import checkOthersHere
from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, count, exitStatus, summary, unknown
from prefix64.doctor.firewall.reading import readFirewall
from prefix64.doctor.firewall_checks import checkFirewall, checkListening
from prefix64.doctor.gathering import Question, gather, questionOf
from prefix64.doctor.link_checks import (
    checkInstance,
    checkInterface,
    checkLink,
    checkMulticast,
    checkPrivileges,
)
from prefix64.doctor.listening import GRACE, SLOW_GRACE, Listener
from prefix64.doctor.mark_checks import checkMarks
from prefix64.doctor.observation import Observer, firstWords
from prefix64.doctor.routing_checks import checkRoutes
from prefix64.doctor.rule_checks import checkRules
from prefix64.doctor.start_checks import checkArrival, checkStart
from prefix64.doctor.switch_checks import checkForward, checkSwitches
from prefix64.doctor.switches import joinedGroups
from prefix64.doctor.traffic_checks import checkOthersOnLink, checkSnooping, checkSolicitations
from prefix64.doctor.ways import words
from prefix64.errors import OptionError, Prefix64Error
from prefix64.options.values import httpPlaces, secondsBetween
from prefix64.routing.entries import LOOPBACK
from prefix64.settings import NdpMode

DEFAULT_SECONDS = 10.0
LONGEST_SECONDS = 3600.0
_DEFAULT_PORT = "80"
_NOT_LOOKED = 2

_SERVERS = {
    "routing": ("WAY", "how packets become this host's own: input, ports, fwmark or none"),
    "ports": ("LIST", "with --routing ports: what is taken, such as tcp:80,tcp:443"),
    "table": ("N", "the routing table"),
    "priority": ("N", "the priority of the rules"),
    "fwmark": ("N", "with --routing fwmark: the firewall mark"),
    "ndp": ("WHO", "who answers solicitations: protocol, kernel or none"),
}
"""Options of the server that have one value; without them, what the one that runs has."""

_CHECKS = (
    checkInstance,
    checkStart,
    checkRules,
    checkRoutes,
    checkArrival,
    checkForward,
    checkMulticast,
    checkSwitches,
    checkOthersHere,
    checkListening,
)
"""What needs the facts alone, in order."""


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
    _addOptions(doctor)
    doctor.set_defaults(run=runDoctor)


def _addOptions(doctor: argparse.ArgumentParser) -> None:
    """
    Add its options: those of the server that matter here, and its own.
    """
    add, again = doctor.add_argument, "; may be given again"
    add("-i", "--iface", default=LOOPBACK, metavar="NAME",
        help=f"the interface that the prefix arrives on [default: {LOOPBACK}]")  # fmt: skip
    add("-p", "--prefix", action="append", default=[], metavar="PREFIX",
        help=f"a prefix that is to be served{again}")  # fmt: skip
    add("--exclude", action="append", default=[], metavar="ADDRESS",
        help=f"an address or prefix that is never ours{again}")  # fmt: skip
    add("--http", action="append", default=[], metavar="PORT",
        help=f"a port of HTTP, or none{again} [default: {_DEFAULT_PORT}]")  # fmt: skip
    for name, (metavar, text) in _SERVERS.items():
        add(f"--{name}", metavar=metavar, help=text)
    add("--forward", action="append", default=[], metavar="PREFIX",
        help=f"a part of the prefix that lives behind this host, or auto{again}")  # fmt: skip
    add("--local", action="store_true", help="this host itself reaches the prefix")
    add("--sites", metavar="DIRECTORY", help="the tree of sites")
    add("--state", metavar="DIRECTORY", help="the server's state directory")
    add("--seconds", default=f"{DEFAULT_SECONDS:g}", metavar="N",
        help=f"how long to listen; 0: not at all [default: {DEFAULT_SECONDS:g}]")  # fmt: skip
    add("--json", action="store_true", help="print JSON")


def runDoctor(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0 if there is no problem, 1 if there is one, 2 if nothing was looked at.
    """
    try:
        wanted = asked(given)
        seconds = secondsBetween("seconds", given.seconds, 0, LONGEST_SECONDS)
        return exitStatus(told(wanted, seconds, given.json))
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
    Read the options, and see how the instance runs that there is.

    @raise Prefix64Error: one is wrong, or the kernel's tables cannot be read.
    """
    texts = {name: getattr(given, name) for name in ("iface", "prefix", "exclude", "forward",
                                                     "local", *_SERVERS)}  # fmt: skip
    said = {name: text for name, text in texts.items() if text not in (None, [], False)}
    return questionOf(given.iface, said, _ports(given.http), given.sites, given.state)


def _ports(texts: list[str]) -> tuple[int, ...] | None:
    """
    Read the ports of HTTP.

    @return: L{None} if nothing was said.
    @raise OptionError: one is none.
    """
    places = httpPlaces(texts, None) if texts else ()
    for place in places:
        if isinstance(place, str):
            raise OptionError(f"--http {place!r}: name the port alone, or none")
    return tuple(place for place in places if isinstance(place, int)) if texts else None


def examine(question: Question, seconds: float) -> Iterator[Finding]:
    """
    Make every check, one after the other.

    @param seconds: how long to listen to the link; 0 for not at all.
    """
    facts = gather(question)
    yield checkInterface(facts)
    if facts.link is None:
        yield checkPrivileges(facts)
        return
    yield checkLink(facts)
    yield checkPrivileges(facts)
    for check in _CHECKS:
        yield from check(facts)
    firewall = readFirewall()
    yield from checkFirewall(facts, firewall)
    yield from checkMarks(facts, firewall)
    if facts.isEthernet:
        yield from heard(facts, seconds)


def heard(facts: HostFacts, seconds: float) -> Iterator[Finding]:
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
            observer = Observer(facts.ownership, ours, joined)
            grace = GRACE if facts.settings.ndp is NdpMode.PROTOCOL else SLOW_GRACE
            seen = listener.listen(observer, seconds, grace)
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
        "interface": question.settings.interface,
        "prefixes": [str(prefix) for prefix in question.settings.prefixes],
        "options": list(words(question.settings)),
        "findings": [finding.asJson() for finding in found],
        "count": count(found),
        "status": exitStatus(found),
    }
