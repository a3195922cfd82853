"""
A ring of frames that the kernel shares with us (PACKET_MMAP, TPACKET_V2: packet(7), and
Documentation/networking/packet_mmap.rst in the kernel's sources): no system call for a frame.

Memory is one array of slots. A slot begins with::

    0       4       8        12   14   16   20    24       26        28..31
    status  length  snaplen  mac  net  sec  nsec  vlan_tci vlan_tpid padding     struct tpacket2_hdr
    32       34        36       40       42           43
    family   protocol  ifindex  hatype   packet type  halen  address             struct sockaddr_ll

and the frame stands at C{mac}. Whoever has the slot is said by its status: 0 the kernel, 1 we.
Version 3 hands over blocks of frames: where few come, they would be answered a millisecond later.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from mmap import mmap
from typing import Final

from prefix64.icmpv6.packets import PACKET_OTHERHOST

SLOT: Final = 256
"""
Bytes of a slot. Solicitations and usual pings fit in; what does not is in the socket's own queue
(PACKET_COPY_THRESH), and a slot says so.
"""

SLOTS: Final = 8192
"""How many: frames that may come while we are busy."""

VERSION: Final = 1
"""TPACKET_V2, as PACKET_VERSION has it."""

_BLOCK = 1 << 16
"""Bytes that the kernel allocates at once, a whole number of pages and of slots."""

_LAST = SLOT * (SLOTS - 1)
_FOR_US = 1
_COPY = 2
_PACKET_TYPE = 42
_LENGTH, _SNAPLEN, _INTERFACE = 1, 2, 9
"""Places in a slot, in units of four bytes."""

_MAC = 6
"""The place of the frame, in units of two bytes."""


def ringRequest() -> bytes:
    """
    What PACKET_RX_RING takes, C{struct tpacket_req}: block size, blocks, slot size, slots.
    """
    return struct.pack("IIII", _BLOCK, SLOT * SLOTS // _BLOCK, SLOT, SLOTS)


class ReceiveRing:
    """
    Takes frames out of the ring.

    @ivar interface: the index of the interface. A frame that the kernel took over for another one
        on top of it (a VLAN, a macvlan) comes here too, and is another host's.
    @ivar cut: how many frames were lost because they did not fit into their slot, and were not in
        the socket's queue.
    """

    def __init__(self, memory: mmap, whole: Callable[[], bytes | None]) -> None:
        """
        @param memory: the ring's, L{SLOT} * L{SLOTS} bytes.
        @param whole: takes the next frame from the socket's queue; L{None} if there is none.
        """
        self._memory = memory
        self._bytes = memoryview(memory)
        self._words = self._bytes.cast("I")
        self._halves = self._bytes.cast("H")
        self._whole = whole
        self._next = 0
        self.interface = 0
        self.cut = 0

    def take(self, most: int) -> list[tuple[bytes, int]]:
        """
        Take frames that have come, in order.

        @param most: at most so many.
        @return: each with its packet type.
        """
        memory, words, halves, ours = self._memory, self._words, self._halves, self.interface
        frames: list[tuple[bytes, int]] = []
        at = self._next
        while len(frames) < most and words[at >> 2] & _FOR_US:
            word = at >> 2
            packetType = memory[at + _PACKET_TYPE]
            if words[word + _INTERFACE] != ours:
                packetType = PACKET_OTHERHOST
            length = words[word + _SNAPLEN]
            if length == words[word + _LENGTH]:
                start = at + halves[(at >> 1) + _MAC]
                frames.append((memory[start : start + length], packetType))
            else:
                whole = self._whole() if words[word] & _COPY else None
                if whole is None:
                    self.cut += 1
                else:
                    frames.append((whole, packetType))
            words[word] = 0
            at = at + SLOT if at < _LAST else 0
        self._next = at
        return frames

    def waiting(self) -> int:
        """
        How many frames have come and were not taken.
        """
        return sum(self._words[at >> 2] & _FOR_US for at in range(0, SLOT * SLOTS, SLOT))

    def close(self) -> None:
        """
        Let the memory go.
        """
        for view in (self._halves, self._words, self._bytes):
            view.release()
        self._memory.close()
