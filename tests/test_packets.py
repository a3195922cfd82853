"""
The wire formats, against scapy's in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET6, inet_ntop
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.icmpv6 import packets
from prefix64.icmpv6.packets import (
    EchoRequest,
    Solicitation,
    checksumOf,
    decode,
    encodeAdvertisement,
    encodeEchoReply,
    readLinkLayerOption,
)
from prefix64.icmpv6.verdicts import Verdict
from tests import frames
from tests.frames import (
    ALL_NODES_LINK,
    HOST_LINK,
    ROUTER_LINK,
    TARGET,
    addressBytes,
    destinationOptions,
    echoRequest,
    fragmentHeader,
    groupOf,
    hopByHop,
    linkBytes,
    routing,
    scapy,
    sllao,
    solicitation,
    unknownOption,
)

repeatable = settings(max_examples=200, deadline=None, derandomize=True)

addresses = st.binary(min_size=16, max_size=16)
linkLayerAddresses = st.binary(min_size=6, max_size=6)
options = st.lists(
    st.tuples(st.sampled_from((1, 2, 3, 5, 14, 0, 255)), st.integers(1, 5)).flatmap(
        lambda option: st.tuples(
            st.just(option[0]),
            st.binary(min_size=option[1] * 8 - 2, max_size=option[1] * 8 - 2),
        )
    ),
    max_size=6,
)


def text(address: bytes) -> str:
    """
    An address as scapy wants it.
    """
    return inet_ntop(AF_INET6, address)


def linkText(linkLayerAddress: bytes) -> str:
    """
    A link-layer address as scapy wants it.
    """
    return linkLayerAddress.hex(":")


def scapysChecksum(source: bytes, destination: bytes, message: bytes) -> int:
    """
    The checksum as scapy computes it.
    """
    s = scapy()
    return int(s.in6_chksum(58, s.IPv6(src=text(source), dst=text(destination)), message))


def withPayload(frame: bytes, payload: bytes, length: int | None = None) -> bytes:
    """
    Replace what stands behind the IPv6 header, and its length.
    """
    declared = len(payload) if length is None else length
    return frame[:18] + declared.to_bytes(2, "big") + frame[20:54] + payload


def withRightSource(frame: bytes) -> bytes:
    """
    Change the IPv6 source until the checksum is right: the way to a right one for a message that is
    too short to have a checksum of its own.
    """
    length = int.from_bytes(frame[18:20], "big")
    source = frame[22:36] + b"\0\0"
    missing = scapysChecksum(source, frame[38:54], frame[54 : 54 + length])
    return frame[:36] + missing.to_bytes(2, "big") + frame[38:]


class ChecksumTests(SynchronousTestCase):
    """
    L{checksumOf} (RFC 4443 2.3).
    """

    @repeatable
    @given(addresses, addresses, st.binary(max_size=80))
    def test_isScapysChecksum(self, source: bytes, destination: bytes, message: bytes) -> None:
        """
        The checksum of any message is the one that scapy computes; the two zeros of ones'
        complement are one (RFC 1071).
        """
        expected = scapysChecksum(source, destination, message)
        self.assertEqual(checksumOf(source, destination, message), expected or 65535)

    @repeatable
    @given(addresses, addresses, st.binary(min_size=8, max_size=81), st.data())
    def test_findsEveryWrongWord(
        self, source: bytes, destination: bytes, message: bytes, data: st.DataObject
    ) -> None:
        """
        A message with its right checksum is known by 65535, and no more when a bit has changed.
        """
        blank = message[:2] + b"\0\0" + message[4:]
        right = scapysChecksum(source, destination, blank).to_bytes(2, "big")
        whole = bytearray(message[:2] + right + message[4:])
        self.assertEqual(checksumOf(source, destination, bytes(whole)), 65535)
        position = data.draw(st.integers(0, len(whole) - 1))
        whole[position] ^= 1 << data.draw(st.integers(0, 7))
        self.assertNotEqual(checksumOf(source, destination, bytes(whole)), 65535)

    def test_zeroIsWrittenAsZero(self) -> None:
        """
        Of the two zeros of ones' complement the one that everybody else writes is written: 0x0000.
        """
        blank = decode(echoRequest(identifier=0))
        assert isinstance(blank, EchoRequest)
        reply = encodeEchoReply(linkBytes(HOST_LINK), blank)
        request = decode(echoRequest(identifier=int.from_bytes(reply[56:58], "big")))
        assert isinstance(request, EchoRequest)
        reply = encodeEchoReply(linkBytes(HOST_LINK), request)
        self.assertEqual(reply[56:58], b"\0\0")
        frames.readEchoReply(reply)

    def test_zeroIsRightIfItIs(self) -> None:
        """
        A checksum of zero is accepted where it is the right one: RFC 4443 has no exception for it.
        """
        blank = echoRequest(identifier=0)
        request = echoRequest(identifier=int.from_bytes(blank[56:58], "big"))
        self.assertEqual(request[56:58], b"\0\0")
        self.assertIsInstance(decode(request), EchoRequest)


class SolicitationTests(SynchronousTestCase):
    """
    L{decode} of Neighbor Solicitations.
    """

    @repeatable
    @given(linkLayerAddresses, addresses, addresses, addresses, options, st.binary(max_size=9))
    def test_isReadFieldByField(
        self,
        linkSource: bytes,
        source: bytes,
        destination: bytes,
        target: bytes,
        options: list[tuple[int, bytes]],
        padding: bytes,
    ) -> None:
        """
        What scapy writes is read; the link-layer address is that of the first option of type 1, and
        neither other options nor padding are in the way (RFC 4861 4.3, 4.6).
        """
        frame = solicitation(
            text(target),
            text(source),
            text(destination),
            b"".join(unknownOption(kind, value) for kind, value in options),
            linkSource=linkText(linkSource),
            padding=padding,
        )
        found = next((value for kind, value in options if kind == 1), None)
        self.assertEqual(
            decode(frame), Solicitation(linkSource, source, destination, target, found)
        )

    @repeatable
    @given(st.integers(0, 255), st.integers(0, 255))
    def test_hasHopLimit255AndCode0(self, hopLimit: int, code: int) -> None:
        """
        Any hop limit but 255, and any code but 0, is told by name (RFC 4861 7.1.1).
        """
        self.assertIsInstance(decode(solicitation()), Solicitation)
        self.assertEqual(decode(solicitation(code=code or 1)), Verdict.CODE)
        self.assertEqual(decode(solicitation(hopLimit=hopLimit % 255)), Verdict.HOP_LIMIT)

    @repeatable
    @given(st.integers(1, 0xFFFF))
    def test_hasTheRightChecksum(self, difference: int) -> None:
        """
        Any checksum but the right one is told by name (RFC 4861 7.1.1).
        """
        right = int.from_bytes(solicitation()[56:58], "big")
        wrong = right ^ difference
        self.assertEqual(decode(solicitation(checksum=wrong)), Verdict.CHECKSUM)

    def test_shorterThan24BytesIsRefused(self) -> None:
        """
        Every length under 24 is refused, even where a checksum that cannot be there is right (RFC
        4861 7.1.1).
        """
        base = solicitation(options=b"")
        for length in range(1, 24):
            short = withPayload(base, base[54:78], length)
            self.assertEqual(decode(withRightSource(short)), Verdict.ICMP_LENGTH, length)
        self.assertIsInstance(decode(withRightSource(base)), Solicitation)

    @repeatable
    @given(st.integers(1, 65_535))
    def test_payloadLongerThanTheFrameIsRefused(self, more: int) -> None:
        """
        A payload length past the frame's end is refused, however little; so is one of zero.
        """
        base = solicitation()
        payload = base[54:]
        longer = withPayload(base, payload, min(len(payload) + more, 65_535))
        self.assertEqual(decode(longer), Verdict.PAYLOAD_LENGTH)
        self.assertEqual(decode(withPayload(base, payload, 0)), Verdict.PAYLOAD_LENGTH)
        self.assertIsInstance(decode(withPayload(base, payload)), Solicitation)

    def test_everyTruncationIsRefused(self) -> None:
        """
        A frame that was cut anywhere is no solicitation.
        """
        base = solicitation()
        for length in range(len(base)):
            expected = Verdict.SHORT_FRAME if length < 62 else Verdict.PAYLOAD_LENGTH
            self.assertEqual(decode(base[:length]), expected, length)

    def test_onlyIpv6IsRead(self) -> None:
        """
        Another Ethernet type, a VLAN tag in its place, and another version are not IPv6 (RFC 2464,
        RFC 8200 3).
        """
        base = solicitation()
        for kind in ("0800", "0806", "8100", "88a8", "86dc"):
            wrong = base[:12] + bytes.fromhex(kind) + base[14:]
            self.assertEqual(decode(wrong), Verdict.NOT_IPV6, kind)
        tagged = base[:12] + bytes.fromhex("81000000") + base[12:]
        self.assertEqual(decode(tagged), Verdict.NOT_IPV6)
        for version in (0, 4, 5, 7, 15):
            wrong = base[:14] + bytes([version << 4]) + base[15:]
            self.assertEqual(decode(wrong), Verdict.NOT_IPV6, version)

    def test_everyOtherTypeIsRefused(self) -> None:
        """
        Of all ICMPv6 types only Echo Request, Neighbor Solicitation and Advertisement are read.
        """
        base = solicitation()
        for kind in set(range(256)) - {128, 135, 136}:
            other = base[:54] + bytes([kind]) + base[55:]
            self.assertEqual(decode(other), Verdict.OTHER_TYPE, kind)


class OptionTests(SynchronousTestCase):
    """
    L{readLinkLayerOption} (RFC 4861 4.6).
    """

    def test_firstSourceLinkLayerAddressIsTaken(self) -> None:
        """
        Of two options the first counts.
        """
        two = sllao("02:00:00:00:00:0a") + sllao("02:00:00:00:00:0b")
        self.assertEqual(readLinkLayerOption(bytes(24) + two), linkBytes("02:00:00:00:00:0a"))

    def test_everyOptionIsChecked(self) -> None:
        """
        What is wrong behind the option that was looked for is wrong all the same (7.1.1).
        """
        message = bytes(24) + sllao()
        self.assertEqual(readLinkLayerOption(message + b"\x0e\0" + bytes(6)), Verdict.OPTION_LENGTH)
        self.assertEqual(
            readLinkLayerOption(message + b"\x0e\2" + bytes(6)), Verdict.OPTION_OVERRUN
        )
        for trailing in range(1, 8):
            self.assertEqual(
                readLinkLayerOption(message + b"\x0e\1\0\0\0\0\0"[:trailing]),
                Verdict.OPTION_OVERRUN,
            )

    @repeatable
    @given(st.binary(max_size=200))
    def test_anyBytesAreWalked(self, body: bytes) -> None:
        """
        Any bytes have a value, nothing, or a reason; the walk comes to an end.
        """
        found = readLinkLayerOption(bytes(24) + body)
        if isinstance(found, bytes):
            self.assertIn(b"\x01" + bytes([(len(found) + 2) // 8]) + found, body)
        else:
            self.assertIn(found, (None, Verdict.OPTION_LENGTH, Verdict.OPTION_OVERRUN))


class EchoTests(SynchronousTestCase):
    """
    Echo Request in, Echo Reply out (RFC 4443 4.1, 4.2).
    """

    @repeatable
    @given(
        addresses,
        addresses,
        st.binary(max_size=1400),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
        st.integers(0, 255),
        st.integers(0, 0xFFFFF),
        st.binary(max_size=9),
    )
    def test_requestIsReadAndReplyIsScapys(
        self,
        source: bytes,
        destination: bytes,
        data: bytes,
        identifier: int,
        sequence: int,
        trafficClass: int,
        flowLabel: int,
        padding: bytes,
    ) -> None:
        """
        A request of any length is read, and the reply is byte for byte what scapy writes: the data,
        identifier and sequence number of the request, source and destination swapped.
        """
        frame = echoRequest(
            text(destination),
            text(source),
            data,
            identifier,
            sequence,
            linkDestination=HOST_LINK,
            tc=trafficClass,
            fl=flowLabel,
            padding=padding,
        )
        request = decode(frame)
        message = frame[54 : 62 + len(data)]
        self.assertEqual(
            request,
            EchoRequest(linkBytes(ROUTER_LINK), source, destination, trafficClass, message),
        )
        assert isinstance(request, EchoRequest)
        s = scapy()
        expected = frames.frame(
            s.ICMPv6EchoReply(id=identifier, seq=sequence, data=data),
            text(destination),
            text(source),
            HOST_LINK,
            ROUTER_LINK,
            tc=trafficClass,
            hlim=64,
        )
        self.assertEqual(encodeEchoReply(linkBytes(HOST_LINK), request), expected)

    def test_malformedRequestsAreRefused(self) -> None:
        """
        A request with a wrong checksum, another code, or less than a header is none; its hop limit
        does not matter.
        """
        self.assertEqual(decode(echoRequest(checksum=0x1234)), Verdict.CHECKSUM)
        self.assertEqual(decode(echoRequest(code=1)), Verdict.CODE)
        base = echoRequest()
        for length in range(1, 8):
            short = withRightSource(withPayload(base, base[54:], length))
            self.assertEqual(decode(short), Verdict.SHORT_FRAME, length)
        for hopLimit in (0, 1, 64, 254, 255):
            self.assertIsInstance(decode(echoRequest(hlim=hopLimit)), EchoRequest, hopLimit)


class AdvertisementTests(SynchronousTestCase):
    """
    L{encodeAdvertisement} (RFC 4861 4.4).
    """

    @repeatable
    @given(
        linkLayerAddresses,
        linkLayerAddresses,
        addresses,
        addresses,
        addresses,
        st.tuples(st.booleans(), st.booleans(), st.booleans()),
    )
    def test_isByteForByteScapys(
        self,
        linkSource: bytes,
        linkDestination: bytes,
        source: bytes,
        destination: bytes,
        target: bytes,
        rso: tuple[bool, bool, bool],
    ) -> None:
        """
        An advertisement is what scapy writes, and scapy reads every field of it.
        """
        r, s, o = rso
        flags = r * 0x80 | s * 0x40 | o * 0x20
        encoded = encodeAdvertisement(
            linkSource, linkDestination, source, destination, target, flags
        )
        names = scapy()
        message = names.ICMPv6ND_NA(tgt=text(target), R=int(r), S=int(s), O=int(o))
        option = names.ICMPv6NDOptDstLLAddr(lladdr=linkText(linkSource))
        expected = frames.frame(
            message / option,
            text(source),
            text(destination),
            linkText(linkSource),
            linkText(linkDestination),
            hlim=255,
        )
        self.assertEqual(encoded, expected)
        self.assertEqual(len(encoded), 86)
        self.assertEqual(
            frames.readAdvertisement(encoded),
            (
                linkText(linkDestination),
                linkText(linkSource),
                text(source),
                text(destination),
                255,
                flags,
                text(target),
                linkText(linkSource),
            ),
        )


class ExtensionHeaderTests(SynchronousTestCase):
    """
    What stands behind extension headers (RFC 8200 4).
    """

    headers: tuple[Callable[[], Any], ...] = (
        hopByHop,
        destinationOptions,
        routing,
        fragmentHeader,
    )

    @staticmethod
    def chain(makers: list[Callable[[], Any]]) -> Any:
        """
        Put headers one behind the other.
        """
        first, *rest = [make() for make in makers]
        for header in rest:
            first = first / header
        return first

    @repeatable
    @given(st.lists(st.sampled_from(headers), min_size=1, max_size=8))
    def test_chainIsWalkedToItsEnd(self, makers: list[Callable[[], Any]]) -> None:
        """
        Behind any chain of up to eight headers an echo request is found, and is the kernel's; a
        solicitation is told as fragmented if a fragment header was among them (RFC 6980).
        """
        echo = echoRequest(headers=self.chain(makers))
        self.assertEqual(decode(echo), Verdict.KERNELS_ECHO)
        expected = Verdict.FRAGMENT if fragmentHeader in makers else Verdict.EXTENSION_HEADER
        self.assertEqual(decode(solicitation(headers=self.chain(makers))), expected)

    def test_laterFragmentHasNoHeaders(self) -> None:
        """
        What stands behind a fragment header with an offset is the middle of something, whatever it
        looks like.
        """
        for header in (fragmentHeader(offset=1), fragmentHeader(offset=8191, more=1)):
            for frame in (echoRequest(headers=header), solicitation(headers=header)):
                self.assertEqual(decode(frame), Verdict.FRAGMENT)
        echo = echoRequest(headers=self.chain([hopByHop, lambda: fragmentHeader(offset=1)]))
        self.assertEqual(decode(echo), Verdict.FRAGMENT)
        first = echoRequest(headers=fragmentHeader(more=1))
        self.assertEqual(decode(first), Verdict.KERNELS_ECHO)

    def test_longerChainIsGivenUp(self) -> None:
        """
        Nine headers are more than anybody sends: the walk ends, and the answer is no.
        """
        echo = echoRequest(headers=self.chain([destinationOptions] * 9))
        self.assertEqual(decode(echo), Verdict.EXTENSION_HEADER)

    def test_headerLengthIsHonoured(self) -> None:
        """
        A header of more than 8 bytes is passed over as a whole (RFC 8200 4.3).
        """
        s = scapy()
        for size in (6, 14, 22, 200):
            header = s.IPv6ExtHdrDestOpt(options=[s.PadN(optdata=bytes(size - 2))])
            self.assertEqual(decode(echoRequest(headers=header)), Verdict.KERNELS_ECHO, size)
            self.assertEqual(decode(solicitation(headers=header)), Verdict.EXTENSION_HEADER, size)

    def test_chainThatIsCutIsRefused(self) -> None:
        """
        A payload that ends within the chain, at every length, is refused and not read past its end.
        """
        echo = echoRequest(headers=self.chain([hopByHop, fragmentHeader, routing]))
        for length in range(1, 25):
            cut = decode(withPayload(echo, echo[54:], length))
            # The fragment header counts once it has been read whole.
            expected = Verdict.FRAGMENT if length >= 16 else Verdict.EXTENSION_HEADER
            self.assertEqual(cut, expected, length)
        self.assertEqual(decode(withPayload(echo, echo[54:], 25)), Verdict.KERNELS_ECHO)

    def test_headerLongerThanThePayloadIsRefused(self) -> None:
        """
        A header whose length leads past the end hides nothing that is ours.
        """
        echo = echoRequest(headers=destinationOptions())
        payload = echo[54:]
        far = withPayload(echo, payload[:1] + b"\xff" + payload[2:])
        self.assertEqual(decode(far), Verdict.EXTENSION_HEADER)

    def test_otherProtocolsAreNotOurs(self) -> None:
        """
        TCP, UDP, ESP, AH and no next header are no messages of ours.
        """
        base = solicitation()
        for header in set(range(256)) - {0, 43, 44, 58, 60}:
            other = base[:20] + bytes([header]) + base[21:]
            self.assertEqual(decode(other), Verdict.OTHER_TYPE, header)


class AnyBytesTests(SynchronousTestCase):
    """
    L{decode} raises nothing.
    """

    @repeatable
    @given(st.binary(max_size=200))
    def test_anyBytesAreDecoded(self, data: bytes) -> None:
        """
        Any bytes are a message or a reason.
        """
        self.assertIsInstance(decode(data), (Solicitation, EchoRequest, Verdict))

    @repeatable
    @given(
        st.sampled_from((0, 6, 43, 44, 58, 60)),
        st.integers(0, 120),
        st.binary(min_size=8, max_size=120),
        st.booleans(),
    )
    def test_anyPayloadIsDecoded(
        self, nextHeader: int, length: int, payload: bytes, right: bool
    ) -> None:
        """
        Any payload behind an IPv6 header is a message or a reason, whatever it says of its length
        and its checksum.
        """
        base = withPayload(solicitation(), payload, length)
        frame = base[:20] + bytes([nextHeader]) + base[21:]
        if right:
            frame = withRightSource(frame)
        self.assertIsInstance(decode(frame), (Solicitation, EchoRequest, Verdict))

    def test_constantsAreTheStandards(self) -> None:
        """
        The groups are those of RFC 4291 2.7.1, as scapy knows them.
        """
        self.assertEqual(packets.ALL_NODES, addressBytes("ff02::1"))
        self.assertEqual(packets.ALL_NODES_LINK_LAYER, linkBytes(ALL_NODES_LINK))
        self.assertEqual(packets.SOLICITED_NODE, addressBytes(groupOf(TARGET))[:13])
        self.assertEqual(packets.LOOPBACK, addressBytes("::1"))
        self.assertEqual(packets.UNSPECIFIED, addressBytes("::"))
