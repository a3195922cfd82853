"""
What was found, as values: a judgement, what it is about, what was found, and what to do.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


class Judgement(enum.Enum):
    """
    What a finding means. The value is the word that a person reads.
    """

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """
    A finding.

    @ivar check: what was looked at, in one word.
    @ivar text: what was found.
    @ivar advice: what to do, each a line: a command, or a sentence.
    """

    judgement: Judgement
    check: str
    text: str
    advice: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """
        The finding for a person.
        """
        yield f"{self.judgement.value:<8} {self.check:<13} {printable(self.text)}"
        for advice in self.advice:
            yield f"{'':<22} -> {printable(advice)}"

    def asJson(self) -> dict[str, Any]:
        """
        The finding for a program.
        """
        return {
            "judgement": self.judgement.value,
            "check": self.check,
            "text": self.text,
            "advice": list(self.advice),
        }


def ok(check: str, text: str, *advice: str) -> Finding:
    """
    What is as it should be.
    """
    return Finding(Judgement.OK, check, text, advice)


def warning(check: str, text: str, *advice: str) -> Finding:
    """
    What may be in the way.
    """
    return Finding(Judgement.WARNING, check, text, advice)


def problem(check: str, text: str, *advice: str) -> Finding:
    """
    What is in the way.
    """
    return Finding(Judgement.PROBLEM, check, text, advice)


def unknown(check: str, text: str, *advice: str) -> Finding:
    """
    What could not be seen.
    """
    return Finding(Judgement.UNKNOWN, check, text, advice)


def printable(text: str) -> str:
    """
    Make a text safe for a terminal: names of processes, interfaces and firewall rules are
    somebody else's words.
    """
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def count(findings: Iterable[Finding]) -> dict[str, int]:
    """
    How many findings there are of each judgement.
    """
    counted = Counter(finding.judgement for finding in findings)
    return {judgement.value: counted[judgement] for judgement in Judgement}


def summary(findings: Iterable[Finding]) -> str:
    """
    The last line: how many of each, and what is in the way first.
    """
    found = list(findings)
    counts = count(found)
    numbers = ", ".join(
        f"{number} {word}{'s' if word in ('warning', 'problem') and number != 1 else ''}"
        for word, number in counts.items()
    )
    first = next((f for f in found if f.judgement is Judgement.PROBLEM), None)
    return numbers if first is None else f"{numbers}; begin with: {first.check}"


def exitStatus(findings: Iterable[Finding]) -> int:
    """
    @return: 1 if there is a problem, else 0.
    """
    return int(any(finding.judgement is Judgement.PROBLEM for finding in findings))
