"""
The guard's netlink messages: attributes, expressions, ranges, and what becomes of the answers.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from prefix64 import privileges
from prefix64.addressing import Prefix, mergedRanges, parsePrefix
from prefix64.errors import GuardError, PrivilegeError
from prefix64.kernel import nftables as nft
from prefix64.kernel.guard import Guard, IGuard
from prefix64.routing.entries import GuardKind
from prefix64.testing import MemoryGuard

examples = settings(max_examples=200, deadline=None, derandomize=True)

PREFIX = parsePrefix("2001:db8::/64")
NESTED = 0x8000


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    """
    Take attributes apart, by netlink(7): length of header and data, kind, data, padding.
    """
    found = []
    while data:
        length, kind = struct.unpack_from("=HH", data)
        assert length >= 4, length
        found.append((kind, data[4:length]))
        padded = length + 3 & ~3
        assert data[length:padded] == bytes(padded - length)
        data = data[padded:]
    return found


def expressions(body: bytes) -> list[tuple[str, bytes]]:
    """
    The expressions of a rule: name, and the bytes of its attributes.
    """
    rule = dict(attributes(body))
    found = []
    for kind, data in attributes(rule[4 | NESTED]):
        assert kind == 1 | NESTED
        expression = dict(attributes(data))
        found.append((expression[1].rstrip(b"\0").decode(), expression[2 | NESTED]))
    return found


class AttributeTests(SynchronousTestCase):
    """
    The encoding of attributes.
    """

    def test_lengthCountsTheHeaderAndNotThePadding(self) -> None:
        """
        netlink(7): C{nla_len} is header and payload; the next attribute is at a multiple of four.
        """
        self.assertEqual(nft.attribute(7, b""), struct.pack("=HH", 4, 7))
        self.assertEqual(nft.attribute(7, b"abc"), struct.pack("=HH", 7, 7) + b"abc\0")
        self.assertEqual(nft.attribute(7, b"abcd"), struct.pack("=HH", 8, 7) + b"abcd")

    def test_numbersAreInNetworkByteOrder(self) -> None:
        """
        As nf_tables wants them; a negative one is its two's complement.
        """
        self.assertEqual(nft.number(3, 0x01020304)[4:], b"\x01\x02\x03\x04")
        self.assertEqual(nft.number(2, -450)[4:], struct.pack(">i", -450))

    @examples
    @given(st.lists(st.tuples(st.integers(1, 20), st.binary(max_size=9)), max_size=6))
    def test_nestedAttributesCanBeReadBack(self, parts: list[tuple[int, bytes]]) -> None:
        """
        With the flag of a nested one.
        """
        data = nft.nested(5, *(nft.attribute(kind, value) for kind, value in parts))
        ((kind, inner),) = attributes(data)
        self.assertEqual(kind, 5 | NESTED)
        self.assertEqual(attributes(inner), parts)

    def test_textsEndWithZero(self) -> None:
        """
        C{NLA_STRING}, as the kernel compares it.
        """
        self.assertEqual(nft.text("lookup"), b"lookup\0")


nearby = st.integers(0, 63).map(lambda low: PREFIX.network + low)


class RangeTests(SynchronousTestCase):
    """
    The ranges of the set: nf_tables refuses two that overlap, and two that touch are one.
    """

    @examples
    @given(st.lists(st.tuples(nearby, st.integers(122, 128)), max_size=8))
    def test_rangesHoldExactlyTheAddressesAndDoNotTouch(self, parts: list[tuple[int, int]]) -> None:
        """
        Sorted, apart from each other, and no address more or less.
        """
        prefixes = [
            Prefix(address >> 128 - length << 128 - length, length) for address, length in parts
        ]
        ranges = mergedRanges(prefixes)
        inside = [address for first, behind in ranges for address in range(first, behind)]
        self.assertEqual(
            inside, sorted({a for p in prefixes for a in range(p.network, p.last + 1)})
        )
        edges = [edge for pair in ranges for edge in pair]
        self.assertEqual(edges, sorted(set(edges)))

    def test_neighboursBecomeOne(self) -> None:
        """
        ::2 and ::3/128, ::4/126: one range.
        """
        texts = ("2001:db8::4/126", "2001:db8::2", "2001:db8::3", "2001:db8::5")
        base = PREFIX.network
        self.assertEqual(mergedRanges(map(parsePrefix, texts)), [(base + 2, base + 8)])


class ScriptedSocket:
    """
    Takes transactions, and refuses them as told.

    @ivar sent: the transactions.
    @ivar refusals: the errors that the next ones get.
    """

    def __init__(self, *refusals: int) -> None:
        self.sent: list[list[nft.Message]] = []
        self.rehearsed: list[list[nft.Message]] = []
        self.refusals = list(refusals)
        self.closed = False

    def transact(self, messages: list[nft.Message], commit: bool = True) -> None:
        refusal = self.refusals.pop(0) if self.refusals else 0
        if refusal:
            raise OSError(refusal, os.strerror(refusal))
        (self.sent if commit else self.rehearsed).append(messages)

    def close(self) -> None:
        self.closed = True


class GuardTests(SynchronousTestCase):
    """
    L{Guard}, on a socket that only listens.
    """

    def install(self, kind: GuardKind = GuardKind.PROTOCOL, *refusals: int) -> Guard:
        self.socket = ScriptedSocket(*refusals)
        self.patch(nft, "NftablesSocket", lambda: self.socket)
        guard = Guard(kind)
        others = [parsePrefix("2001:db8::"), parsePrefix("2001:db8::ab00/120")]
        guard.install("eth0", [PREFIX, parsePrefix("2001:db8:2:2::/63")], others)
        return guard

    def bodies(self, kind: int, transaction: int = 0) -> list[bytes]:
        return [body for one, _, body in self.socket.sent[transaction] if one == kind]

    def test_bothGuardsAreGuards(self) -> None:
        """
        The real one and the one in memory.
        """
        verifyObject(IGuard, Guard(GuardKind.NONE))
        verifyObject(IGuard, MemoryGuard(GuardKind.NONE))

    def test_everythingIsMadeInOneTransaction(self) -> None:
        """
        The table, the set before the rule that names it, its elements, the chain, a rule for each
        prefix.
        """
        self.install()
        self.assertEqual(len(self.socket.sent), 1)
        self.assertEqual(
            [kind for kind, _, _ in self.socket.sent[0]],
            [
                nft.NEW_TABLE,
                nft.NEW_SET,
                nft.NEW_ELEMENTS,
                nft.NEW_CHAIN,
                nft.NEW_RULE,
                nft.NEW_RULE,
            ],
        )

    def test_theTableIsOwnedAndOurs(self) -> None:
        """
        NFT_TABLE_F_OWNER: it ends with the socket; and one that is there already is an error, not
        taken over.
        """
        self.install()
        _, flags, body = self.socket.sent[0][0]
        self.assertTrue(flags & nft.EXCLUSIVE)
        self.assertEqual(
            attributes(body), [(1, b"prefix64-eth0\0"), (2, struct.pack(">I", nft.TABLE_OWNER))]
        )

    def test_theChainIsBeforeConntracksReassembly(self) -> None:
        """
        Hook prerouting (0), priority -450 (conntrack's defragmentation has -400), policy accept.
        """
        self.install()
        chain = dict(attributes(self.bodies(nft.NEW_CHAIN)[0]))
        self.assertEqual(chain[3], b"prerouting\0")
        hook = dict(attributes(chain[4 | NESTED]))
        self.assertEqual(struct.unpack(">Ii", hook[1] + hook[2]), (0, -450))
        self.assertEqual(chain[5], struct.pack(">I", 1))
        self.assertEqual(chain[7], b"filter\0")

    def test_theRuleDropsEchoRequestsOfTheFixedHeaderOnly(self) -> None:
        """
        Interface; destination in the prefix; next header 58 in the fixed header; type 128 right
        behind it; not one of the others; count; drop.
        """
        self.install()
        found = expressions(self.bodies(nft.NEW_RULE)[0])
        self.assertEqual(
            " ".join(name for name, _ in found),
            "meta cmp payload bitwise cmp payload cmp payload cmp payload lookup counter immediate",
        )
        places = [
            struct.unpack(">III", b"".join(value for _, value in attributes(data)[1:]))
            for name, data in found
            if name == "payload"
        ]
        self.assertEqual(places, [(1, 24, 16), (1, 6, 1), (1, 40, 1), (1, 24, 16)])
        compared = [
            dict(attributes(dict(attributes(data))[3 | NESTED]))[1]
            for name, data in found
            if name == "cmp"
        ]
        self.assertEqual(
            compared,
            [
                b"eth0".ljust(16, b"\0"),
                socket.inet_pton(socket.AF_INET6, "2001:db8::"),
                b"\x3a",
                b"\x80",
            ],
        )

    def test_theMaskHasThePrefixsLength(self) -> None:
        """
        64 bits, and 63.
        """
        self.install()
        masks = []
        for body in self.bodies(nft.NEW_RULE):
            data = next(data for name, data in expressions(body) if name == "bitwise")
            masks.append(dict(attributes(dict(attributes(data))[4 | NESTED]))[1])
        self.assertEqual(masks, [b"\xff" * 8 + bytes(8), b"\xff" * 7 + b"\xfe" + bytes(8)])

    def test_theVerdictIsDrop(self) -> None:
        """
        NF_DROP (0), into the verdict register (0).
        """
        self.install()
        name, data = expressions(self.bodies(nft.NEW_RULE)[0])[-1]
        immediate = dict(attributes(data))
        self.assertEqual((name, immediate[1]), ("immediate", bytes(4)))
        verdict = dict(attributes(immediate[2 | NESTED]))[2 | NESTED]
        self.assertEqual(attributes(verdict), [(1, bytes(4))])

    def test_noEchoAtAllIsByTheLastHeader(self) -> None:
        """
        With C{--echo none} also behind extension headers and in first fragments: C{meta l4proto},
        and the transport header.
        """
        self.install(GuardKind.NONE)
        found = expressions(self.bodies(nft.NEW_RULE)[0])
        self.assertEqual([name for name, _ in found].count("meta"), 2)
        transport = [data for name, data in found if name == "payload"][1]
        self.assertEqual(
            attributes(transport)[1:],
            [(2, struct.pack(">I", 2)), (3, bytes(4)), (4, struct.pack(">I", 1))],
        )

    def elements(self, transaction: int = 0) -> list[tuple[bytes, bool]]:
        """
        The keys of the set, and whether each ends an interval.
        """
        found = []
        for body in self.bodies(nft.NEW_ELEMENTS, transaction):
            message = dict(attributes(body))
            self.assertEqual(message[2], b"others\0")
            for _, element in attributes(message[3 | NESTED]):
                parts = dict(attributes(element))
                flags = parts.get(3, bytes(4))
                self.assertIn(flags, (bytes(4), struct.pack(">I", nft.INTERVAL_END)))
                key = dict(attributes(parts[1 | NESTED]))[1]
                found.append((key, flags != bytes(4)))
        return found

    def test_eachRangeIsAnIntervalsBeginAndEnd(self) -> None:
        """
        The end is the first address behind it, with its flag.
        """
        self.install()
        texts = ("2001:db8::", "2001:db8::1", "2001:db8::ab00", "2001:db8::ac00")
        keys = [socket.inet_pton(socket.AF_INET6, text) for text in texts]
        self.assertEqual(self.elements(), list(zip(keys, (False, True) * 2, strict=True)))

    def test_manyElementsAreSplit(self) -> None:
        """
        An attribute's length has 16 bits: no message may be longer.
        """
        guard = self.install()
        others = [Prefix(PREFIX.network + 2 * number, 128) for number in range(3000)]
        guard.update(others)
        bodies = self.bodies(nft.NEW_ELEMENTS, 1)
        self.assertGreater(len(bodies), 1)
        self.assertTrue(all(len(body) < 0x10000 for body in bodies))
        self.assertEqual(len(self.elements(1)), 6000)

    def test_anUpdateReplacesAllElementsInOneTransaction(self) -> None:
        """
        Emptied and filled at once: no request gets in between.
        """
        guard = self.install()
        guard.update([parsePrefix("2001:db8::1")])
        self.assertEqual(
            [kind for kind, _, _ in self.socket.sent[1]], [nft.DELETE_ELEMENTS, nft.NEW_ELEMENTS]
        )
        flush = dict(attributes(self.bodies(nft.DELETE_ELEMENTS, 1)[0]))
        self.assertEqual(flush, {1: b"prefix64-eth0\0", 2: b"others\0"})
        self.assertEqual(len(self.elements(1)), 2)

    def test_refusalsAreSaidInWords(self) -> None:
        """
        No privilege, a table of another process, one that is there already, no nf_tables, anything
        else; the socket is closed, and one line says what to do.
        """
        admin = 1 << privileges.CAP_NET_ADMIN
        for refusal, kind, words, capabilities in (
            (errno.EPERM, PrivilegeError, "CAP_NET_ADMIN", 0),
            (errno.EPERM, GuardError, "belongs to another process: stop that first", admin),
            (errno.EEXIST, GuardError, "nft delete table ip6 prefix64-eth0 removes it", admin),
            (errno.EOPNOTSUPP, GuardError, "no nf_tables with owned tables", admin),
            (errno.ENOMEM, GuardError, os.strerror(errno.ENOMEM), admin),
        ):
            self.patch(privileges, "effectiveCapabilities", lambda each=capabilities: each)
            error = self.assertRaises(kind, self.install, GuardKind.PROTOCOL, refusal)
            self.assertIn(words, str(error))
            self.assertTrue(self.socket.closed)

    def test_aKernelWithoutNetfilterIsSaidInWords(self) -> None:
        """
        The socket itself cannot be made.
        """

        def none() -> None:
            raise OSError(errno.EPROTONOSUPPORT, "no")

        self.patch(nft, "NftablesSocket", none)
        guard = Guard(GuardKind.PROTOCOL)
        error = self.assertRaises(GuardError, guard.install, "eth0", [PREFIX], [])
        self.assertIn("no nf_tables", str(error))
        guard.close()

    def test_aRefusedUpdateIsAnError(self) -> None:
        """
        And the guard stays as it was.
        """
        guard = self.install(GuardKind.PROTOCOL, 0, errno.ENOSPC)
        error = self.assertRaises(GuardError, guard.update, [])
        self.assertIn(os.strerror(errno.ENOSPC), str(error))
        self.assertFalse(self.socket.closed)

    def test_afterTheEndNothingIsSent(self) -> None:
        """
        Closing twice and updating afterwards are no errors.
        """
        guard = self.install()
        guard.close()
        self.assertTrue(self.socket.closed)
        guard.close()
        guard.update([])
        self.assertEqual(len(self.socket.sent), 1)


class TransactionTests(SynchronousTestCase):
    """
    L{nft.NftablesSocket.transact}, against a kernel that the test plays.
    """

    def setUp(self) -> None:
        ours, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.kernel.close)
        self.socket = nft.NftablesSocket.__new__(nft.NftablesSocket)
        self.socket._sequence = 0
        self.socket._socket = ours
        self.addCleanup(ours.close)

    def answer(self, sequence: int, code: int = 0) -> bytes:
        """
        An NLMSG_ERROR with the header of the message that it answers.
        """
        header = struct.pack("=IHHII", 16, 0, 0, sequence, 0)
        return struct.pack("=IHHIIi", 36, 2, 0, sequence, 0, -code) + header

    def test_messagesStandBetweenTheBeginAndTheEndOfABatch(self) -> None:
        """
        NFNL_MSG_BATCH_BEGIN (16) and _END (17), for subsystem nf_tables (10); family IPv6.
        """
        self.kernel.send(self.answer(2) + self.answer(3))
        self.socket.transact([(nft.NEW_TABLE, nft.CREATE, b""), (nft.NEW_SET, 0, b"abcd")])
        data = self.kernel.recv(1 << 16)
        kinds, bodies = [], []
        while data:
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
            kinds.append((kind, flags, sequence))
            bodies.append(data[16:length])
            data = data[length:]
        self.assertEqual(
            kinds,
            [(16, 1, 1), (10 << 8, 5 | nft.CREATE, 2), (10 << 8 | nft.NEW_SET, 5, 3), (17, 1, 4)],
        )
        self.assertEqual(bodies[0], b"\0\0\0\x0a")
        self.assertEqual(bodies[2], b"\x0a\0\0\0abcd")

    def test_answersMayComeInPieces(self) -> None:
        """
        Each in a datagram of its own.
        """
        for sequence in (2, 3):
            self.kernel.send(self.answer(sequence))
        self.socket.transact([(nft.NEW_TABLE, 0, b""), (nft.NEW_SET, 0, b"")])

    def test_theFirstErrorIsRaisedWhenAllAnswersAreThere(self) -> None:
        """
        Later ones follow from it; none is left behind for the next transaction.
        """
        self.kernel.send(self.answer(2, errno.EEXIST) + self.answer(3, errno.ENOENT))
        error = self.assertRaises(
            OSError, self.socket.transact, [(nft.NEW_TABLE, 0, b""), (nft.NEW_SET, 0, b"")]
        )
        self.assertEqual(error.errno, errno.EEXIST)
        self.kernel.send(self.answer(6))
        self.socket.transact([(nft.NEW_TABLE, 0, b"")])

    def test_anErrorOfTheBatchItselfEndsTheWait(self) -> None:
        """
        Without the privilege the kernel answers the batch and none of its messages.
        """
        self.kernel.send(self.answer(1, errno.EPERM))
        error = self.assertRaises(OSError, self.socket.transact, [(nft.NEW_TABLE, 0, b"")])
        self.assertEqual(error.errno, errno.EPERM)
