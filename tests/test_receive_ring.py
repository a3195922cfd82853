"""
The ring of frames, in memory that a test fills as the kernel does.
"""

from __future__ import annotations

import struct
from collections import deque
from mmap import mmap

from twisted.trial.unittest import SynchronousTestCase

from prefix64.link.receive_ring import SLOT, SLOTS, ReceiveRing, ringRequest

KERNEL, FOR_US, COPY, LOSING, CHECKSUM = 0, 1, 2, 4, 8
"""TP_STATUS_KERNEL, _USER, _COPY, _LOSING and _CSUMNOTREADY, of linux/if_packet.h."""

OTHER_HOST = 3
INTERFACE = 7
"""The index of the interface."""

MAC = 66
"""Where the kernel puts an Ethernet frame: its payload is aligned to 16 bytes."""


class RingTestCase(SynchronousTestCase):
    """
    A ring, and the kernel's side of it.
    """

    def setUp(self) -> None:
        """
        Make it, empty.
        """
        self.memory = mmap(-1, SLOT * SLOTS)
        self.queue: deque[bytes] = deque()
        self.ring = ReceiveRing(self.memory, lambda: self.queue.popleft() if self.queue else None)
        self.ring.interface = INTERFACE
        self.addCleanup(self.ring.close)
        self.written = 0

    def put(
        self,
        frame: bytes,
        packetType: int = 2,
        status: int = FOR_US,
        mac: int = MAC,
        interface: int = INTERFACE,
    ) -> None:
        """
        Write a frame into the next slot, which must be the kernel's: header, address, frame.
        """
        at = self.written % SLOTS * SLOT
        self.assertEqual(self.memory[at : at + 4], bytes(4))
        room = SLOT - mac
        header = struct.pack(
            "IIIHHIIHH4x", status, len(frame), min(len(frame), room), mac, mac + 14, 1, 2, 0, 0
        )
        address = struct.pack(
            "HHiHBB8s", 17, 0xDD86, interface, 1, packetType, 6, b"\x02" + bytes(7)
        )
        slot = (header + address).ljust(mac, b"\xee") + frame[:room]
        self.memory[at : at + len(slot)] = slot
        self.written += 1

    def status(self, number: int) -> int:
        """
        Whose a slot is.
        """
        return int.from_bytes(self.memory[number * SLOT : number * SLOT + 4], "little")


class RingTests(RingTestCase):
    """
    L{ReceiveRing}.
    """

    def test_requestFitsTheMemory(self) -> None:
        """
        What the kernel is asked for is what is mapped: whole pages, whole slots in each block.
        """
        block, blocks, slot, slots = struct.unpack("IIII", ringRequest())
        self.assertEqual((block * blocks, slot, slots), (SLOT * SLOTS, SLOT, SLOTS))
        self.assertEqual((block % 4096, block % slot, slot % 16), (0, 0, 0))

    def test_emptyRing(self) -> None:
        """
        What is the kernel's is not taken.
        """
        self.assertEqual(self.ring.take(64), [])

    def test_framesWithTheirPacketTypes(self) -> None:
        """
        In order, whole, as many as are asked for, wherever in the slot; each slot is then the
        kernel's again. Other bits of the status do not matter.
        """
        frames = [bytes([number]) * (60 + number) for number in range(1, 9)]
        for number, frame in enumerate(frames):
            status = FOR_US | (LOSING | CHECKSUM if number % 2 else 0)
            self.put(frame, number % 5, status, mac=MAC + 2 * (number % 3))
        expected = [(frame, number % 5) for number, frame in enumerate(frames)]
        self.assertEqual(self.ring.take(3), expected[:3])
        self.assertEqual(
            [bool(self.status(number)) for number in range(4)], [False, False, False, True]
        )
        self.assertEqual(self.ring.take(64), expected[3:])
        self.assertEqual(self.ring.take(64), [])

    def test_frameOfAnotherInterface(self) -> None:
        """
        One that the kernel took over for a VLAN or a macvlan on top of ours is another host's,
        whatever the kernel says that it is to that interface.
        """
        self.queue.append(b"b" * 999)
        self.put(b"a" * 60, 0, interface=8)
        self.put(b"b" * 999, 2, FOR_US | COPY, interface=9)
        self.put(b"c" * 60, 0)
        self.assertEqual(self.ring.waiting(), 3)
        self.assertEqual(
            self.ring.take(9),
            [(b"a" * 60, OTHER_HOST), (b"b" * 999, OTHER_HOST), (b"c" * 60, 0)],
        )
        self.assertEqual(self.ring.waiting(), 0)

    def test_goesRound(self) -> None:
        """
        Behind the last slot comes the first, again and again; nothing is taken twice or left.
        """
        taken = 0
        for size in (SLOTS, SLOTS // 2 + 1, 1, SLOTS - 1, SLOTS // 3):
            first = self.written
            for number in range(first, first + size):
                self.put(number.to_bytes(8, "big"))
            while came := self.ring.take(50):
                for frame, _ in came:
                    self.assertEqual(int.from_bytes(frame, "big"), taken)
                    taken += 1
            self.assertEqual(taken, first + size)

    def test_frameThatFillsItsSlot(self) -> None:
        """
        It is taken from there; one byte more, and the slot says that the queue has it.
        """
        self.put(b"x" * (SLOT - MAC))
        self.queue.append(b"y" * (SLOT - MAC + 1))
        self.put(b"y" * (SLOT - MAC + 1), 0, FOR_US | COPY)
        self.put(b"z" * 60)
        self.assertEqual(
            self.ring.take(64),
            [(b"x" * (SLOT - MAC), 2), (b"y" * (SLOT - MAC + 1), 0), (b"z" * 60, 2)],
        )
        self.assertEqual(self.ring.cut, 0)

    def test_frameThatIsLost(self) -> None:
        """
        One that fitted nowhere is counted, and so is one that the queue should have and has not.
        """
        self.put(b"a" * 1000)
        self.put(b"b" * 1000, 2, FOR_US | COPY)
        self.put(b"c" * 60)
        self.assertEqual(self.ring.take(1), [(b"c" * 60, 2)])
        self.assertEqual(self.ring.cut, 2)

    def test_closing(self) -> None:
        """
        The memory is unmapped.
        """
        self.ring.close()
        self.assertTrue(self.memory.closed)
        self.ring = ReceiveRing(mmap(-1, SLOT * SLOTS), lambda: None)
