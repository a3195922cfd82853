"""
The filter program in the real kernel: attached to one end of a pair of UNIX datagram sockets, which
needs no privilege and no interface.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import Prefix, parsePrefix
from prefix64.link.packet_socket import attachFilter
from prefix64.link.socket_filter import answersFilter, icmpv6Filter
from tests import frames
from tests.frames import (
    PREFIX,
    ROUTER,
    TARGET,
    addressBytes,
    destinationOptions,
    echoRequest,
    fragmentHeader,
    hopByHop,
    probe,
    routing,
    scapy,
    solicitation,
)

repeatable = settings(max_examples=200, deadline=None, derandomize=True)

OUTSIDE = "2001:db8:0:65::57:cafe"
OTHER = "2001:db8:0:64::57:caff"
MOST_INSTRUCTIONS = 4_096
"""BPF_MAXINSNS: the longest classic program that a kernel takes."""


class Filter:
    """
    A program at work.
    """

    def __init__(
        self, prefixes: Iterable[Prefix], echo: bool = True, program: bytes | None = None
    ) -> None:
        """
        @param program: L{None} for that of the responder.
        """
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.setblocking(False)
        self.program = icmpv6Filter(prefixes, echo) if program is None else program
        attachFilter(self._receiver, self.program)

    def close(self) -> None:
        """
        Close both sockets.
        """
        self._sender.close()
        self._receiver.close()

    def passes(self, frame: bytes) -> bool:
        """
        Tell whether a frame comes through; if it does, it does so whole.
        """
        self._sender.send(frame)
        try:
            received = self._receiver.recv(100_000)
        except BlockingIOError:
            return False
        if received != frame:
            raise AssertionError(f"{len(received)} of {len(frame)} bytes came through")
        return True


def mldReport() -> bytes:
    """
    An MLD report, as every host sends one when it joins a group (RFC 3810 5).
    """
    s = scapy()
    record = s.ICMPv6MLDMultAddrRec(dst="ff02::1:ff57:cafe")
    return frames.frame(
        s.ICMPv6MLReport2(records=[record]), ROUTER, "ff02::16", headers=hopByHop(), hlim=1
    )


def withDestination(frame: bytes, address: int) -> bytes:
    """
    Replace a frame's IPv6 destination; the filter looks at no checksum.
    """
    return frame[:38] + address.to_bytes(16, "big") + frame[54:]


class FilterTestCase(SynchronousTestCase):
    """
    Assertions about a filter.
    """

    def filter(self, *prefixes: str, echo: bool = True) -> Filter:
        """
        A filter that is closed after the test.
        """
        made = Filter(map(parsePrefix, prefixes or (PREFIX,)), echo)
        self.addCleanup(made.close)
        return made

    def assertPasses(self, filter: Filter, *passing: bytes) -> None:
        """
        Each frame comes through.
        """
        for frame in passing:
            self.assertTrue(filter.passes(frame), frame.hex())

    def assertDrops(self, filter: Filter, *dropped: bytes) -> None:
        """
        No frame comes through.
        """
        for frame in dropped:
            self.assertFalse(filter.passes(frame), frame.hex())


class PassingTests(FilterTestCase):
    """
    What passes.
    """

    def test_solicitationsAndAdvertisementsPass(self) -> None:
        """
        Every Neighbor Solicitation and Advertisement passes, to whomever, for whatever target.
        """
        self.assertPasses(
            self.filter(),
            solicitation(),
            solicitation(OUTSIDE),
            solicitation(destination=TARGET, options=b""),
            probe(),
            frames.advertisement(),
            frames.advertisement(OUTSIDE),
        )

    def test_echoToThePrefixPasses(self) -> None:
        """
        An echo request to P passes, of any size; one to any other address does not.
        """
        one = self.filter()
        self.assertPasses(one, echoRequest(), echoRequest(data=b""), echoRequest(data=bytes(9_000)))
        self.assertDrops(one, echoRequest(OUTSIDE), echoRequest("ff02::1"), echoRequest("fe80::1"))

    def test_malformedOnesPass(self) -> None:
        """
        What is wrong is counted, not lost unseen: hop limit, code, checksum, lengths, options.
        """
        self.assertPasses(
            self.filter(),
            solicitation(hopLimit=0),
            solicitation(code=1),
            solicitation(checksum=0),
            solicitation(plen=0),
            solicitation(plen=9_999),
            solicitation(options=b"\0\0"),
            echoRequest(code=1),
            echoRequest(checksum=0),
        )

    def test_firstFragmentsPass(self) -> None:
        """
        Of a fragmented message only the first fragment has a type, and passes by it (RFC 6980).
        """
        one = self.filter()
        first = (fragmentHeader(), fragmentHeader(more=1))
        later = (fragmentHeader(offset=1), fragmentHeader(offset=8_191, more=1))
        self.assertPasses(one, *(solicitation(headers=header) for header in first))
        self.assertPasses(one, *(echoRequest(headers=header) for header in first))
        self.assertDrops(one, *(echoRequest(OUTSIDE, headers=header) for header in first))
        self.assertDrops(one, *(solicitation(headers=header) for header in later))
        self.assertDrops(one, *(echoRequest(headers=header) for header in later))

    def test_extensionHeadersPass(self) -> None:
        """
        One extension header of any length is looked behind.
        """
        s = scapy()
        one = self.filter()
        padded = [
            s.IPv6ExtHdrDestOpt(options=[s.PadN(optdata=bytes(size))]) for size in (4, 12, 252)
        ]
        for header in (hopByHop(), destinationOptions(), routing(), *padded):
            self.assertPasses(one, solicitation(headers=header), echoRequest(headers=header))
            self.assertDrops(one, echoRequest(OUTSIDE, headers=header))

    def test_longestExtensionHeaderIsLookedBehind(self) -> None:
        """
        The filter counts as far as the header's length byte can: 2,048 bytes (RFC 8200 4.6).
        """
        one = self.filter()
        base = solicitation(headers=destinationOptions())
        head, message = base[:54], base[62:]
        long = head + b"\x3a\xff" + bytes(2_046)
        self.assertPasses(one, long + message)
        self.assertDrops(one, long + b"\x85" + message[1:], long, long[:-1])

    def test_twoExtensionHeadersAreLeftToTheParser(self) -> None:
        """
        What stands behind two headers passes, whatever it is.
        """
        one = self.filter()
        for headers in (
            hopByHop() / destinationOptions(),
            hopByHop() / fragmentHeader(),
            destinationOptions() / routing(),
            fragmentHeader() / destinationOptions(),
        ):
            self.assertPasses(one, solicitation(headers=headers), echoRequest(headers=headers))


class DroppedTests(FilterTestCase):
    """
    What does not.
    """

    def test_case45_tcpLookalike(self) -> None:
        """
        A TCP segment whose source port begins like an ICMPv6 type of ours stays out.
        """
        one = self.filter()
        for port in (0x8700, 0x8800, 0x8000, 0x8735):
            self.assertDrops(one, frames.tcp(sourcePort=port))

    def test_case48_otherNeighborDiscovery(self) -> None:
        """
        Router Solicitations and Advertisements and Redirects stay out.
        """
        s = scapy()
        for message in (s.ICMPv6ND_RS(), s.ICMPv6ND_RA(), s.ICMPv6ND_Redirect(tgt=TARGET)):
            self.assertDrops(self.filter(), frames.frame(message, ROUTER, "ff02::1", hlim=255))

    def test_multicastListenerReports(self) -> None:
        """
        An MLD report is behind a hop-by-hop header, and stays out all the same.
        """
        self.assertDrops(self.filter(), mldReport())

    def test_everyOtherType(self) -> None:
        """
        Of all ICMPv6 types three pass; and so it is behind each kind of header.
        """
        one = self.filter()
        for headers in (None, fragmentHeader(), hopByHop(), destinationOptions(), routing()):
            base = echoRequest(headers=headers)
            at = base.rindex(b"\x80\0" + base[-14:])
            passing = {
                kind
                for kind in range(256)
                if one.passes(base[:at] + bytes([kind]) + base[at + 1 :])
            }
            self.assertEqual(passing, {128, 135, 136})

    def test_everyOtherProtocol(self) -> None:
        """
        Of all next headers only ICMPv6 and the extension headers are looked at.
        """
        one = self.filter()
        base = solicitation()
        for header in set(range(256)) - {0, 43, 44, 58, 60}:
            other = base[:20] + bytes([header]) + base[21:]
            self.assertDrops(one, other)
        for header in (hopByHop(), destinationOptions(), routing(), fragmentHeader()):
            behind = solicitation(headers=header)
            for protocol in (6, 17, 50, 51, 59, 135):
                self.assertDrops(one, behind[:54] + bytes([protocol]) + behind[55:])

    def test_truncatedFrames(self) -> None:
        """
        A frame that ends before its type stays out: a load past the end drops (bpf(4)).
        """
        one = self.filter()
        for base, end in (
            (solicitation(), 54),
            (echoRequest(), 54),
            (solicitation(headers=fragmentHeader()), 62),
            (solicitation(headers=hopByHop()), 62),
        ):
            self.assertDrops(one, *(base[:length] for length in range(1, end + 1)))
            self.assertPasses(one, base[: end + 1], base)

    def test_echoIsLeftToTheKernel(self) -> None:
        """
        Where we don't answer echo, no request passes: plain, fragmented or behind a header; and
        solicitations do.
        """
        for prefixes in ((PREFIX,), (PREFIX, "2001:db8:0:65::/64")):
            one = self.filter(*prefixes, echo=False)
            for headers in (None, fragmentHeader(), hopByHop(), destinationOptions(), routing()):
                self.assertDrops(one, echoRequest(headers=headers))
                self.assertDrops(one, echoRequest(OUTSIDE, headers=headers))
                self.assertPasses(one, solicitation(headers=headers))

    def test_withoutPrefixes(self) -> None:
        """
        Without a prefix no echo request passes.
        """
        one = Filter([])
        self.addCleanup(one.close)
        self.assertDrops(one, echoRequest())
        self.assertPasses(one, solicitation())


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    """
    A prefix of a length that can be served; many share their first bits.
    """
    length = draw(st.integers(32, 127))
    bits = draw(st.integers(0, (1 << length) - 1) | st.integers(0, 255))
    head = draw(st.sampled_from((0, 0x20010DB8 << (length - 32))))
    return Prefix((bits | head) << (128 - length), length)


class PrefixTests(FilterTestCase):
    """
    The destination of an echo request, compared by the kernel.
    """

    @repeatable
    @given(st.lists(prefixes(), min_size=1, max_size=8), st.data())
    def test_echoPassesIffItIsToAPrefix(self, served: list[Prefix], data: st.DataObject) -> None:
        """
        Exactly the destinations inside a prefix pass, of every length from 32 to 127: its first and
        last address, those beside them, and any with one bit changed.
        """
        one = Filter(served)
        base = echoRequest()
        networks = [IPv6Network((prefix.network, prefix.length)) for prefix in served]
        destinations = []
        for network in networks:
            first, last = int(network[0]), int(network[-1])
            bit = data.draw(st.integers(0, 127))
            destinations += [first, last, (first - 1) % (1 << 128), (last + 1) % (1 << 128)]
            destinations += [first ^ 1 << bit, last ^ 1 << bit]
        destinations.append(data.draw(st.integers(0, (1 << 128) - 1)))
        try:
            for address in destinations:
                inside = any(IPv6Address(address) in network for network in networks)
                self.assertEqual(one.passes(withDestination(base, address)), inside)
        finally:
            one.close()

    def test_everyLengthEndsAtItsBit(self) -> None:
        """
        For each length from 32 to 127: the bit before the end decides, the bit behind it does not.
        """
        base = echoRequest()
        address = int.from_bytes(addressBytes("2001:db8:a5a5:5a5a:1234:8765:c3c3:3c3c"), "big")
        for length in range(32, 128):
            shift = 128 - length
            one = Filter([Prefix(address >> shift << shift, length)])
            try:
                passing = [one.passes(withDestination(base, address ^ 1 << b)) for b in range(128)]
            finally:
                one.close()
            self.assertEqual(passing, [bit < shift for bit in range(128)], length)

    def test_sixtyFourPrefixesLoad(self) -> None:
        """
        A program for 64 prefixes of the longest kind loads, and each of them is compared.
        """
        served = [f"2001:db8:{number:x}::8/127" for number in range(64)]
        one = self.filter(*served)
        self.assertLess(len(one.program) // 8, MOST_INSTRUCTIONS)
        for number in range(64):
            passing = (echoRequest(f"2001:db8:{number:x}::{last}") for last in (8, 9))
            self.assertPasses(one, *passing)
            beside = (echoRequest(f"2001:db8:{number:x}::{last}") for last in (7, "a"))
            self.assertDrops(one, *beside)
        self.assertDrops(one, echoRequest("2001:db8:40::8"))
        self.assertPasses(one, solicitation())

    def test_everyJumpStaysInside(self) -> None:
        """
        No conditional jump goes further than its byte can say, and none past the end; every program
        ends in a return.
        """
        for count in (0, 1, 2, 64):
            served = [Prefix(number << 1 | 1 << 125, 127) for number in range(count)]
            program = list(struct.iter_unpack("=HBBI", icmpv6Filter(served, True)))
            for position, (operation, true, false, operand) in enumerate(program):
                jumps = [operand] if operation == 0x05 else [true, false]
                for jump in jumps if operation & 0x07 == 0x05 else []:
                    self.assertLess(position + 1 + jump, len(program))
            self.assertEqual(program[-1][0], 0x06)


class AnswersFilterTests(SynchronousTestCase):
    """
    The filter of somebody who asks.
    """

    def setUp(self) -> None:
        addresses = [parsePrefix(address).network for address in (ROUTER, OUTSIDE)]
        self.filter = Filter([], program=answersFilter(addresses, parsePrefix(TARGET).network))
        self.addCleanup(self.filter.close)

    def test_discoveryAboutUsOrTheTargetPasses(self) -> None:
        """
        To whomever it goes.
        """
        for address in (ROUTER, OUTSIDE, TARGET):
            for frame in (
                solicitation(address, source="fe80::1"),
                probe(address),
                frames.advertisement(address, source=TARGET),
            ):
                self.assertTrue(self.filter.passes(frame))

    def test_whatComesToUsPasses(self) -> None:
        """
        ICMPv6 of each type, and what is behind extension headers, to one of our addresses.
        """
        for address in (ROUTER, OUTSIDE):
            self.assertTrue(self.filter.passes(echoRequest(address, TARGET)))
            short = frames.frame(scapy().Raw(bytes((136, 0, 0))), TARGET, address, nh=frames.ICMPV6)
            self.assertTrue(self.filter.passes(short))
            for headers in (fragmentHeader(), hopByHop(), destinationOptions(), routing()):
                self.assertTrue(self.filter.passes(echoRequest(address, TARGET, headers=headers)))

    def test_theRestIsDropped(self) -> None:
        """
        Other protocols, and ICMPv6 to others.
        """
        for frame in (
            frames.tcp(ROUTER, TARGET),
            solicitation(OTHER),
            frames.advertisement(OTHER, source=TARGET),
            echoRequest(),
            echoRequest(headers=hopByHop()),
            mldReport(),
            b"",
            solicitation()[:40],
        ):
            self.assertFalse(self.filter.passes(frame), frame.hex())
