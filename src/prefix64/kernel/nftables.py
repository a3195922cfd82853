"""
nf_tables by netlink: attributes, expressions, and a socket that sends transactions
(C{linux/netfilter/nf_tables.h}). The socket can own a table, which then ends with it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct

NEW_TABLE = 0
NEW_CHAIN = 3
NEW_RULE = 6
DELETE_RULES = 8
NEW_SET = 9
NEW_ELEMENTS = 12
DELETE_ELEMENTS = 14

EXCLUSIVE, CREATE, APPEND = 0x200, 0x400, 0x800
TABLE_OWNER = 2
SET_INTERVAL = 4
INTERVAL_END = 1
TYPE_IPV6_ADDRESS = 8
META_IIFNAME, META_L4PROTO = 6, 16
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2

Message = tuple[int, int, bytes]
"""A message of a transaction: its type, its flags beyond request and acknowledge, its body."""

_NETLINK_NETFILTER = 12
_NFNL_SUBSYS_NFTABLES = 10
_NFPROTO_IPV6 = 10
_BATCH_BEGIN, _BATCH_END, _NLMSG_ERROR = 0x10, 0x11, 2
_REQUEST, _ACK = 1, 4
_LOOKUP_INVERTED = 1
_NESTED = 0x8000
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_BUFFER = 4 << 20
_TIMEOUT = 5.0


class NftablesSocket:
    """
    A netlink socket to nf_tables.
    """

    def __init__(self) -> None:
        """
        @raise OSError: the kernel has no nf_tables.
        """
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
        )
        self._socket.bind((0, 0))
        self._socket.settimeout(_TIMEOUT)
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)

    def close(self) -> None:
        """
        Close it. The kernel removes the tables that it owns.
        """
        self._socket.close()

    def transact(self, messages: list[Message], commit: bool = True) -> None:
        """
        Send messages as one transaction: all or nothing.

        @param commit: whether it is to happen; else the kernel only says whether it could, as with
            C{nft --check}.
        @raise OSError: the first error of the kernel.
        """
        subsystem = struct.pack(">H", _NFNL_SUBSYS_NFTABLES)
        data = self._message(_BATCH_BEGIN, _REQUEST, b"", 0, subsystem)
        waiting = set()
        for kind, flags, body in messages:
            data += self._message(_NFNL_SUBSYS_NFTABLES << 8 | kind, _REQUEST | _ACK | flags, body)
            waiting.add(self._sequence)
        if commit:
            data += self._message(_BATCH_END, _REQUEST, b"", 0, subsystem)
        self._socket.send(data)
        self._awaitAnswers(waiting)

    def _awaitAnswers(self, waiting: set[int]) -> None:
        """
        Take an answer for each message; after an error of the batch itself no more come.

        @param waiting: the messages' sequence numbers.
        """
        first = 0
        while waiting:
            for sequence, code in _answers(self._socket.recv(1 << 16)):
                first = first or code
                if code and sequence not in waiting:
                    waiting.clear()
                waiting.discard(sequence)
        if first:
            raise OSError(first, os.strerror(first))

    def _message(
        self,
        kind: int,
        flags: int,
        body: bytes,
        family: int = _NFPROTO_IPV6,
        resource: bytes = b"\0\0",
    ) -> bytes:
        """
        A netlink message with the header of nfnetlink.
        """
        self._sequence += 1
        data = struct.pack("=BB", family, 0) + resource + body
        return struct.pack("=IHHII", 16 + len(data), kind, flags, self._sequence, 0) + data


def _answers(data: bytes) -> list[tuple[int, int]]:
    """
    The sequence number and the error code of each answer; code 0 acknowledges.
    """
    found, position = [], 0
    while position + 20 <= len(data):
        length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, position)
        if kind == _NLMSG_ERROR:
            found.append((sequence, -struct.unpack_from("=i", data, position + 16)[0]))
        position += max(16, length + 3 & ~3)
    return found


def attribute(kind: int, data: bytes) -> bytes:
    """
    A netlink attribute, padded to four bytes.
    """
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """
    An attribute that holds attributes.
    """
    return attribute(kind | _NESTED, b"".join(attributes))


def number(kind: int, value: int) -> bytes:
    """
    An attribute of 32 bits, in network byte order.
    """
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def text(value: str) -> bytes:
    """
    A text as nf_tables takes it.
    """
    return value.encode() + b"\0"


def expression(name: str, *attributes: bytes) -> bytes:
    """
    One expression of a rule.
    """
    return nested(1, attribute(1, text(name)), nested(2, *attributes))


def meta(key: int) -> bytes:
    """
    Load what the kernel knows of a packet into register 1.
    """
    return expression("meta", number(1, 1), number(2, key))


def payload(base: int, offset: int, length: int) -> bytes:
    """
    Load bytes of a packet into register 1.
    """
    return expression(
        "payload", number(1, 1), number(2, base), number(3, offset), number(4, length)
    )


def equals(value: bytes) -> bytes:
    """
    Go on only if register 1 has a value.
    """
    return expression("cmp", number(1, 1), number(2, 0), nested(3, attribute(1, value)))


def masked(mask: bytes) -> bytes:
    """
    Keep only some bits of register 1.
    """
    zero = bytes(len(mask))
    return expression(
        "bitwise",
        number(1, 1),
        number(2, 1),
        number(3, len(mask)),
        nested(4, attribute(1, mask)),
        nested(5, attribute(1, zero)),
    )


def notInSet(name: str) -> bytes:
    """
    Go on only if register 1 is not in a set.
    """
    return expression("lookup", attribute(1, text(name)), number(2, 1), number(5, _LOOKUP_INVERTED))
