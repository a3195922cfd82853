"""
All steps together: what they come to, in a line, in words, and as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefix64.addressing import formatAddress, formatAddressBytes
from prefix64.probe.findings import Finding, Judged, Role, StepReport, Weight
from prefix64.probe.questions import Step

MOST_SHOWN = 8
"""How many of a step's packets are shown in words; JSON has all."""

_TITLES = {
    Step.RESOLUTION: "Address resolution: a solicitation to the group, as a router sends it",
    Step.REACHABILITY: "Unreachability detection: a solicitation to the address itself",
    Step.ECHO: "Ping: an Echo Request",
    Step.DUPLICATE: "Duplicate address detection: a solicitation from ::",
}
_CHECK = (
    "is the responder running, on this link, with a prefix that has the address and does not "
    "exclude it? On that host: prefix64 doctor"
)


@dataclass(frozen=True)
class Report:
    """
    What a probe found.

    @ivar target: the address.
    @ivar interface: the name of the interface.
    """

    target: int
    interface: str
    steps: tuple[StepReport, ...]

    def step(self, which: Step) -> StepReport | None:
        """
        Find a step, if it was taken.
        """
        return next((one for one in self.steps if one.question.step is which), None)

    @property
    def isFound(self) -> bool:
        """Whether a neighbour would find the address."""
        resolution = self.step(Step.RESOLUTION)
        return resolution is not None and resolution.isAnswered

    @property
    def isPinged(self) -> bool:
        """Whether the address replies to ping."""
        echo = self.step(Step.ECHO)
        return echo is not None and echo.isAnswered

    @property
    def linkLayerAddress(self) -> bytes | None:
        """Where it was found."""
        resolution = self.step(Step.RESOLUTION)
        return None if resolution is None else resolution.learned

    @property
    def wrong(self) -> list[Finding]:
        """All that should not be so."""
        return [finding for step in self.steps for finding in step.wrong]

    @property
    def isGood(self) -> bool:
        """Whether it is found, and nothing is wrong."""
        return self.isFound and not self.wrong

    def summary(self) -> str:
        """
        What it comes to, in one line.
        """
        address, learned = formatAddress(self.target), self.linkLayerAddress
        if learned is None:
            first = next((f for f in self.wrong if f.code != "silence"), None)
            why = "nobody answers" if first is None else str(first)
            return f"{address} is not found: {why}; {_CHECK}"
        if not self.isFound:
            void = next(finding for finding in self.wrong if finding.weight is Weight.VOID)
            return f"{address} is not found: {void}"
        ping = "answers ping" if self.isPinged else "does not answer ping"
        join = "and" if self.isPinged else "but"
        found = f"{address} is found on the link at {learned.hex(':')} {join} {ping}"
        return found + (f"; wrong: {_listed(self.wrong)}" if self.wrong else "")

    def asDict(self) -> dict[str, Any]:
        """
        Its form in JSON.
        """
        learned = self.linkLayerAddress
        return {
            "address": formatAddress(self.target),
            "interface": self.interface,
            "ok": self.isGood,
            "found": self.isFound,
            "ping": self.isPinged,
            "linkLayerAddress": None if learned is None else learned.hex(":"),
            "wrong": self._names(),
            "summary": self.summary(),
            "steps": [step.asDict() for step in self.steps],
        }

    def _names(self) -> list[str]:
        """
        All that should not be so, by step and name, each once: C{reachability:silence}.
        """
        names = [
            f"{step.question.step.value}:{finding.code}"
            for step in self.steps
            for finding in step.wrong
        ]
        return list(dict.fromkeys(names))


def _listed(findings: list[Finding]) -> str:
    """
    Name findings, each once.
    """
    return "; ".join(dict.fromkeys(finding.what for finding in findings))


def stepLines(step: StepReport, most: int) -> Iterator[str]:
    """
    A step in words.

    @param most: how many tries there might have been.
    """
    question = step.question
    yield _TITLES[question.step]
    yield (
        f"  {formatAddressBytes(question.source)} ({question.linkSource.hex(':')}) > "
        f"{formatAddressBytes(question.destination)} ({question.linkDestination.hex(':')}), "
        f"sent {step.tries} of {most} times"
    )
    for one in step.heard[:MOST_SHOWN]:
        yield from _heardLines(one)
    if len(step.heard) > MOST_SHOWN:
        yield f"  and {len(step.heard) - MOST_SHOWN} more packets: --json shows all"
    for finding in step.findings:
        yield f"  {_line(finding)}"


def _heardLines(one: Judged) -> Iterator[str]:
    """
    A packet in words.
    """
    packet = one.packet
    name = "answer" if one.role in (Role.ADVERTISEMENT, Role.REPLY) else one.role.value
    yield (
        f"  {name} from {formatAddressBytes(packet.source)} ({packet.linkSource.hex(':')}) "
        f"after {one.after * 1000:.2f} ms" + (f", try {one.attempt}" if one.attempt > 1 else "")
    )
    for finding in one.findings:
        yield f"    {_line(finding)}"


def _line(finding: Finding) -> str:
    """
    A finding in words.
    """
    return f"WRONG: {finding}" if finding.isWrong else str(finding)
