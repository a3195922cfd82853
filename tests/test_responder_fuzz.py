"""
Any bytes into the responder, against a second reading of RFC 4861 7.1.1 and RFC 4443 4.1
(L{tests.oracle}).
"""

from __future__ import annotations

import struct
from functools import cache
from ipaddress import IPv6Address

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.icmpv6.verdicts import Verdict
from tests import frames
from tests.frames import (
    ROUTER,
    TARGET,
    destinationOptions,
    echoRequest,
    fragmentHeader,
    hopByHop,
    probe,
    readAdvertisement,
    readEchoReply,
    routing,
    scapy,
    sllao,
    solicitation,
    unknownOption,
)
from tests.oracle import BROADCAST, GROUP, HOST, OTHER_HOST, OUTGOING, OWN, hold, responder

repeatable = settings(max_examples=200, deadline=None, derandomize=True)

UNLISTED = "2001:db8:0:64:1234:5678:9abc:def0"

packetTypes = st.sampled_from((HOST, GROUP, BROADCAST, OTHER_HOST, OUTGOING))


@cache
def validFrames() -> tuple[bytes, ...]:
    """
    Frames of every kind that the filter lets through, well-formed.
    """
    s = scapy()
    redirect = s.ICMPv6ND_Redirect(tgt=TARGET, dst=TARGET)
    return (
        solicitation(),
        solicitation(UNLISTED),
        solicitation(destination=TARGET),
        solicitation(destination=TARGET, options=b""),
        solicitation(options=unknownOption(14, b"nonces") + sllao()),
        solicitation(options=unknownOption(77, bytes(126)) + sllao()),
        probe(),
        probe(UNLISTED, options=unknownOption(14, b"nonces")),
        solicitation(OWN),
        solicitation("2001:db8:0:64:e::1"),
        solicitation("2001:db8:0:64::"),
        echoRequest(),
        echoRequest(data=b"odd"),
        echoRequest(UNLISTED, source="2001:db8:0:64::9", data=bytes(200)),
        echoRequest(OWN),
        echoRequest("2001:db8:0:64:e::1"),
        frames.advertisement(),
        frames.tcp(),
        frames.frame(redirect, ROUTER, "ff02::1", hlim=255),
        solicitation(headers=fragmentHeader()),
        solicitation(headers=hopByHop()),
        echoRequest(headers=destinationOptions()),
        echoRequest(headers=hopByHop() / fragmentHeader(more=1)),
        echoRequest(headers=routing()),
    )


positions = st.integers(0, 110)
mutations = st.one_of(
    st.tuples(st.just("set"), positions, st.binary(min_size=1, max_size=1)),
    st.tuples(st.just("set"), positions, st.sampled_from((b"\0", b"\xff", b"\x80", b"\x87"))),
    st.tuples(st.just("set"), st.integers(20, 62), st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("insert"), positions, st.binary(min_size=1, max_size=16)),
    st.tuples(st.just("cut"), positions, st.just(b"")),
    st.tuples(st.just("append"), positions, st.binary(min_size=1, max_size=24)),
)


def mutated(frame: bytes, what: str, position: int, data: bytes) -> bytes:
    """
    Spoil a frame in one place.
    """
    position %= len(frame) + 1
    if what == "cut":
        return frame[:position]
    if what == "append":
        return frame + data
    behind = position if what == "insert" else position + len(data)
    return frame[:position] + data + frame[behind:]


def repaired(frame: bytes, length: int | None) -> bytes:
    """
    Make a spoiled frame's length and checksum right again, so that what is wrong with it is found
    behind them. A message too short for a checksum gets a source that makes it right.

    @param length: the payload length to have, or C{None} for all that there is.
    """
    if len(frame) < 55:
        return frame
    length = len(frame) - 54 if length is None else 1 + length % (len(frame) - 54)
    frame = frame[:18] + length.to_bytes(2, "big") + frame[20:]
    at = 56 if length >= 4 else 36
    frame = frame[:at] + b"\0\0" + frame[at + 2 :]
    words = frame[22:54] + frame[54 : 54 + length] + b"\0" * (length % 2)
    total = sum(word for (word,) in struct.iter_unpack("!H", words)) + length + 58
    missing = 0xFFFF - total % 0xFFFF
    return frame[:at] + missing.to_bytes(2, "big") + frame[at + 2 :]


