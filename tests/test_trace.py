"""
A line for a frame, against tcpdump's own.
"""

from __future__ import annotations

import random
import re
import subprocess
from ipaddress import IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.icmpv6.trace import describe, traced
from prefix64.icmpv6.verdicts import Answer, Verdict
from tests import frames
from tests.frames import (
    HOST_LINK,
    ROUTER,
    ROUTER_LINK,
    TARGET,
    echoRequest,
    probe,
    scapy,
    solicitation,
)
from tests.support import requirePrograms

repeatable = settings(max_examples=200, deadline=None, derandomize=True)

SOLICITATION = "fe80::fe > ff02::1:ff57:cafe: ICMP6, neighbor solicitation, who has "
PRINTABLE = re.compile(r"[\x20-\x7e]+")


def echoReply(destination: str, source: str, data: bytes, sequence: int) -> bytes:
    """
    An Echo Reply.
    """
    s = scapy()
    message = s.ICMPv6EchoReply(id=0xFFFF, seq=sequence, data=data)
    return frames.frame(message, source, destination, linkDestination=ROUTER_LINK)


def solicitedAdvertisement(target: str) -> bytes:
    """
    A Neighbor Advertisement to the router.
    """
    s = scapy()
    message = s.ICMPv6ND_NA(tgt=target, R=0, S=1, O=1) / s.ICMPv6NDOptDstLLAddr(lladdr=HOST_LINK)
    return frames.frame(message, target, ROUTER, HOST_LINK, ROUTER_LINK, hlim=255)


class DescribeTests(SynchronousTestCase):
    """
    L{describe}.
    """

    def test_saysWhatTcpdumpSays(self) -> None:
        """
        Each message that we read or write has its line.
        """
        self.assertEqual(describe(solicitation()), SOLICITATION + "2001:db8:0:64::57:cafe")
        self.assertEqual(
            describe(probe()),
            ":: > ff02::1:ff57:cafe: ICMP6, neighbor solicitation, who has 2001:db8:0:64::57:cafe",
        )
        self.assertEqual(
            describe(solicitedAdvertisement(TARGET)),
            "2001:db8:0:64::57:cafe > fe80::fe: ICMP6, neighbor advertisement, "
            "tgt is 2001:db8:0:64::57:cafe",
        )
        self.assertEqual(
            describe(echoRequest()),
            "fe80::fe > 2001:db8:0:64::57:cafe: ICMP6, echo request, id 4660, seq 7",
        )
        self.assertEqual(
            describe(echoReply(ROUTER, TARGET, b"", 0)),
            "2001:db8:0:64::57:cafe > fe80::fe: ICMP6, echo reply, id 65535, seq 0",
        )

    def test_saysSomethingOfTheRest(self) -> None:
        """
        Of other messages the number is given; of other protocols too; of cut frames the length.
        """
        s = scapy()
        routers = frames.frame(s.ICMPv6ND_RS(), ROUTER, "ff02::2", hlim=255)
        self.assertEqual(describe(routers), "fe80::fe > ff02::2: ICMP6, type 133, code 0")
        self.assertEqual(
            describe(frames.tcp()), "fe80::fe > 2001:db8:0:64::57:cafe: next header 6, length 20"
        )
        for length in (0, 1, 13, 14, 53, 54, 61):
            self.assertEqual(describe(solicitation()[:length]), f"truncated, {length} bytes")

    def test_saysWhatIsNoIpv6(self) -> None:
        """
        No address is read from it.
        """
        arp = solicitation()[:12] + b"\x08\x06" + solicitation()[14:]
        self.assertEqual(describe(arp), f"not IPv6, {len(arp)} bytes")

    def test_whatStandsBehindThePayloadIsNotShown(self) -> None:
        """
        A frame may be longer than the packet in it (RFC 894): the packet's own length counts.
        """
        ends = "fe80::fe > ff02::1:ff57:cafe: ICMP6, "
        for length in range(24):
            frame = solicitation()[:18] + length.to_bytes(2, "big") + solicitation()[20:]
            said = f"truncated, {length} bytes" if length < 8 else "type 135, code 0"
            self.assertEqual(describe(frame), ends + said)
        self.assertEqual(
            describe(solicitation() + b"\x01\x01" + bytes(6)), describe(solicitation())
        )

    def test_solicitationThatIsCutHasNoTarget(self) -> None:
        """
        A target that is not whole is not shown.
        """
        for length in range(62, 78):
            self.assertEqual(
                describe(solicitation()[:length]),
                "fe80::fe > ff02::1:ff57:cafe: ICMP6, type 135, code 0",
            )
        self.assertEqual(describe(solicitation()[:78]), SOLICITATION + TARGET)

    @repeatable
    @given(st.binary(max_size=200))
    def test_anyBytesAreOnePrintableLine(self, data: bytes) -> None:
        """
        Any bytes, as a frame and as the payload of one, are described in printable characters:
        nothing that an attacker wrote reaches a log raw.
        """
        for frame in (data, solicitation()[:54] + data, echoRequest()[:62] + data):
            self.assertIsNotNone(PRINTABLE.fullmatch(describe(frame)), frame)

    def test_isWhatTcpdumpPrints(self) -> None:
        """
        The real tcpdump prints the same of every message, for all sorts of addresses.
        """
        requirePrograms("tcpdump")
        sample = self.sample()
        path = self.mktemp()
        scapy().wrpcap(path, [scapy().Ether(frame) for frame in sample])
        ran = subprocess.run(
            ["tcpdump", "-n", "-t", "-r", path], capture_output=True, text=True, check=True
        )
        printed = [
            re.sub(r"(?:, length \d+)?$", "", line.removeprefix("IP6 "))
            for line in ran.stdout.splitlines()
        ]
        self.assertEqual([describe(frame) for frame in sample], printed)

    @staticmethod
    def sample() -> list[bytes]:
        """
        Messages of each kind, with addresses that are spelled in many ways (RFC 5952).
        """
        randomly = random.Random(64)
        texts = [
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "2001:db8:0:0:1::1",
            "2001:0:0:1::1",
            "2001:db8::1:0:0:1",
            "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1",
            "2001:db8::",
            *(str(IPv6Address(0x2 << 124 | randomly.getrandbits(124))) for _ in range(20)),
        ]
        sample = []
        for text in texts:
            sample += [
                solicitation(text),
                solicitation(text, options=b"", destination=text),
                probe(text),
                solicitedAdvertisement(text),
                echoRequest(text, identifier=randomly.getrandbits(16)),
                echoReply(ROUTER, text, b"odd", randomly.getrandbits(16)),
            ]
        return sample


