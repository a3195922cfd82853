"""
The probe: what it finds in answers that scapy made, what it refuses to ask, and how it asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.errors import InterfaceError, Prefix64Error, ProbeError
from prefix64.kernel.messages import InterfaceAddress, Link
from prefix64.link.packet_socket import ILinkSocket
from prefix64.probe.asker import Asker, Host, findAsker
from prefix64.probe.command import takeSteps
from prefix64.probe.exchange import MOST_ARRIVALS, MOST_FRAMES, Exchange
from prefix64.probe.findings import Finding, Role, StepReport, Weight
from prefix64.probe.judging import Arrival, Heard, judge
from prefix64.probe.questions import Question, Step, concerns
from prefix64.probe.reading import readPacket
from prefix64.probe.report import Report, stepLines
from prefix64.probe.writing import writeQuestion
from prefix64.routing.entries import Route, RouteKind
from prefix64.testing import MemoryKernel, MemoryLink
from tests import frames
from tests.frames import (
    HOST_LINK,
    ROUTER,
    ROUTER_LINK,
    TARGET,
    addressBytes,
    frame,
    linkBytes,
    scapy,
    unknownOption,
)
from tests.test_cli import runMain

repeatable = settings(max_examples=300, deadline=None, derandomize=True)

OTHER_LINK = "02:00:00:00:00:99"
OTHER = "2001:db8:0:64::99"
GLOBAL = "2001:db8:ffff::fe"
IDENTIFIER = 0x6464
DATA = bytes(range(56))
GROUP_LINK = linkBytes("33:33:ff:57:ca:fe")


def question(step: Step = Step.RESOLUTION) -> Question:
    """
    The router R asks for T, which the host H answers for.
    """
    isGroup = step in (Step.RESOLUTION, Step.DUPLICATE)
    isEcho = step is Step.ECHO
    return Question(
        step,
        addressBytes(TARGET),
        bytes(16) if step is Step.DUPLICATE else addressBytes(ROUTER),
        linkBytes(ROUTER_LINK),
        GROUP_LINK if isGroup else linkBytes(HOST_LINK),
        IDENTIFIER if isEcho else 0,
        DATA if isEcho else b"",
    )


def tllao(linkLayerAddress: str = HOST_LINK) -> bytes:
    """
    A Target Link-Layer Address option.
    """
    s = scapy()
    return bytes(s.raw(s.ICMPv6NDOptDstLLAddr(lladdr=linkLayerAddress)))


def answer(
    target: str = TARGET,
    source: str = TARGET,
    destination: str = ROUTER,
    flags: tuple[int, int, int] = (0, 1, 0),
    options: bytes | None = None,
    linkSource: str = HOST_LINK,
    linkDestination: str | None = ROUTER_LINK,
    message: dict[str, Any] | None = None,
    **rest: Any,
) -> bytes:
    """
    An advertisement by H; without arguments, a right answer to R.

    @param flags: R, S and O.
    @param message: further fields of scapy's advertisement.
    @param rest: see L{frame}.
    """
    s = scapy()
    router, solicited, override = flags
    advertisement = s.ICMPv6ND_NA(
        tgt=target, R=router, S=solicited, O=override, **(message or {})
    ) / s.Raw(tllao() if options is None else options)
    rest.setdefault("hlim", 255)
    return frame(advertisement, source, destination, linkSource, linkDestination, **rest)


def defence(**rest: Any) -> bytes:
    """
    A right answer to a duplicate address probe.
    """
    given = {"destination": "ff02::1", "linkDestination": None, "flags": (0, 0, 1), **rest}
    return answer(**given)


def reply(
    source: str = TARGET,
    destination: str = ROUTER,
    identifier: int = IDENTIFIER,
    sequence: int = 1,
    data: bytes = DATA,
    linkSource: str = HOST_LINK,
    linkDestination: str = ROUTER_LINK,
    message: dict[str, Any] | None = None,
    **rest: Any,
) -> bytes:
    """
    An Echo Reply by H; without arguments, a right one.
    """
    s = scapy()
    echo = s.ICMPv6EchoReply(id=identifier, seq=sequence, data=data, **(message or {}))
    return frame(echo, source, destination, linkSource, linkDestination, **rest)


def errorAbout(asked: bytes, source: str = OTHER, code: int = 3, **rest: Any) -> bytes:
    """
    A Destination Unreachable about a frame.
    """
    s = scapy()
    message = s.ICMPv6DestUnreach(code=code) / s.Raw(asked[14:])
    return frame(message, source, ROUTER, OTHER_LINK, ROUTER_LINK, **rest)


def heardAfter(step: Step, *received: bytes, tries: int = 1) -> StepReport:
    """
    Judge what came after the last try, 5 ms after it.
    """
    arrivals = [Arrival(one, 0.005, tries) for one in received]
    return judge(question(step), Heard(tries, arrivals))


def wrongIn(report: StepReport) -> set[str]:
    """
    The names of all that is wrong.
    """
    return {finding.code for finding in report.wrong}


def find(report: StepReport, code: str) -> Finding:
    """
    The first finding of a name.
    """
    parts = [*(one.findings for one in report.heard), report.findings]
    return next(found for part in parts for found in part if found.code == code)


class AdvertisementTests(SynchronousTestCase):
    """
    Each fault of an answer to a solicitation is named, and a right one has none.
    """

    def assertWrong(
        self, code: str, *received: bytes, step: Step = Step.RESOLUTION, usable: bool = False
    ) -> Finding:
        """
        Exactly one thing is wrong; and is the answer one that neighbours go by?
        """
        report = heardAfter(step, *received)
        self.assertEqual(wrongIn(report), {code}, "\n".join(stepLines(report, 3)))
        self.assertEqual(report.isAnswered, usable)
        return find(report, code)

    def test_aRightAnswerHasNoFault(self) -> None:
        """
        To both solicitations; with the flags' meaning, and the link-layer address.
        """
        for step in (Step.RESOLUTION, Step.REACHABILITY):
            report = heardAfter(step, answer())
            self.assertEqual(report.wrong, [])
            self.assertTrue(report.isAnswered)
            self.assertEqual(report.learned, linkBytes(HOST_LINK))
            self.assertIn("no router", str(find(report, "router")))
            self.assertIn("O=0", str(find(report, "override")))
        for flags in ((1, 1, 0), (0, 1, 1), (1, 1, 1)):
            report = heardAfter(Step.RESOLUTION, answer(flags=flags))
            self.assertEqual(report.wrong, [])
            self.assertIn(f"R={flags[0]}", str(find(report, "router")))
            self.assertIn(f"O={flags[2]}", str(find(report, "override")))

    def test_hopLimit(self) -> None:
        """
        With what it leads to, and the clause.
        """
        for hopLimit in (64, 254, 0):
            found = self.assertWrong("hop-limit", answer(hlim=hopLimit))
            self.assertEqual(
                str(found),
                f"hop limit {hopLimit}, must be 255 (RFC 4861 7.1.2): "
                "every router and host drops this answer",
            )

    def test_checksumAndCode(self) -> None:
        """
        RFC 4861 7.1.2.
        """
        self.assertWrong("checksum", answer(message={"cksum": 0x1234}))
        self.assertWrong("code", answer(message={"code": 1}))

    def test_flags(self) -> None:
        """
        S=0 in an answer, S=1 to a group, reserved bits.
        """
        self.assertWrong("solicited", answer(flags=(0, 0, 1)), usable=True)
        self.assertWrong("solicited", answer(flags=(0, 0, 1)), step=Step.REACHABILITY)
        toAll = answer(destination="ff02::1", linkDestination=None)
        report = heardAfter(Step.RESOLUTION, toAll)
        self.assertEqual(wrongIn(report), {"solicited-multicast", "destination"})
        self.assertFalse(report.isAnswered)
        self.assertEqual(
            find(heardAfter(Step.RESOLUTION, answer(message={"res": 1})), "reserved").weight,
            Weight.NOTE,
        )

    def test_targetLinkLayerAddress(self) -> None:
        """
        Missing, another's, the asker's, a group's, of a wrong length, twice.
        """
        found = self.assertWrong("no-link-layer", answer(options=b""))
        self.assertIn("7.2.4", str(found))
        self.assertEqual(heardAfter(Step.REACHABILITY, answer(options=b"")).wrong, [])
        report = heardAfter(Step.RESOLUTION, answer(options=tllao(OTHER_LINK)))
        self.assertEqual((report.wrong, report.learned), ([], linkBytes(OTHER_LINK)))
        self.assertIn(OTHER_LINK, str(find(report, "link-layer")))
        self.assertIn(HOST_LINK, str(find(report, "link-layer")))
        for address in (ROUTER_LINK, "33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"):
            self.assertWrong("link-layer", answer(options=tllao(address)))
        self.assertWrong("link-layer", answer(options=unknownOption(2, b"\x02" * 14)))
        both = tllao() + tllao(OTHER_LINK)
        self.assertWrong("link-layer-several", answer(options=both), usable=True)
        self.assertEqual(heardAfter(Step.RESOLUTION, answer(options=tllao() * 2)).wrong, [])

    def test_options(self) -> None:
        """
        Of length 0, past the end, bytes left over; unknown ones are passed over.
        """
        for wrong in (b"\x0e\0" + bytes(6), b"\x0e\2" + bytes(6), b"\1\2\3"):
            self.assertWrong("options", answer(options=tllao() + wrong))
        nonce = unknownOption(14, b"abcdef")
        self.assertEqual(heardAfter(Step.RESOLUTION, answer(options=nonce + tllao())).wrong, [])

    def test_source(self) -> None:
        """
        A link-local one is named, and no fault; the asker's own, a group and :: are.
        """
        for source, words in (
            (TARGET, "the target itself"),
            ("fe80::1", "a link-local address, not the target"),
            ("fe01::1", "neither the target nor link-local"),
            (OTHER, "neither the target nor link-local"),
            ("2001:80::1", "neither the target nor link-local"),
        ):
            report = heardAfter(Step.RESOLUTION, answer(source=source))
            self.assertEqual(report.wrong, [])
            self.assertIn(f"source {source}: {words}", str(find(report, "source")))
        for source in (ROUTER, "ff02::1", "::"):
            self.assertWrong("source", answer(source=source))

    def test_destination(self) -> None:
        """
        Another address, and another link-layer address.
        """
        self.assertWrong("destination", answer(destination=OTHER))
        self.assertWrong("link-destination", answer(linkDestination=OTHER_LINK), usable=True)

    def test_target(self) -> None:
        """
        An answer from the target for another address.
        """
        found = self.assertWrong("target", answer(target=OTHER))
        self.assertIn(OTHER, str(found))

    def test_shortOrCut(self) -> None:
        """
        A message below 24 bytes, and a frame that ends before its packet.
        """
        s = scapy()
        short = frame(s.ICMPv6Unknown(type=136, code=0, msgbody=bytes(12)), TARGET, ROUTER,
                      HOST_LINK, ROUTER_LINK, hlim=255)  # fmt: skip
        self.assertWrong("length", short)
        self.assertWrong("cut", answer(options=tllao() + tllao())[:-8])

    def test_extensionHeaders(self) -> None:
        """
        A fragment is dropped, another header, of whatever length, named; a later fragment is no
        message.
        """
        s = scapy()
        header = frames.fragmentHeader()
        header.res1 = 1
        for fragment in (frames.fragmentHeader(), header):
            self.assertWrong("fragment", answer(headers=fragment))
        for padding in (1, 9):
            headers = s.IPv6ExtHdrDestOpt(options=[s.PadN(optdata=bytes(padding))])
            report = heardAfter(Step.RESOLUTION, answer(headers=headers))
            self.assertEqual(report.wrong, [])
            self.assertIn("60", str(find(report, "extension-headers")))
        self.assertIsNone(readPacket(answer(headers=frames.fragmentHeader(offset=1))))

    def test_silence(self) -> None:
        """
        Each kind of silence has its own consequence.
        """
        self.assertIn("nobody answers", str(self.assertWrong("silence")))
        found = self.assertWrong("silence", step=Step.REACHABILITY)
        self.assertIn("RFC 4861 7.3", str(found))
        self.assertIn("ping", str(self.assertWrong("silence", step=Step.ECHO)))

    def test_onlyUnsolicited(self) -> None:
        """
        An advertisement to all nodes answers nobody, and beside an answer is no fault.
        """
        found = self.assertWrong("silence", defence())
        self.assertIn("unsolicited", str(found))
        report = heardAfter(Step.RESOLUTION, defence(), answer())
        self.assertEqual((report.wrong, report.isAnswered), ([], True))

    def test_duplicates(self) -> None:
        """
        More answers than questions from one machine.
        """
        found = self.assertWrong("duplicate", answer(), answer(flags=(1, 1, 1)), usable=True)
        self.assertIn(f"2 answers to 1 solicitation from {HOST_LINK}", str(found))
        self.assertEqual(heardAfter(Step.RESOLUTION, answer(), answer(), tries=2).wrong, [])

    def test_conflict(self) -> None:
        """
        Two machines answer, and each is named.
        """
        other = answer(linkSource=OTHER_LINK, options=tllao(OTHER_LINK))
        found = self.assertWrong("conflict", answer(), other, usable=True)
        self.assertIn(f"2 machines answer: {HOST_LINK}, {OTHER_LINK}", str(found))

    def test_theUsableAnswerIsLearnedFrom(self) -> None:
        """
        Not the one that neighbours drop.
        """
        other = answer(linkSource=OTHER_LINK, options=tllao(OTHER_LINK), hlim=64)
        report = heardAfter(Step.RESOLUTION, other, answer())
        self.assertEqual(report.learned, linkBytes(HOST_LINK))

    def test_itAskedFirst(self) -> None:
        """
        A solicitation for the asker's address before the answer is named; one after it is not; one
        without an answer is a fault.
        """
        counter = frames.solicitation(ROUTER, source="fe80::1", linkSource=HOST_LINK)
        report = heardAfter(Step.RESOLUTION, counter, answer())
        self.assertEqual((report.wrong, report.heard[0].role), ([], Role.COUNTER_QUESTION))
        self.assertIn("it asked for us first", str(find(report, "asked-first")))
        self.assertEqual(len(heardAfter(Step.RESOLUTION, answer(), counter).heard), 1)
        self.assertEqual(wrongIn(heardAfter(Step.RESOLUTION, counter)), {"asked-first", "silence"})

    def test_errorsAndRedirects(self) -> None:
        """
        An ICMPv6 error about the question, or a redirect, is named with its meaning.
        """
        asked = writeQuestion(question(Step.REACHABILITY), 1)
        for code, words in ((0, "no route"), (1, "prohibited"), (3, "not local there"), (77, "77")):
            report = heardAfter(Step.REACHABILITY, errorAbout(asked, code=code))
            self.assertEqual(wrongIn(report), {"error", "silence"})
            self.assertIn(words, str(find(report, "error")))
        s = scapy()
        redirect = s.ICMPv6ND_Redirect(tgt=OTHER, dst=TARGET)
        received = frame(redirect, "fe80::1", ROUTER, OTHER_LINK, ROUTER_LINK, hlim=255)
        packet = readPacket(received)
        assert packet is not None
        self.assertTrue(concerns(packet, question(Step.REACHABILITY)))
        report = heardAfter(Step.REACHABILITY, received, answer())
        self.assertEqual(wrongIn(report), {"redirect"})
        self.assertIn(OTHER, str(find(report, "redirect")))


class DuplicateTests(SynchronousTestCase):
    """
    The answer to a duplicate address probe.
    """

    def test_defended(self) -> None:
        """
        To all nodes, with S=0.
        """
        report = heardAfter(Step.DUPLICATE, defence())
        self.assertEqual(report.wrong, [])
        self.assertIn(HOST_LINK, str(find(report, "defended")))

    def test_undefended(self) -> None:
        """
        Silence is no fault.
        """
        report = heardAfter(Step.DUPLICATE)
        self.assertEqual(report.wrong, [])
        self.assertIn("another host can take it", str(find(report, "undefended")))

    def test_wrongDefence(self) -> None:
        """
        With S=1, or not to all nodes.
        """
        report = heardAfter(Step.DUPLICATE, defence(flags=(0, 1, 1)))
        self.assertEqual(wrongIn(report), {"solicited-multicast", "undefended"})
        report = heardAfter(Step.DUPLICATE, answer(destination="::1"))
        self.assertEqual(wrongIn(report), {"solicited", "destination", "undefended"})
        report = heardAfter(Step.DUPLICATE, defence(destination="ff02::2"))
        self.assertEqual((wrongIn(report), report.isAnswered), ({"destination"}, True))


class EchoTests(SynchronousTestCase):
    """
    Each fault of an Echo Reply is named, and a right one has none.
    """

    def assertWrong(self, code: str, *received: bytes, usable: bool = False) -> None:
        """
        Exactly one thing is wrong.
        """
        report = heardAfter(Step.ECHO, *received)
        self.assertEqual(wrongIn(report), {code}, "\n".join(stepLines(report, 3)))
        self.assertEqual(report.isAnswered, usable)

    def test_aRightReplyHasNoFault(self) -> None:
        """
        Its hop limit is said.
        """
        report = heardAfter(Step.ECHO, reply(hlim=64))
        self.assertEqual((report.wrong, report.isAnswered), ([], True))
        self.assertIn("hop limit 64", str(find(report, "hop-limit")))
        report = heardAfter(Step.ECHO, reply(hlim=61))
        self.assertIn("3 routers", str(find(report, "hop-limit")))

    def test_contents(self) -> None:
        """
        Identifier, sequence number and data.
        """
        self.assertWrong("identifier", reply(identifier=1))
        self.assertWrong("sequence", reply(sequence=2))
        self.assertWrong("sequence", reply(sequence=0))
        self.assertWrong("data", reply(data=DATA[:-1]), usable=True)
        changed = reply(data=DATA[:-1] + b"x")
        self.assertWrong("data", changed, usable=True)
        self.assertIn("from byte 55 on", str(find(heardAfter(Step.ECHO, changed), "data")))

    def test_sourceChecksumAndCode(self) -> None:
        """
        RFC 4443 4.2, 2.3.
        """
        self.assertWrong("source", reply(source=OTHER))
        self.assertWrong("checksum", reply(message={"cksum": 0x1234}))
        self.assertWrong("code", reply(message={"code": 1}))
        self.assertEqual(wrongIn(heardAfter(Step.ECHO, reply()[:-1])), {"cut", "data"})
        self.assertWrong("link-destination", reply(linkDestination=OTHER_LINK), usable=True)

    def test_duplicates(self) -> None:
        """
        Two replies to one request, but not one to each of two.
        """
        self.assertWrong("duplicate", reply(), reply(), usable=True)
        report = heardAfter(Step.ECHO, reply(), reply(sequence=2), tries=2)
        self.assertEqual(report.wrong, [])

    def test_otherMachine(self) -> None:
        """
        A reply from another link-layer address is named.
        """
        report = heardAfter(Step.ECHO, reply(linkSource=OTHER_LINK))
        self.assertEqual(report.wrong, [])
        self.assertIn(OTHER_LINK, str(find(report, "link-source")))

    def test_errors(self) -> None:
        """
        An error about the request is named.
        """
        asked = writeQuestion(question(Step.ECHO), 1)
        for quoted in (asked, asked[: 14 + 40]):
            report = heardAfter(Step.ECHO, errorAbout(quoted))
            self.assertEqual(wrongIn(report), {"error", "silence"})


class ConcernTests(SynchronousTestCase):
    """
    What has nothing to do with the question is not judged.
    """

    def assertPassedOver(self, step: Step, *received: bytes) -> None:
        """
        None of it is about the question.
        """
        for one in received:
            packet = readPacket(one)
            self.assertFalse(packet is not None and concerns(packet, question(step)))
        self.assertEqual(heardAfter(step, *received).heard, ())

    def test_othersAreLeftAlone(self) -> None:
        """
        Answers for other addresses, questions for others, replies to other programs, errors about
        other packets, other protocols.
        """
        asked = writeQuestion(question(Step.ECHO), 1)
        self.assertPassedOver(
            Step.RESOLUTION,
            answer(target=OTHER, source=OTHER),
            answer(target=OTHER, source=OTHER, destination="ff02::1", linkDestination=None),
            answer(destination=OTHER, linkDestination=OTHER_LINK),
            frames.solicitation(OTHER, source="fe80::1", linkSource=HOST_LINK),
            frames.probe(ROUTER, linkSource=HOST_LINK),
            writeQuestion(question(), 1),
            errorAbout(asked),
            reply(),
            frames.tcp(),
            frames.echoRequest(ROUTER, TARGET),
            b"",
            bytes(60),
            answer()[:12] + b"\x08\0" + answer()[14:],
            answer()[:14] + b"\x40" + answer()[15:],
            answer(nh=59),
            answer()[:54],
        )
        self.assertPassedOver(Step.REACHABILITY, errorAbout(asked), errorAbout(asked[: 14 + 39]))
        other = replace(question(Step.ECHO), target=addressBytes(OTHER))
        self.assertPassedOver(
            Step.ECHO,
            answer(),
            reply(identifier=1, data=b"another program's"),
            reply(destination=OTHER),
            errorAbout(writeQuestion(other, 1)),
        )


@st.composite
def damaged(draw: Any) -> bytes:
    """
    A good frame, or any bytes behind a good frame's beginning, with some bytes changed, cut or
    longer.
    """
    step = draw(st.sampled_from(Step))
    base = draw(
        st.sampled_from(
            (
                answer(),
                defence(),
                reply(),
                errorAbout(writeQuestion(question(step), 1)),
                frames.solicitation(ROUTER, source="fe80::1", linkSource=HOST_LINK),
                answer(headers=frames.hopByHop()),
                answer(headers=frames.fragmentHeader()),
            )
        )
    )
    made = bytearray(base)
    for _ in range(draw(st.integers(0, 6))):
        made[draw(st.integers(0, len(made) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(made)))
    return bytes(made[: draw(st.sampled_from((len(made), cut)))]) + draw(st.binary(max_size=40))


class HostileTests(SynchronousTestCase):
    """
    Any bytes may come.
    """

    def assertDescribed(self, received: list[bytes]) -> None:
        """
        It is judged and described, in printable characters.
        """
        steps = []
        for step in Step:
            report = heardAfter(step, *received)
            lines = list(stepLines(report, 3))
            self.assertTrue("".join(lines).isprintable(), lines)
            steps.append(report)
        whole = Report(parseAddress(TARGET), "eth0", tuple(steps))
        self.assertTrue(whole.summary().isprintable())
        self.assertEqual(json.loads(json.dumps(whole.asDict()))["found"], whole.isFound)

    @repeatable
    @given(st.lists(damaged(), min_size=1, max_size=3))
    def test_damagedFramesAreJudged(self, received: list[bytes]) -> None:
        """
        No exception, nothing raw.
        """
        self.assertDescribed(received)

    @repeatable
    @given(st.binary(max_size=120))
    @example(b"")
    def test_anyBytesAreJudged(self, received: bytes) -> None:
        """
        Also behind headers that make them an answer of each type.
        """
        kinds = [received] + [
            frame(scapy().Raw(bytes([kind, 0, 0, 0]) + received), TARGET, ROUTER,
                  HOST_LINK, ROUTER_LINK, hlim=255, nh=58)
            for kind in (1, 2, 3, 4, 129, 135, 136, 137)
        ]  # fmt: skip
        self.assertDescribed(kinds)
        for one in kinds[1:]:
            self.assertIsNotNone(readPacket(one))


class ReportTests(SynchronousTestCase):
    """
    What it all comes to.
    """

    def report(self, *steps: StepReport) -> Report:
        """
        A report of steps.
        """
        return Report(parseAddress(TARGET), "eth0", steps)

    def test_found(self) -> None:
        """
        Found, and nothing wrong.
        """
        report = self.report(
            heardAfter(Step.RESOLUTION, answer()),
            heardAfter(Step.REACHABILITY, answer()),
            heardAfter(Step.ECHO, reply()),
        )
        self.assertTrue(report.isGood)
        self.assertEqual(
            report.summary(), f"{TARGET} is found on the link at {HOST_LINK} and answers ping"
        )
        self.assertEqual(report.asDict()["linkLayerAddress"], HOST_LINK)

    def test_foundWithFaults(self) -> None:
        """
        Each is named in the line.
        """
        report = self.report(
            heardAfter(Step.RESOLUTION, answer()),
            heardAfter(Step.REACHABILITY),
            heardAfter(Step.ECHO),
        )
        self.assertFalse(report.isGood)
        self.assertTrue(report.isFound)
        summary = report.summary()
        self.assertIn(f"at {HOST_LINK} but does not answer ping; wrong: ", summary)
        self.assertIn("silent to unicast solicitations", summary)
        self.assertEqual(report.asDict()["wrong"], ["reachability:silence", "echo:silence"])

    def test_notFound(self) -> None:
        """
        Silence, with what to look at; an error; an answer that everybody drops.
        """
        silent = self.report(heardAfter(Step.RESOLUTION, tries=3))
        self.assertFalse(silent.isGood)
        self.assertIn("is not found: nobody answers; ", silent.summary())
        self.assertIn("prefix64 doctor", silent.summary())
        asked = writeQuestion(question(), 1)
        error = self.report(heardAfter(Step.RESOLUTION, errorAbout(asked)))
        self.assertIn("address unreachable", error.summary())
        dropped = self.report(heardAfter(Step.RESOLUTION, answer(hlim=64), answer(hlim=64)))
        self.assertIn("is not found: hop limit 64, must be 255", dropped.summary())

    def test_manyPacketsAreNotAllShown(self) -> None:
        """
        In words only the first are, and the rest are counted.
        """
        lines = list(stepLines(heardAfter(Step.RESOLUTION, *[answer()] * 20), 3))
        self.assertEqual(sum("answer from" in line for line in lines), 8)
        self.assertIn("  and 12 more packets: --json shows all", lines)


class WritingTests(SynchronousTestCase):
    """
    The questions are what a router sends.
    """

    def test_solicitation(self) -> None:
        """
        The base solicitation of the protocol's cases.
        """
        self.assertEqual(writeQuestion(question(), 1), frames.solicitation())

    def test_unicastSolicitation(self) -> None:
        """
        To the target, at the link-layer address that was learned.
        """
        self.assertEqual(
            writeQuestion(question(Step.REACHABILITY), 1), frames.solicitation(destination=TARGET)
        )

    def test_probe(self) -> None:
        """
        From ::, without an option.
        """
        self.assertEqual(writeQuestion(question(Step.DUPLICATE), 1), frames.probe())

    def test_echo(self) -> None:
        """
        Each try has its sequence number.
        """
        for attempt in (1, 2):
            self.assertEqual(
                writeQuestion(question(Step.ECHO), attempt),
                frames.echoRequest(data=DATA, identifier=IDENTIFIER, sequence=attempt, hlim=64),
            )


class Clock:
    """
    A link in memory, its time, and somebody who answers.

    @ivar answers: given a frame that was sent, what comes back 10 ms later.
    """

    def __init__(self, answers: Callable[[bytes], list[bytes]]) -> None:
        self.link = MemoryLink(linkBytes(ROUTER_LINK))
        self.now = 0.0
        self._answers = answers
        self._answered = 0

    def exchange(self, timeout: float = 1.0) -> Exchange:
        """
        An exchange over the link.
        """
        return Exchange(self.link, timeout, lambda: self.now, self.wait)

    def wait(self, link: ILinkSocket, seconds: float) -> None:
        """
        Let time go by.
        """
        new = self.link.sent[self._answered :]
        self._answered = len(self.link.sent)
        received = [each for one in new for each in self._answers(one)]
        for each in received:
            self.link.deliver(each)
        self.now += 0.01 if received else seconds


class ExchangeTests(SynchronousTestCase):
    """
    How often is asked, how long is listened, how much is looked at.
    """

    frames = [bytes([number]) for number in range(3)]

    def test_anAnswerEndsTheAsking(self) -> None:
        """
        After the first try, but the whole time is listened for a second answer.
        """
        clock = Clock(lambda sent: [frames.tcp(), answer()])
        heard = clock.exchange().ask(question(), self.frames)
        self.assertEqual((heard.tries, clock.link.sent), (1, self.frames[:1]))
        self.assertEqual([one.frame for one in heard.arrivals], [answer()])
        self.assertAlmostEqual(heard.arrivals[0].after, 0.01)
        self.assertAlmostEqual(clock.now, 1.0)

    def test_silenceIsAskedAgain(self) -> None:
        """
        As often as was said.
        """
        clock = Clock(lambda sent: [frames.tcp()])
        heard = clock.exchange(0.5).ask(question(), self.frames)
        self.assertEqual((heard.tries, list(heard.arrivals)), (3, []))
        self.assertEqual(clock.link.sent, self.frames)
        self.assertAlmostEqual(clock.now, 1.5)

    def test_theSecondTryIsAnswered(self) -> None:
        """
        The answer says which try it came after. A solicitation for us ends nothing.
        """
        counter = frames.solicitation(ROUTER, source="fe80::1", linkSource=HOST_LINK)
        clock = Clock(lambda sent: [answer() if sent == self.frames[1] else counter])
        heard = clock.exchange().ask(question(), self.frames)
        self.assertEqual(heard.tries, 2)
        self.assertEqual([one.attempt for one in heard.arrivals], [1, 2])

    def test_whatCameBeforeIsForgotten(self) -> None:
        """
        A late answer to the question before is none to this one.
        """
        clock = Clock(lambda sent: [])
        clock.link.deliver(answer())
        self.assertEqual(list(clock.exchange().ask(question(), self.frames).arrivals), [])

    def test_aFloodIsCutOff(self) -> None:
        """
        Of answers, and of what has nothing to do with it.
        """
        for received, kept in (
            ([answer()] * (MOST_ARRIVALS + 5), MOST_ARRIVALS),
            ([b""] * (MOST_FRAMES + 5), 0),
        ):
            clock = Clock(lambda sent, received=received: received)
            heard = clock.exchange().ask(question(), self.frames)
            self.assertEqual((heard.isCut, heard.tries, len(heard.arrivals)), (True, 1, kept))
            self.assertIn("flood", wrongIn(judge(question(), heard)))

    def test_theInterfaceGoes(self) -> None:
        """
        One line.
        """
        for errors in ("sendErrors", "errors"):
            clock = Clock(lambda sent: [])
            getattr(clock.link, errors).append(OSError(100, "x"))
            refusal = self.assertRaises(ProbeError, clock.exchange().ask, question(), self.frames)
            self.assertIn("Network is down", str(refusal))

    def test_theSteps(self) -> None:
        """
        Each asks the link-layer address that was learned; without one, only the first is taken.
        """

        def respond(sent: bytes) -> list[bytes]:
            packet = readPacket(sent)
            assert packet is not None
            if packet.kind == 128:
                identifier = int.from_bytes(packet.message[4:6], "big")
                return [reply(identifier=identifier, data=packet.message[8:])]
            return [defence() if packet.source == bytes(16) else answer()]

        link = Link("eth0", 2, 1, linkBytes(ROUTER_LINK), True)
        asker = Asker(link, parseAddress(TARGET), parseAddress(ROUTER), parseAddress(ROUTER))
        clock = Clock(respond)
        steps = list(takeSteps(clock.exchange(), asker, 3, dad=True))
        self.assertEqual([step.question.step for step in steps], list(Step))
        self.assertEqual([step.wrong for step in steps], [[], [], [], []])
        to = [sent[:6] for sent in clock.link.sent]
        self.assertEqual(to, [GROUP_LINK, *[linkBytes(HOST_LINK)] * 2, GROUP_LINK])
        silent = list(takeSteps(Clock(lambda sent: []).exchange(), asker, 3, dad=False))
        self.assertEqual([step.question.step for step in silent], [Step.RESOLUTION])


class AskerTests(SynchronousTestCase):
    """
    What is checked before anything is sent.
    """

    def setUp(self) -> None:
        self.kernel = MemoryKernel()
        self.carrier = True
        self.own(2, ROUTER)
        self.own(2, GLOBAL)
        self.own(1, "2001:db8:1::1")

    def own(self, interface: int, address: str) -> None:
        """
        Give the host an address.
        """
        self.kernel.hostAddresses.add(InterfaceAddress(interface, parseAddress(address)))

    def find(
        self, address: str = TARGET, interface: str = "eth0", source: str | None = None
    ) -> Asker:
        """
        Find out who asks.
        """
        host = Host(
            self.kernel, lambda target, link: parseAddress(GLOBAL), lambda link: self.carrier
        )
        return findAsker(host, address, interface, source)

    def assertRefused(self, words: str, *arguments: str, **named: Any) -> None:
        """
        It is refused, in one line.
        """
        refusal = self.assertRaises(Prefix64Error, self.find, *arguments, **named)
        self.assertIn(words, str(refusal))
        self.assertNotIn("\n", str(refusal))

    def test_theLinkLocalAddressAsks(self) -> None:
        """
        And the kernel chooses the source of ping; if it knows none, that is the link-local one.
        """
        asker = self.find()
        self.assertEqual(
            (asker.source, asker.echoSource), (parseAddress(ROUTER), parseAddress(GLOBAL))
        )
        host = Host(self.kernel, lambda target, link: None, lambda link: True)
        self.assertEqual(findAsker(host, TARGET, "eth0", None).echoSource, parseAddress(ROUTER))

    def test_anotherSource(self) -> None:
        """
        An address of the host, on whichever interface, asks for everything.
        """
        for source in (GLOBAL, "2001:db8:1::1"):
            asker = self.find(source=source)
            self.assertEqual((asker.source, asker.echoSource), (parseAddress(source),) * 2)
        names = f"{GLOBAL}, {ROUTER}"
        self.assertRefused(f"no address of this host on eth0; there are: {names}", source=OTHER)
        self.assertRefused("--source 'x' is no IPv6 address", source="x")
        self.own(1, "::1")
        self.own(3, "fe80::3")
        for source in ("::1", "fe80::3"):
            self.assertRefused("no address of this host", source=source)

    def test_withoutLinkLocalAddress(self) -> None:
        """
        It says so, and what to do.
        """
        self.kernel.hostAddresses.remove(InterfaceAddress(2, parseAddress(ROUTER)))
        self.assertRefused("has no link-local address")
        self.assertEqual(self.find(source=GLOBAL).source, parseAddress(GLOBAL))
        self.kernel.hostAddresses.clear()
        self.assertRefused("there are: none", source=GLOBAL)

    def test_addressesThatCannotBeAskedFor(self) -> None:
        """
        Each with its reason.
        """
        for address, words in (
            ("ff02::1", "is multicast"),
            ("::1", "loopback"),
            ("::", "unspecified"),
            ("::ffff:192.0.2.1", "IPv4-mapped"),
            ("192.0.2.1", "is IPv4"),
            ("fe80::1%eth0", "scope"),
            ("2001:db8::/64", "is no IPv6 address"),
            ("x\ny", "is no IPv6 address"),
        ):
            self.assertRefused(words, address)

    def test_ownAddresses(self) -> None:
        """
        On any interface; link-local ones on this one only; and what prefix64 serves here.
        """
        self.assertRefused("own address: probe it from another host", GLOBAL)
        self.assertRefused("own address", "2001:db8:1::1")
        self.assertRefused("own address", ROUTER)
        self.own(3, "fe80::3")
        self.find("fe80::3")
        self.kernel.ourRoutes = {
            Route(RouteKind.LOCAL, parsePrefix("2001:db8:0:64::/64")),
            Route(RouteKind.THROW, parsePrefix("2001:db8:0:64::1/128")),
        }
        self.assertRefused("served by prefix64 on this host", TARGET)
        self.find("2001:db8:0:64::1")

    def test_interfaces(self) -> None:
        """
        Missing, loopback, down, a port of a bridge, without carrier.
        """
        self.kernel.links += [
            Link("eth1", 3, 1, linkBytes(HOST_LINK), False),
            Link("eth2", 4, 1, linkBytes(HOST_LINK), True, "bridge"),
            Link("tun0", 5, 65534, b"", True),
        ]
        for interface, words in (
            ("eth9", "no such interface; there are: eth0, eth1, eth2, lo, tun0"),
            ("lo", "not Ethernet"),
            ("tun0", "not Ethernet"),
            ("eth1", "is down: ip link set eth1 up"),
            ("eth2", "port of a bridge"),
        ):
            self.assertRefused(words, interface=interface)
        self.carrier = False
        self.assertRaises(InterfaceError, self.find)


class CommandTests(SynchronousTestCase):
    """
    C{prefix64 probe}, up to where it would need root.
    """

    def test_bounds(self) -> None:
        """
        One line, and exit status 2.
        """
        for option, value, line in (
            ("--timeout", "0", "--timeout '0': give seconds from 0.05 to 60"),
            ("--timeout", "61", "--timeout '61': give seconds from 0.05 to 60"),
            ("--timeout", "nan", "--timeout 'nan': give seconds from 0.05 to 60"),
            ("--count", "0", "--count '0': give 1 to 20"),
            ("--count", "1.5", "--count '1.5': give 1 to 20"),
            ("--timeout", "1e1", "--timeout '1e1': give seconds from 0.05 to 60"),
            ("--count", "21", "--count '21': give 1 to 20"),
        ):
            ended = runMain("probe", TARGET, "--iface", "lo", option, value)
            self.assertEqual(ended, (2, "", f"prefix64: {line}\n"))

    def test_usage(self) -> None:
        """
        The interface must be named.
        """
        status, _, errors = runMain("probe", TARGET)
        self.assertEqual(status, 2)
        self.assertIn("--iface", errors)

    def test_refusals(self) -> None:
        """
        What cannot be asked ends before anything is sent.
        """
        for address, interface, words in (
            (TARGET, "lo", "not Ethernet"),
            (TARGET, "no\nsuch", "no such interface"),
            ("ff02::1", "lo", "multicast"),
        ):
            status, out, errors = runMain("probe", address, "--iface", interface)
            self.assertEqual((status, out, errors.count("\n")), (2, "", 1))
            self.assertIn(words, errors)