@st.composite
def spoiledFrames(draw: st.DrawFn) -> bytes:
    """
    Valid frames with up to four mutations, often with length and checksum right again.
    """
    frame = draw(st.sampled_from(validFrames()))
    for mutation in draw(st.lists(mutations, max_size=4)):
        frame = mutated(frame, *mutation)
    if draw(st.booleans()):
        frame = repaired(frame, draw(st.none() | st.integers(0, 200)))
    return frame


class FuzzTestCase(SynchronousTestCase):
    """
    What has to be true of every frame.
    """

    def check(self, frame: bytes, packetType: int) -> Verdict:
        """
        The verdict is the second reading's, by either path, the counters have it, and a reply is
        right; scapy finds nothing malformed in it.
        """
        verdict = hold(frame, packetType)
        _, reply = responder().frameReceived(frame, packetType, 0.0)
        if reply is not None:
            (readEchoReply if verdict is Verdict.ECHOED else readAdvertisement)(reply)
        return verdict


class AnyBytesTests(FuzzTestCase):
    """
    Frames that nobody made.
    """

    @repeatable
    @given(st.binary(max_size=160), packetTypes)
    def test_anyBytesGetAVerdict(self, data: bytes, packetType: int) -> None:
        """
        Any bytes get one verdict, and no reply but to what 7.1.1 lets pass.
        """
        self.check(data, packetType)

    @repeatable
    @given(st.sampled_from((58, 58, 0, 43, 44, 60, 6)), st.binary(min_size=1, max_size=120))
    def test_anyPayloadGetsAVerdict(self, nextHeader: int, payload: bytes) -> None:
        """
        Any payload, under an IPv6 header that is right, gets one verdict.
        """
        head = validFrames()[0][:54]
        frame = head[:20] + bytes([nextHeader]) + head[21:] + payload
        self.check(repaired(frame, None), HOST)

    @settings(repeatable, max_examples=1_000)
    @given(
        st.sampled_from((0x80, 0x87)),
        st.sampled_from((0, 0, 0, 1)),
        st.binary(min_size=4, max_size=4),
        st.sampled_from((TARGET, UNLISTED, OWN, "2001:db8:0:65::1", "ff02::1", "fe80::1", "::")),
        st.binary(max_size=40),
        packetTypes,
    )
    def test_anyOptionsGetAVerdict(
        self, kind: int, code: int, reserved: bytes, target: str, rest: bytes, packetType: int
    ) -> None:
        """
        Any bytes behind a target get one verdict, and reserved ones are ignored (4.3).
        """
        head = validFrames()[0][:54]
        message = bytes([kind, code, 0, 0]) + reserved + IPv6Address(target).packed + rest
        self.check(repaired(head + message, None), packetType)


class SpoiledFramesTests(FuzzTestCase):
    """
    Frames that somebody spoiled.
    """

    def test_validFramesAreAnsweredOrNot(self) -> None:
        """
        The two readings agree on the frames that all others are made of, and both answer some.
        """
        verdicts = [self.check(frame, HOST) for frame in validFrames()]
        self.assertEqual(verdicts.count(Verdict.ADVERTISED), 6)
        self.assertEqual(verdicts.count(Verdict.DEFENDED), 2)
        self.assertEqual(verdicts.count(Verdict.ECHOED), 3)

    @settings(repeatable, max_examples=3_000)
    @given(spoiledFrames(), packetTypes)
    @example(b"", HOST)
    def test_spoiledFramesGetTheRightVerdict(self, frame: bytes, packetType: int) -> None:
        """
        What RFC 4861 7.1.1 or RFC 4443 refuses gets no reply; what they do not, and that is for P,
        gets the right one.
        """
        self.check(frame, packetType)

    def test_everyBitMatters(self) -> None:
        """
        A base solicitation, a probe and an echo request with any one bit changed, with the checksum
        left as it was and with one made right again.
        """
        for base in (validFrames()[0], validFrames()[6], validFrames()[11]):
            for bit in range(len(base) * 8):
                frame = bytearray(base)
                frame[bit // 8] ^= 1 << bit % 8
                self.check(bytes(frame), HOST)
                self.check(repaired(bytes(frame), None), HOST)

    def test_everyLengthIsReadToItsEnd(self) -> None:
        """
        Every payload length of every frame, with a right checksum: also of messages that have none.
        """
        for base in validFrames():
            for length in range(len(base) - 54):
                self.check(repaired(base, length), HOST)