class TracedTests(SynchronousTestCase):
    """
    L{traced}.
    """

    def trace(self, answer: Answer) -> list[str]:
        """
        The lines of a solicitation that gets an answer.
        """
        lines: list[str] = []
        asked: list[tuple[bytes, int, float]] = []

        def respond(frame: bytes, packetType: int, now: float) -> Answer:
            asked.append((frame, packetType, now))
            return answer

        replies = traced(respond, lines.append)([(solicitation(), 2)], 64.5)
        self.assertEqual(replies, [] if answer[1] is None else [answer[1]])
        self.assertEqual(asked, [(solicitation(), 2, 64.5)])
        return lines

    def test_answerHasTwoLines(self) -> None:
        """
        A frame that is answered and its reply have a line each; the answer is handed on.
        """
        reply = solicitedAdvertisement(TARGET)
        lines = self.trace((Verdict.ADVERTISED, reply))
        self.assertEqual(lines, [SOLICITATION + TARGET, describe(reply)])

    def test_silenceHasItsReason(self) -> None:
        """
        A frame that is not answered has one line, with the reason.
        """
        for verdict in set(Verdict) - {Verdict.ADVERTISED, Verdict.DEFENDED, Verdict.ECHOED}:
            lines = self.trace((verdict, None))
            self.assertEqual(lines, [f"{SOLICITATION}{TARGET} [no answer: {verdict.reason}]"])
        for verdict, reason in (
            (Verdict.OUTSIDE, "target outside the prefix"),
            (Verdict.EXCLUDED, "target excluded, or routed elsewhere by this host"),
            (Verdict.KERNELS_ECHO, "echo that is not ours to answer"),
        ):
            self.assertEqual(
                self.trace((verdict, None)),
                [f"{SOLICITATION}{TARGET} [no answer: {reason}]"],
            )
