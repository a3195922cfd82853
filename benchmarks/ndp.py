"""
Answers a second, processor time for an answer, and memory: prefix64, ndppd and npd6 in turn, in
several rounds of one run, at saturation and at fixed rates::

    make bench-ndp                       # or: python -m benchmarks.ndp --rounds 5

Two network namespaces are joined by a veth pair. The responder has the first core, the router that
asks the second. This machine's figures are of no use to anybody else: what counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.responders import KINDS, Kind, Responder, runPinned
from tests.kernel.namespaces import (
    PREFIX,
    ROUTER_LINK_LOCAL,
    SERVER_LINK_LOCAL,
    Namespace,
    eventually,
    makeLink,
)

RESPONDER_CORE, ROUTER_CORE = 0, 1
RATES = "0,1000,10000"
"""Solicitations a second; 0 is as many as can be sent."""

GOALS = (
    "at saturation: at least 2.5 times the answers of ndppd and 1.2 times those of npd6, "
    "with no more processor time for an answer than npd6"
)


@dataclass(frozen=True)
class Measured:
    """
    What one responder did at one rate.

    @ivar asked: solicitations a second.
    @ivar answered: answers a second.
    @ivar lost: the part of the solicitations that got none.
    @ivar microseconds: processor time for an answer.
    @ivar mebibytes: memory afterwards.
    """

    asked: float
    answered: float
    lost: float
    microseconds: float
    mebibytes: float


@contextmanager
def link() -> Iterator[tuple[Namespace, Namespace]]:
    """
    A router and a server.
    """
    router, server = Namespace("router"), Namespace("server")
    try:
        router.make()
        server.make()
        makeLink(router, server)
        router.ip(f"address add {ROUTER_LINK_LOCAL}/64 dev eth0 nodad")
        server.ip(f"address add {SERVER_LINK_LOCAL}/64 dev eth0 nodad")
        server.ip(f"route add default via {ROUTER_LINK_LOCAL} dev eth0")
        yield router, server
    finally:
        router.remove()
        server.remove()


def ask(router: Namespace, responder: Responder | None, rate: int, seconds: float) -> Measured:
    """
    Ask for a while, and see what came back.

    @raise AssertionError: an answer was wrong.
    """
    arguments = ["--prefix", PREFIX, "--rate", str(rate), "--seconds", str(seconds)]
    with runPinned(router, ROUTER_CORE, "benchmarks.solicitor", arguments) as solicitor:
        assert solicitor.stdin is not None and solicitor.stdout is not None
        solicitor.stdout.readline()
        before = responder.processorTime() if responder else 0
        said = json.loads(solicitor.communicate("\n")[0])
        spent = responder.processorTime() - before if responder else 0
    assert said["wrong"] == 0, f"{said['wrong']} of {said['sample']} answers are wrong"
    answers, elapsed = said["answered"], said["seconds"]
    return Measured(
        said["sent"] / elapsed,
        answers / elapsed,
        1 - answers / said["sent"],
        spent / max(answers, 1) * 1e6,
        responder.memory() / (1 << 20) if responder else 0,
    )


def measure(kind: Kind, rates: Sequence[int], seconds: float) -> dict[int, Measured]:
    """
    Start a responder, and ask it at each rate.
    """
    with link() as (router, server):
        responder = Responder(kind, server, RESPONDER_CORE)
        try:
            waitUntilAnswering(router, responder)
            return {rate: ask(router, responder, rate, seconds) for rate in rates}
        finally:
            responder.stop()


def waitUntilAnswering(router: Namespace, responder: Responder) -> None:
    """
    Wait until a responder has started to answer.

    @raise RuntimeError: it ended.
    """

    def isAnswering() -> bool:
        if not responder.isRunning():
            raise RuntimeError(f"it ended: {responder.output()}")
        return ask(router, None, 100, 0.1).answered > 0

    eventually(isAnswering, 20, "the responder answers")


def median(rounds: Sequence[Measured], name: str) -> float:
    """
    The middle of the rounds.
    """
    return statistics.median(getattr(one, name) for one in rounds)


def ratios(ours: Sequence[Measured], theirs: Sequence[Measured], name: str) -> tuple[float, ...]:
    """
    Ours to theirs, round by round: the middle, the least and the greatest.
    """
    found = [getattr(a, name) / getattr(b, name) for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(found), min(found), max(found)


def table(results: dict[str, list[dict[int, Measured]]]) -> Iterator[str]:
    """
    The results as a table of Markdown.
    """
    yield "| solicitations a second | responder | answers a second | lost | processor time for an "
    yield "answer | memory | prefix64: answers | prefix64: processor time |\n"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    ours = results["prefix64"]
    for rate in ours[0]:
        for name, rounds in results.items():
            here, own = [r[rate] for r in rounds], [r[rate] for r in ours]
            asked = f"{median(here, 'asked'):,.0f} (saturation)" if rate == 0 else f"{rate:,}"
            yield f"| {asked} | {name} | {median(here, 'answered'):,.0f} "
            yield f"| {median(here, 'lost'):.1%} | {median(here, 'microseconds'):.1f} us "
            yield f"| {median(here, 'mebibytes'):.0f} MiB "
            for column in ("answered", "microseconds"):
                middle, least, most = ratios(own, here, column)
                yield f"| {middle:.2f} ({least:.2f} to {most:.2f}) " if own != here else "| 1 "
            yield "|\n"


def main() -> None:
    """
    Measure, and print the table.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each rate")
    parser.add_argument("--rates", default=RATES, help=f"solicitations a second [{RATES}]")
    parser.add_argument("--only", help="names, with commas between them")
    given = parser.parse_args()
    kinds = [k for k in KINDS if not given.only or k.name in given.only.split(",")]
    rates = [int(rate) for rate in given.rates.split(",")]
    missing = [kind.package for kind in kinds if not kind.isInstalled()]
    if missing:
        parser.error(f"missing: apt-get install {' '.join(missing)}")
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("two cores are needed: one for the responder, one for the router")
    results: dict[str, list[dict[int, Measured]]] = {kind.name: [] for kind in kinds}
    for number in range(given.rounds):
        print(f"round {number + 1} of {given.rounds}", flush=True)
        for kind in kinds:
            results[kind.name].append(measure(kind, rates, given.seconds))
    kernel = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout
    print(f"\nLinux {kernel.strip()}; ", end="")
    print(", ".join(f"{kind.name} {kind.version()}" for kind in kinds))
    print(f"{given.rounds} rounds of {given.seconds} seconds; the ratios are the middle of the ")
    print("rounds, with the least and the greatest\n")
    print("".join(table(results)))
    print(f"Goal {GOALS}.")


if __name__ == "__main__":
    main()
