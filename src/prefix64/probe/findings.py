"""
What the probe finds, as values: for a person a line each, for a program a name that stays.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from prefix64.addressing import formatAddressBytes
from prefix64.probe.questions import Question
from prefix64.probe.reading import Packet


class Weight(enum.Enum):
    """
    How bad a finding is.
    """

    NOTE = "note"
    """It may be so: what it means is said."""
    WRONG = "wrong"
    """It should not be so."""
    VOID = "void"
    """It should not be so, and makes the answer one that neighbours ignore."""


@dataclass(frozen=True)
class Finding:
    """
    One thing that was found.

    @ivar code: its name for programs.
    @ivar what: what is so.
    @ivar clause: the RFC clause that it comes from, or nothing.
    @ivar effect: what it leads to, or nothing.
    """

    code: str
    weight: Weight
    what: str
    clause: str = ""
    effect: str = ""

    def __str__(self) -> str:
        clause = f" ({self.clause})" if self.clause else ""
        return f"{self.what}{clause}" + (f": {self.effect}" if self.effect else "")

    @property
    def isWrong(self) -> bool:
        """Whether it should not be so."""
        return self.weight is not Weight.NOTE

    def asDict(self) -> dict[str, str]:
        """
        Its form in JSON.
        """
        return {
            "code": self.code,
            "weight": self.weight.value,
            "what": self.what,
            "clause": self.clause,
            "effect": self.effect,
        }


class Role(enum.Enum):
    """
    What a packet that was heard is.
    """

    ADVERTISEMENT = "advertisement"
    UNSOLICITED = "unsolicited advertisement"
    REPLY = "reply"
    ERROR = "error"
    REDIRECT = "redirect"
    COUNTER_QUESTION = "solicitation for our address"


@dataclass(frozen=True)
class Judged:
    """
    A packet that was heard, and what there is to say of it.

    @ivar after: seconds since the last try was sent before it came.
    @ivar attempt: which try that was, from 1.
    @ivar linkLayerAddress: what a neighbour would send to from now on, 6 bytes; L{None} if it says
        nothing usable.
    """

    role: Role
    packet: Packet
    after: float
    attempt: int
    findings: tuple[Finding, ...]
    linkLayerAddress: bytes | None = None

    @property
    def isUsable(self) -> bool:
        """Whether neighbours do not ignore it."""
        return all(finding.weight is not Weight.VOID for finding in self.findings)

    def asDict(self) -> dict[str, Any]:
        """
        Its form in JSON.
        """
        return {
            "kind": self.role.value,
            "milliseconds": round(self.after * 1000, 3),
            "try": self.attempt,
            "source": formatAddressBytes(self.packet.source),
            "destination": formatAddressBytes(self.packet.destination),
            "linkSource": self.packet.linkSource.hex(":"),
            "linkDestination": self.packet.linkDestination.hex(":"),
            "hopLimit": self.packet.hopLimit,
            "findings": [finding.asDict() for finding in self.findings],
        }


@dataclass(frozen=True)
class StepReport:
    """
    A question, and what was heard.

    @ivar tries: how many times it was sent.
    @ivar heard: in the order in which it came.
    @ivar findings: what there is to say of all that together.
    """

    question: Question
    tries: int
    heard: tuple[Judged, ...]
    findings: tuple[Finding, ...]

    @property
    def answers(self) -> list[Judged]:
        """The answers, without what else was heard."""
        return [one for one in self.heard if one.role in (Role.ADVERTISEMENT, Role.REPLY)]

    @property
    def isAnswered(self) -> bool:
        """Whether an answer came that neighbours do not ignore."""
        return any(answer.isUsable for answer in self.answers)

    @property
    def learned(self) -> bytes | None:
        """The link-layer address that a neighbour learns; from an ignored answer if need be."""
        answers = sorted(self.answers, key=lambda answer: not answer.isUsable)
        return next((a.linkLayerAddress for a in answers if a.linkLayerAddress is not None), None)

    @property
    def wrong(self) -> list[Finding]:
        """All that should not be so."""
        parts = [*(one.findings for one in self.heard), self.findings]
        return [finding for findings in parts for finding in findings if finding.isWrong]

    def asDict(self) -> dict[str, Any]:
        """
        Its form in JSON.
        """
        return {
            "step": self.question.step.value,
            "source": formatAddressBytes(self.question.source),
            "destination": formatAddressBytes(self.question.destination),
            "linkDestination": self.question.linkDestination.hex(":"),
            "tries": self.tries,
            "answered": self.isAnswered,
            "heard": [one.asDict() for one in self.heard],
            "findings": [finding.asDict() for finding in self.findings],
        }


def note(code: str, what: str, clause: str = "", effect: str = "") -> Finding:
    """
    Something that may be so.
    """
    return Finding(code, Weight.NOTE, what, clause, effect)


def wrong(code: str, what: str, clause: str = "", effect: str = "") -> Finding:
    """
    Something that should not be so.
    """
    return Finding(code, Weight.WRONG, what, clause, effect)


def void(code: str, what: str, clause: str = "", effect: str = "") -> Finding:
    """
    Something that makes neighbours ignore the answer.
    """
    return Finding(code, Weight.VOID, what, clause, effect)
