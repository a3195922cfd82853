"""
All that was heard after a question, judged together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prefix64.probe.advertisements import isUnsolicited, judgeAdvertisement, learnedFrom
from prefix64.probe.echoes import judgeCounterQuestion, judgeError, judgeRedirect, judgeReply
from prefix64.probe.findings import Finding, Judged, Role, StepReport, note, wrong
from prefix64.probe.questions import (
    Question,
    Step,
    isAnswer,
    isCounterQuestion,
    isError,
    isRedirect,
)
from prefix64.probe.reading import Packet, readPacket

MOST_NAMED = 3
"""The most machines that a finding names."""

_SILENCE = {
    Step.RESOLUTION: (
        "nobody answers for the address",
        "RFC 4861 7.2.4",
        "routers drop what is sent to it, and report it as unreachable",
    ),
    Step.REACHABILITY: (
        "it is silent to unicast solicitations, which it must answer",
        "RFC 4861 7.3",
        "a neighbour deletes its entry after three of them, and has to find the address anew each "
        "time: connections stall (npd6 and ndppd are silent so)",
    ),
    Step.ECHO: (
        "it does not reply to ping",
        "RFC 4443 4.2",
        "a firewall drops it, or the address is not local there and its packets go nowhere; on "
        "that host: prefix64 doctor",
    ),
}


@dataclass(frozen=True)
class Arrival:
    """
    A frame that came.

    @ivar frame: from its link-layer header on.
    @ivar after: seconds since the last try was sent before it came.
    @ivar attempt: which try that was, from 1.
    """

    frame: bytes
    after: float
    attempt: int


@dataclass(frozen=True)
class Heard:
    """
    What came after a question.

    @ivar tries: how many times it was sent.
    @ivar isCut: whether more came than is looked at.
    """

    tries: int
    arrivals: Sequence[Arrival]
    isCut: bool = False


def judge(question: Question, heard: Heard) -> StepReport:
    """
    Judge what came after a question. What has nothing to do with it is passed over.
    """
    judged = list(_judgeEach(question, heard.arrivals))
    findings = list(_together(question, heard, judged))
    return StepReport(question, heard.tries, tuple(judged), tuple(findings))


def _judgeEach(question: Question, arrivals: Sequence[Arrival]) -> Iterator[Judged]:
    """
    Judge each frame by itself. A solicitation for our own address after the answer is none that the
    answer waited for.
    """
    answers = [index for index, one in enumerate(arrivals) if _isAnswer(question, one)]
    for index, arrival in enumerate(arrivals):
        later = any(answer > index for answer in answers)
        one = _judgeOne(question, arrival, isAnswered=later)
        if one is not None and (one.role is not Role.COUNTER_QUESTION or later or not answers):
            yield one


def _isAnswer(question: Question, arrival: Arrival) -> bool:
    """
    Tell whether a frame is an answer.
    """
    packet = readPacket(arrival.frame)
    return packet is not None and isAnswer(packet, question)


def _judgeOne(question: Question, arrival: Arrival, isAnswered: bool) -> Judged | None:
    """
    Judge a frame.

    @param isAnswered: whether an answer came after it.
    @return: L{None} if it has nothing to do with the question.
    """
    packet = readPacket(arrival.frame)
    if packet is None:
        return None
    learned: bytes | None = None
    if isAnswer(packet, question):
        role, findings, learned = _judgeAnswer(question, packet, arrival.attempt)
    elif isError(packet, question):
        role, findings = Role.ERROR, judgeError(packet)
    elif isRedirect(packet, question):
        role, findings = Role.REDIRECT, judgeRedirect(packet)
    elif isCounterQuestion(packet, question):
        role, findings = Role.COUNTER_QUESTION, judgeCounterQuestion(packet, isAnswered)
    else:
        return None
    return Judged(role, packet, arrival.after, arrival.attempt, tuple(findings), learned)


def _judgeAnswer(
    question: Question, packet: Packet, tries: int
) -> tuple[Role, Iterator[Finding], bytes | None]:
    """
    Judge an answer by itself.

    @return: what it is, its findings, and the link-layer address that it says.
    """
    if question.step is Step.ECHO:
        return Role.REPLY, judgeReply(packet, question, tries), None
    if isUnsolicited(packet, question):
        return Role.UNSOLICITED, _unsolicited(), None
    return Role.ADVERTISEMENT, judgeAdvertisement(packet, question), learnedFrom(packet)


def _unsolicited() -> Iterator[Finding]:
    """
    What there is to say of an unsolicited advertisement.
    """
    yield note("unsolicited", "an advertisement to a group with S=0, which answers nobody",
               "RFC 4861 7.2.6")  # fmt: skip


def _together(question: Question, heard: Heard, judged: list[Judged]) -> Iterator[Finding]:
    """
    Judge the answers to a question together: none, too many, from several machines.
    """
    if heard.isCut:
        yield wrong("flood", "more packets came than the probe looks at", "",
                    "what came after them is not judged")  # fmt: skip
    answers = [one for one in judged if one.role in (Role.ADVERTISEMENT, Role.REPLY)]
    if not answers:
        yield from _silence(question, judged)
    elif question.step is Step.DUPLICATE:
        yield from _defence([answer for answer in answers if answer.isUsable])
    yield from _severalMachines(answers)
    yield from _duplicates(question, heard, answers)


def _defence(answers: list[Judged]) -> Iterator[Finding]:
    """
    What it means that somebody answers a duplicate address probe.

    @param answers: those that the other host would not ignore.
    """
    names = ", ".join(sorted({answer.packet.linkSource.hex(":") for answer in answers}))
    if answers:
        yield note("defended", f"defended by {names}", "RFC 4862 5.4",
                   "no other host can take the address")  # fmt: skip
    else:
        yield wrong("undefended", "the defence is one that hosts ignore", "RFC 4862 5.4",
                    "another host can take the address")  # fmt: skip


def _silence(question: Question, judged: list[Judged]) -> Iterator[Finding]:
    """
    What it means that no answer came.
    """
    if question.step is Step.DUPLICATE:
        yield note("undefended", "nobody defends the address against a duplicate address probe",
                   "RFC 4862 5.4", "another host can take it")  # fmt: skip
        return
    what, clause, effect = _SILENCE[question.step]
    if any(one.role is Role.UNSOLICITED for one in judged):
        what, effect = "only unsolicited advertisements came, no answer", "routers go on asking"
    yield wrong("silence", what, clause, effect)


def _severalMachines(answers: list[Judged]) -> Iterator[Finding]:
    """
    Answers from several link-layer addresses.
    """
    machines = list(dict.fromkeys(answer.packet.linkSource for answer in answers))
    if len(machines) > 1:
        names = ", ".join(machine.hex(":") for machine in machines[:MOST_NAMED])
        if len(machines) > MOST_NAMED:
            names += f" and {len(machines) - MOST_NAMED} more"
        yield wrong("conflict", f"{len(machines)} machines answer: {names}", "RFC 4862 5.4",
                    "packets go now to one, now to another; only an anycast address may "
                    "be so")  # fmt: skip


def _duplicates(question: Question, heard: Heard, answers: list[Judged]) -> Iterator[Finding]:
    """
    More answers from one machine than there were questions; of replies, more than one to a request.
    """
    echo = question.step is Step.ECHO
    counts = Counter(
        (answer.packet.linkSource, answer.packet.message[6:8] if echo else b"")
        for answer in answers
    )
    for (machine, _), count in counts.items():
        most = 1 if echo else heard.tries
        if count > most:
            of = "1 request" if echo else f"{most} solicitation" + "s" * (most > 1)
            clause = "RFC 4443 4.2" if echo else "RFC 4861 7.2.4"
            yield wrong("duplicate", f"{count} answers to {of} from {machine.hex(':')}", clause,
                        "two programs, or a program and the kernel, answer there: leave it to "
                        "one")  # fmt: skip
