"""
A packet socket that listens to the link for a while (packet(7)): it sends nothing, and what it asks
of the interface, to receive all multicast, ends with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import time

from prefix64.doctor.observation import MLD_QUERY, Observation, Observer
from prefix64.errors import InterfaceError, PrivilegeError
from prefix64.icmpv6.packets import (
    HOP_BY_HOP,
    ICMPV6,
    ICMPV6_START,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
)
from prefix64.link.packet_socket import attachFilter

GRACE = 0.3
"""Seconds after the time asked for in which answers still count, but no new solicitation."""

SLOW_GRACE = 1.0
"""The same where the kernel's proxy answers, which waits up to C{proxy_delay} (0.8 seconds)."""

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_ALLMULTI = 2
_PACKET_STATISTICS = 6
_LARGEST_FRAME = 2048
_MOST_BETWEEN_LOOKS = 256
_VLAN_TAG = 0xFFFFF000 + 44  # SKF_AD_OFF + SKF_AD_VLAN_TAG (linux/filter.h)

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_AND, _EQUAL, _RETURN = 0x54, 0x15, 0x06
_NEXT, _DESTINATION, _DROP, _PASS = 0, -1, -2, -3
"""Where a jump leads to: so many instructions ahead, or to one of the last three blocks."""


def filterProgram(words: list[int]) -> bytes:
    """
    Make the classic BPF program that lets through what is looked at: solicitations,
    advertisements, MLD queries, and packets whose destination begins with certain bits; nothing of
    a VLAN.

    @param words: the first 32 bits of destinations, at most 64 of them.
    @return: an array of C{struct sock_filter}.
    """
    program = [
        (_LOAD_WORD, _NEXT, _NEXT, _VLAN_TAG),
        (_AND, _NEXT, _NEXT, 0xFFF),
        (_EQUAL, _NEXT, _DROP, 0),
        (_LOAD_HALF, _NEXT, _NEXT, 12),
        (_EQUAL, _NEXT, _DROP, 0x86DD),
        (_LOAD_BYTE, _NEXT, _NEXT, 20),
        (_EQUAL, 1, _NEXT, ICMPV6),
        (_EQUAL, 3, _DESTINATION, HOP_BY_HOP),
        (_LOAD_BYTE, _NEXT, _NEXT, ICMPV6_START),
        (_EQUAL, _PASS, _NEXT, NEIGHBOR_SOLICITATION),
        (_EQUAL, _PASS, _DESTINATION, NEIGHBOR_ADVERTISEMENT),
        (_LOAD_BYTE, _NEXT, _NEXT, ICMPV6_START),
        (_EQUAL, _NEXT, _DESTINATION, ICMPV6),
        (_LOAD_BYTE, _NEXT, _NEXT, ICMPV6_START + 8),
        (_EQUAL, _PASS, _DESTINATION, MLD_QUERY),
    ]
    blocks = {_DESTINATION: len(program), _DROP: len(program) + 1 + len(words)}
    blocks[_PASS] = blocks[_DROP] + 1
    program.append((_LOAD_WORD, _NEXT, _NEXT, 38))
    program += [(_EQUAL, _PASS, _NEXT, word) for word in words]
    program += [(_RETURN, _NEXT, _NEXT, 0), (_RETURN, _NEXT, _NEXT, _LARGEST_FRAME)]
    return b"".join(
        struct.pack(
            "=HBBI", operation, *(blocks.get(to, at + 1 + to) - at - 1 for to in jumps), operand
        )
        for at, (operation, *jumps, operand) in enumerate(program)
    )


class Listener:
    """
    A packet socket on an interface that sees what comes in and what leaves.
    """

    def __init__(self, interface: str, words: list[int]) -> None:
        """
        @param interface: the name of an Ethernet interface.
        @param words: see L{filterProgram}.
        @raise PrivilegeError: CAP_NET_RAW is missing.
        @raise InterfaceError: the interface is missing.
        """
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
            )
        except PermissionError:
            raise PrivilegeError("a packet socket needs CAP_NET_RAW: sudo") from None
        try:
            attachFilter(self._socket, filterProgram(words))
            self._socket.bind((interface, _ETH_P_ALL))
            index = socket.if_nametoindex(interface)
            membership = struct.pack("iHH8s", index, _PACKET_MR_ALLMULTI, 0, b"")
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        except OSError as error:
            self._socket.close()
            raise InterfaceError(f"{interface}: {os.strerror(error.errno or 0)}") from None

    def listen(self, observer: Observer, seconds: float, grace: float = GRACE) -> Observation:
        """
        Hand what is seen to an observer, for some seconds and a grace, and close the socket.

        @param seconds: more than 0.
        @param grace: seconds in which answers still count.
        """
        started = time.monotonic()
        with self._socket:
            self._until(observer, started + seconds)
            observer.closing = True
            self._until(observer, started + seconds + grace)
            observer.observation.drops = self._drops()
        observer.observation.seconds = seconds
        return observer.observation

    def _until(self, observer: Observer, deadline: float) -> None:
        """
        Hand over frames until a moment, however many there are.
        """
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                self._drain(observer)

    def _drain(self, observer: Observer) -> None:
        """
        Hand over what has come, up to a bound. An interface that goes down says so once.
        """
        try:
            for _ in range(_MOST_BETWEEN_LOOKS):
                frame, (_, _, packetType, _, _) = self._socket.recvfrom(_LARGEST_FRAME)
                observer.frameSeen(frame, packetType)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise InterfaceError(f"listening: {os.strerror(error.errno or 0)}") from None

    def _drops(self) -> int:
        """
        How many frames the kernel could not keep for us.
        """
        with contextlib.suppress(OSError):
            statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            return int(struct.unpack("II", statistics)[1])
        return 0
