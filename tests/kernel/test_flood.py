"""
Much at once.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from tests.kernel.lab import SharedLabTestCase, suiteOf
from tests.kernel.wire import solicitation

FLOOD = 30_000
"""Frames."""

ADVERTISEMENT = 136
"""The ICMPv6 type."""

MOST_GROWTH = 8 << 20
"""Bytes of memory."""

_SOURCE, _LINK_SOURCE, _CHECKSUM = slice(22, 38), slice(6, 12), slice(56, 58)


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class FloodTests(SharedLabTestCase):
    """
    More solicitations than a link has hosts.
    """

    def memory(self) -> int:
        """
        The bytes of memory that the service has.
        """
        status = Path(f"/proc/{self.service.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def flood(self) -> None:
        """
        Send solicitations, each from another source, without waiting for an answer.
        """
        frame = bytearray(bytes(solicitation("2001:db8::70", "fe80::", "02:00:00:00:00:00")))
        del frame[78:]
        frame[18:20] = struct.pack(">H", 24)
        frame[_CHECKSUM] = bytes(2)
        total = sum(struct.unpack(">20H", frame[22:62])) + sum(struct.unpack(">8H", frame[62:78]))
        for number in range(1, FLOOD + 1):
            frame[_LINK_SOURCE] = b"\x02\0\0" + number.to_bytes(3, "big")
            frame[_SOURCE] = b"\xfe\x80" + bytes(11) + number.to_bytes(3, "big")
            words = total + (number >> 16) + (number & 0xFFFF) + 24 + 58
            frame[_CHECKSUM] = (0xFFFF - (words % 0xFFFF or 0xFFFF) or 0xFFFF).to_bytes(2, "big")
            self.wire.send(bytes(frame))

    def test_case70_71_flood(self) -> None:
        """
        A flood from as many spoofed sources is answered as far as it can be; HTTP answers at once
        behind it, and the memory stays bounded.
        """
        self.flood()
        before = self.memory()
        self.flood()
        self.assertIn("2001:db8::71", self.lab.fetch("http://[2001:db8::71]/"))
        self.assertAnsweredOnce(self.lab.ping("2001:db8::72"))
        self.assertLess(self.memory() - before, MOST_GROWTH)
        answered = sum(frame[54] == ADVERTISEMENT for frame in self.wire.frames())
        self.assertGreater(answered, 1000)
