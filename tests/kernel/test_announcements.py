"""
A new link-layer address is announced for listed hosts (case 64).
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from tests.frames import readAdvertisement
from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import SERVER_LAYER, eventually
from tests.kernel.wire import Wire, canonical

LISTED, UNLISTED = "2001:db8::64:1", "2001:db8::6464"
CHANGED, AGAIN = "02:00:00:00:00:22", "02:00:00:00:00:33"
ALL_NODES_LAYER = "33:33:00:00:00:01"
MANY = 150

_SO_TIMESTAMPNS = 35
_ADVERTISEMENT = 136


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class Stopwatch(Wire):
    """
    A wire that knows when each frame came: the kernel's own time, however late it is read.

    @ivar times: seconds, and the frame, of each advertisement to all nodes, in order.
    """

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.router)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.times: list[tuple[float, bytes]] = []

    def look(self) -> int:
        """
        Take what has come.

        @return: how many there are.
        """
        while True:
            try:
                frame, ancillary, _, _ = self._socket.recvmsg(65535, 128)
            except BlockingIOError:
                return len(self.times)
            if frame[:6] == bytes.fromhex("333300000001") and frame[54] == _ADVERTISEMENT:
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
                self.times.append((seconds + nanoseconds / 1e9, frame))


class AnnouncementTests(KernelTestCase):
    """
    What a Linux neighbor makes of it, and what goes over the link.
    """

    def serving(self, count: int) -> Lab:
        """
        A lab with so many listed hosts.
        """
        lab = self.makeLab()
        for number in range(1, count + 1):
            (lab.directory / "sites" / f"2001-db8--64-{number:x}").mkdir(parents=True)
        return lab

    def start(self, lab: Lab) -> None:
        """
        Serve them.
        """
        self.service = lab.start("--sites", str(lab.directory / "sites"))

    def said(self) -> list[str]:
        """
        What the log says of announcements.
        """
        return [line for line in self.service.log().splitlines() if "announced" in line]

    def watch(self, lab: Lab) -> Stopwatch:
        """
        Watch the router's end of the link.
        """
        watch = Stopwatch(lab)
        self.addCleanup(watch.close)
        return watch

    def test_case64_theNeighborsEntryChanges(self) -> None:
        """
        Without a question; the entry of an address that is not listed stays until somebody asks.
        So it is when the address is changed while the link is down.
        """
        lab = self.serving(1)
        self.start(lab)
        for address in (LISTED, UNLISTED):
            self.assertAnsweredOnce(lab.ping(address))
            self.assertIn(f"lladdr {SERVER_LAYER}", lab.router.neighbor(address))
        wire = lab.wire()
        lab.server.ip(f"link set eth0 address {CHANGED}")
        eventually(lambda: f"lladdr {CHANGED}" in lab.router.neighbor(LISTED))
        self.assertIn("STALE", lab.router.neighbor(LISTED))
        self.assertIn(f"lladdr {SERVER_LAYER}", lab.router.neighbor(UNLISTED))
        self.assertEqual(wire.solicitations(canonical(LISTED)), [])
        self.assertEqual(
            [line.partition("] ")[2] for line in self.said()],
            ["eth0 announced its new link-layer address for 1 listed host (of 1)"],
        )
        lab.server.ip("link set eth0 down")
        lab.server.ip(f"link set eth0 address {AGAIN}")
        self.assertEqual(len(self.said()), 1)
        lab.server.ip("link set eth0 up")
        eventually(lambda: len(self.said()) == 2)
        self.assertNotIn("Traceback", self.service.log())

    def test_case64_countAndPace(self) -> None:
        """
        Each listed host once, at no more than 100 a second, all fields as they should be.
        """
        lab = self.serving(MANY)
        self.start(lab)
        watch = self.watch(lab)
        lab.server.ip(f"link set eth0 address {CHANGED}")
        eventually(lambda: watch.look() >= MANY, 20)
        eventually(lambda: bool(self.said()))
        self.assertIn(f"for {MANY} listed hosts (of {MANY})", self.said()[0])
        self.assertEqual(watch.look(), MANY)
        read = [readAdvertisement(frame) for _, frame in watch.times]
        self.assertEqual(len({one.target for one in read}), MANY)
        for one in read:
            self.assertEqual(
                one,
                (ALL_NODES_LAYER, CHANGED, one.target, "ff02::1", 255, 0x20, one.target, CHANGED),
            )
        times = [time for time, _ in watch.times]
        for first, last in zip(times, times[101:], strict=False):
            self.assertGreaterEqual(last - first, 1.0)

    def test_case64_aSecondChange(self) -> None:
        """
        It begins anew: the newer address for all of them, and after it never the older one.
        """
        lab = self.serving(MANY)
        self.start(lab)
        watch = self.watch(lab)
        lab.server.ip(f"link set eth0 address {CHANGED}")
        eventually(lambda: watch.look() >= 10, 20)
        lab.server.ip(f"link set eth0 address {AGAIN}")
        eventually(lambda: bool(self.said()), 20)
        watch.look()
        read = [readAdvertisement(frame) for _, frame in watch.times]
        layers = [one.targetLinkLayer for one in read]
        before = layers.count(CHANGED)
        self.assertEqual(layers, [CHANGED] * before + [AGAIN] * MANY)
        self.assertLess(before, MANY)
        self.assertEqual(len(self.said()), 1)

    def test_case64_anInterfaceMadeAgain(self) -> None:
        """
        With another address, that is announced; what is on the way when the service ends is not.
        """
        lab = self.serving(MANY)
        lab.server.ip(f"link set eth0 address {CHANGED}")
        self.start(lab)
        lab.server.ip("link del eth0")
        eventually(lambda: "eth0" not in lab.router.ip("-o link show"))
        lab.join()
        watch = self.watch(lab)
        eventually(lambda: watch.look() > 0, 10)
        one = readAdvertisement(watch.times[0][1])
        self.assertEqual((one.targetLinkLayer, one.linkSource), (SERVER_LAYER, SERVER_LAYER))
        eventually(lambda: bool(self.said()), 10)
        self.assertIn(f"for {MANY} listed hosts (of {MANY})", self.said()[0])
        lab.server.ip(f"link set eth0 address {CHANGED}")
        count = watch.look()
        eventually(lambda: watch.look() > count, 10)
        self.service.stop()
        self.assertLess(watch.look(), count + MANY)
        self.assertEqual(len(self.said()), 1)
        self.assertNotIn("Traceback", self.service.log())
