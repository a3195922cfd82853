"""
C{prefix64 probe}: ask for an address as a router does, and say what is wrong with the answers.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Iterator
from typing import Any

from prefix64.errors import Prefix64Error
from prefix64.icmpv6.packets import SOLICITED_NODE, UNSPECIFIED
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.link.packet_socket import PacketSocket
from prefix64.link.socket_filter import answersFilter
from prefix64.options.values import secondsBetween, wholeNumber
from prefix64.probe.asker import Asker, Host, findAsker
from prefix64.probe.exchange import Exchange
from prefix64.probe.findings import StepReport
from prefix64.probe.judging import judge
from prefix64.probe.questions import Question, Step, groupLinkLayerAddress
from prefix64.probe.report import Report, stepLines
from prefix64.probe.writing import writeQuestion

DEFAULT_TIMEOUT = 1.0
"""Seconds: RETRANS_TIMER (RFC 4861 10)."""
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 0.05, 60.0
DEFAULT_COUNT = 3
"""MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT (RFC 4861 10)."""
MOST_COUNT = 20

_DATA_BYTES = 56
"""As ping(8) sends."""

_GOOD, _WRONG, _NOT_PROBED = 0, 1, 2


def addProbeCommand(commands: Any) -> None:
    """
    Add the command to the parser.
    """
    probe = commands.add_parser(
        "probe",
        help="ask for an address on the link as a router does, and say what is wrong",
        description=(
            "Ask for an address as a router on the link does: address resolution, unreachability "
            "detection, ping. Say what came back, and what is wrong with it by RFC 4861 and RFC "
            "4443. Run it on another host than the one that answers, whatever answers there."
        ),
        epilog="Exit status 0: found, and nothing wrong; 1: not found, or something wrong; "
        "2: it was not probed.",
    )
    probe.add_argument("address", metavar="ADDRESS", help="the address to ask for")
    probe.add_argument("-i", "--iface", required=True, metavar="IF", help="the interface to ask on")
    probe.add_argument(
        "--source", metavar="ADDRESS",
        help="ask from this address of the host [default: the interface's link-local address]",
    )  # fmt: skip
    probe.add_argument(
        "--timeout", default=f"{DEFAULT_TIMEOUT:g}", metavar="SECONDS",
        help=f"how long to listen after each try [default: {DEFAULT_TIMEOUT:g}]",
    )  # fmt: skip
    probe.add_argument(
        "--count", default=str(DEFAULT_COUNT), metavar="N",
        help=f"how many tries before silence is silence [default: {DEFAULT_COUNT}]",
    )  # fmt: skip
    probe.add_argument(
        "--dad", action="store_true",
        help="see, too, whether the address is defended against duplicate address detection",
    )  # fmt: skip
    probe.add_argument("--json", action="store_true", help="print the findings as JSON")
    probe.set_defaults(run=runProbe)


def runProbe(given: argparse.Namespace) -> int:
    """
    Run the command.

    @return: 0 if the address is found and nothing is wrong; 1 if not; 2 if it was not probed.
    """
    try:
        given.timeout = secondsBetween("timeout", given.timeout, SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
        given.count = wholeNumber("count", given.count, 1, MOST_COUNT)
        report = _probed(given, _asker(given))
    except Prefix64Error as error:
        print(f"prefix64: {error}", file=sys.stderr)
        return _NOT_PROBED
    print(json.dumps(report.asDict(), indent=2) if given.json else report.summary())
    return _GOOD if report.isGood else _WRONG


def _asker(given: argparse.Namespace) -> Asker:
    """
    See that it can be asked.
    """
    kernel = RoutingKernel()
    try:
        return findAsker(Host(kernel), given.address, given.iface, given.source)
    finally:
        kernel.close()


def _probed(given: argparse.Namespace, asker: Asker) -> Report:
    """
    Take the steps; in words, each is told as soon as it is over.
    """
    program = answersFilter({asker.source, asker.echoSource}, asker.target)
    link = PacketSocket(asker.link.name, program)
    steps = []
    try:
        exchange = Exchange(link, given.timeout)
        for step in takeSteps(exchange, asker, given.count, given.dad):
            steps.append(step)
            if not given.json:
                print("\n".join(stepLines(step, given.count)), end="\n\n", flush=True)
    finally:
        link.close()
    return Report(asker.target, asker.link.name, tuple(steps))


def takeSteps(exchange: Exchange, asker: Asker, count: int, dad: bool) -> Iterator[StepReport]:
    """
    Ask one question after the other. Without a link-layer address there is nobody to send the
    second and third to.

    @param count: how many times each is asked, at most.
    @param dad: whether to try duplicate address detection, too.
    """
    source = asker.source.to_bytes(16, "big")
    resolution = _take(exchange, _question(asker, Step.RESOLUTION, source, None), count)
    yield resolution
    learned = resolution.learned
    if learned is not None:
        yield _take(exchange, _question(asker, Step.REACHABILITY, source, learned), count)
        echoSource = asker.echoSource.to_bytes(16, "big")
        yield _take(exchange, _question(asker, Step.ECHO, echoSource, learned), count)
    if dad:
        yield _take(exchange, _question(asker, Step.DUPLICATE, UNSPECIFIED, None), count)


def _question(asker: Asker, step: Step, source: bytes, learned: bytes | None) -> Question:
    """
    Make a question.

    @param learned: the link-layer address to send it to; L{None} for that of the group.
    """
    target = asker.target.to_bytes(16, "big")
    group = groupLinkLayerAddress(SOLICITED_NODE + target[13:])
    isEcho = step is Step.ECHO
    return Question(
        step,
        target,
        source,
        asker.link.linkLayerAddress,
        group if learned is None else learned,
        secrets.randbits(16) if isEcho else 0,
        secrets.token_bytes(_DATA_BYTES) if isEcho else b"",
    )


def _take(exchange: Exchange, question: Question, count: int) -> StepReport:
    """
    Ask a question, and judge what came.
    """
    frames = [writeQuestion(question, attempt) for attempt in range(1, count + 1)]
    return judge(question, exchange.ask(question, frames))
