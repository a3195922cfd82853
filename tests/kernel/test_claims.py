"""
Addresses that are somebody else's, or that we are told not to answer for, on a real link.
"""

from __future__ import annotations

from typing import Any

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import Ether

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import INSIDE, eventually
from tests.kernel.twistd import Twistd
from tests.kernel.wire import solicitation

LISTED, UNLISTED = "2001:db8::a:1", "2001:db8::b:1"
OTHER = "02:00:00:00:00:77"
"""The link-layer address of another machine."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def advertisement(target: str, override: int = 1) -> Any:
    """
    What another machine says of an address to all nodes (RFC 4861 7.2.6).
    """
    return (
        Ether(src=OTHER, dst="33:33:00:00:00:01")
        / IPv6(src="fe80::77", dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(tgt=target, R=0, S=0, O=override)
        / ICMPv6NDOptDstLLAddr(lladdr=OTHER)
    )


class ClaimTests(KernelTestCase):
    """
    Each with a server of its own.
    """

    def serve(self, *options: str, inside: bool = False) -> tuple[Lab, Twistd]:
        """
        Serve the prefix, with a site for one address.
        """
        lab = self.makeLab(inside=inside)
        (lab.directory / "sites" / "2001-db8--a-1").mkdir(parents=True)
        service = lab.start("--sites", str(lab.directory / "sites"), *options)
        return lab, service

    def answered(self, lab: Lab, *targets: str) -> list[str]:
        """
        Which addresses are answered for, when a stranger asks.
        """
        wire = lab.wire()
        for target in targets:
            wire.send(solicitation(target, "fe80::78", "02:00:00:00:00:78"))
        wire.fence()
        return [target for target in targets if wire.advertisements(target)]

    def announce(self, lab: Lab, *targets: str, override: int = 1) -> None:
        """
        Have another machine advertise addresses.
        """
        wire = lab.wire()
        for target in targets:
            wire.send(advertisement(target, override))
        wire.fence()

    def test_case53_theRouterReboots(self) -> None:
        """
        The router's own P::1 is left to it while it is away, and while it comes back: its duplicate
        address detection succeeds, though every probe is defended against.
        """
        lab, service = self.serve("--dad", "defend", inside=True)
        self.assertAnsweredOnce(lab.ping("2001:db8::53", "-I", INSIDE))
        lab.router.ip("link set eth0 down")
        self.assertNotIn(INSIDE, lab.router.addresses())
        lab.router.ip("link set eth0 up")
        eventually(lambda: "LOWER_UP" in lab.router.ip("link show dev eth0"))
        self.assertEqual(self.answered(lab, INSIDE, UNLISTED), [UNLISTED])
        for address, mark in ((INSIDE, "scope global"), ("2001:db8::5:1", "dadfailed")):
            lab.router.ip(f"address add {address}/128 dev eth0")
            eventually(lambda a=address: not self._isTentative(lab, a))
            self.assertIn(mark, lab.router.addresses()[address])
        self.assertNotIn("dadfailed", lab.router.addresses()[INSIDE])
        self.assertNotIn("conflict", service.log())

    @staticmethod
    def _isTentative(lab: Lab, address: str) -> bool:
        """
        Whether duplicate address detection goes on.
        """
        line = lab.router.addresses()[address]
        return "tentative" in line and "dadfailed" not in line

    def test_case53_conflict(self) -> None:
        """
        Another machine advertises two addresses that we answer for: each is logged once. The one
        that has a site is answered for all the same; the other is left to that machine. With O=0 it
        only answers for them too, and that is nothing.
        """
        lab, service = self.serve()
        self.announce(lab, LISTED, UNLISTED, override=0)
        self.assertEqual(self.answered(lab, LISTED, UNLISTED), [LISTED, UNLISTED])
        for _ in range(3):
            self.announce(lab, LISTED, UNLISTED)
        self.assertEqual(self.answered(lab, LISTED, UNLISTED), [LISTED])
        service.stop()
        log = service.log()
        self.assertEqual(log.count(f"conflict: {OTHER} uses {LISTED} too, which has a site"), 1)
        self.assertEqual(log.count(f"conflict: {OTHER} uses {UNLISTED} too: it is left"), 1)
        self.assertIn("signs of a conflict: 4", log)
        self.assertRegex(log, r"frames: .*conflict 4")

    def test_case53_yield(self) -> None:
        """
        With C{--yield} the one that has a site is left to it, too.
        """
        lab, service = self.serve("--yield")
        self.assertEqual(self.answered(lab, LISTED, UNLISTED), [LISTED, UNLISTED])
        self.announce(lab, LISTED)
        self.announce(lab, LISTED)
        self.assertEqual(self.answered(lab, LISTED, UNLISTED), [UNLISTED])
        self.assertEqual(service.log().count(f"conflict: {OTHER} uses {LISTED} too: it is left"), 1)

    def test_respondHosts(self) -> None:
        """
        With C{--respond hosts} only the one that has a site is found, and answers ping.
        """
        lab, _ = self.serve("--respond", "hosts", "--dad", "defend")
        wire = lab.wire()
        for target in (UNLISTED, LISTED):
            wire.send(solicitation(target))
        wire.wait(lambda p: ICMPv6ND_NA in p and p.tgt == LISTED, "the listed one")
        self.assertEqual(wire.advertisements(UNLISTED), [])
        self.assertAnsweredOnce(lab.ping(LISTED))
        self.assertEqual(lab.ping(UNLISTED, wait=0.3).received, 0)

    def test_rates(self) -> None:
        """
        C{--rate-source} and C{--rate}: at once as many as in a second, and the rest is counted.
        """
        lab, service = self.serve("--rate", "30", "--rate-source", "20")
        wire = lab.wire()
        for station in (1, 2):
            layer = f"02:00:00:00:01:0{station}"
            for number in range(200):
                target = f"2001:db8::{station}:{number:x}"
                wire.send(bytes(solicitation(target, f"fe80::1{station}", layer)))
        eventually(lambda: len(self._advertised(wire)) >= 30, what="30 answers")
        service.stop()
        stations = [packet[Ether].dst[-1] for packet in self._advertised(wire)]
        self.assertLess(len(stations), 80)
        self.assertGreaterEqual(stations.count("1"), 20)
        self.assertGreaterEqual(stations.count("2"), 10)
        self.assertRegex(service.log(), r"frames: .*rate \d+, source_rate \d+")

    @staticmethod
    def _advertised(wire: Any) -> list[Any]:
        """
        All advertisements so far.
        """
        return [packet for packet in wire.fromServer() if ICMPv6ND_NA in packet]
