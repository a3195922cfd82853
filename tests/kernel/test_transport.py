"""
TCP to addresses of the prefix.
"""

from __future__ import annotations

import time
from typing import Any

from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.kernel.lab import KernelTestCase, SharedLabTestCase, fetchFrom, suiteOf
from tests.kernel.namespaces import OUTSIDE, ROUTER_LINK_LOCAL, SERVER_LAYER, makeLink

LARGE = 300_000
"""Bytes of a page that does not fit into a few packets."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class TransportTests(SharedLabTestCase):
    """
    Connections from the router.
    """

    def test_case79_localAddressIsTheAddressAsked(self) -> None:
        """
        The page names the address that was connected to, and the visitor's own.
        """
        address = "2001:db8::dead:beef:79"
        text = self.lab.fetch(f"http://[{address}]/", "-H", "Accept: text/plain")
        self.assertIn(address, text)
        self.assertIn(OUTSIDE, text)

    def test_case80_closedPort(self) -> None:
        """
        A port on which nobody listens is refused at once, by a reset.
        """
        begin = time.monotonic()
        done = self.lab.router.run(
            *("curl", "-gsS", "--noproxy", "*", "--max-time", "5", "http://[2001:db8::80]:81/"),
            check=False,
        )
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertLess(time.monotonic() - begin, 2)
        reset = self.wire.wait(lambda packet: packet[Ether].src == SERVER_LAYER and TCP in packet)
        self.assertEqual((reset[IPv6].src, str(reset[TCP].flags)), ("2001:db8::80", "RA"))


class PathMtuTests(KernelTestCase):
    """
    Packet Too Big reaches the kernel's TCP.
    """

    def test_case81_largePageOverNarrowPath(self) -> None:
        """
        A large page arrives over a path of 1,280 bytes, which neither end knows of.
        """
        lab = self.makeLab()
        visitor = self.makeNamespace("visitor")
        makeLink(lab.router, visitor, "eth1")
        lab.router.ip("link set dev eth1 mtu 1280")
        lab.router.ip("address add 2001:db8:fffe::1/64 dev eth1 nodad")
        lab.router.sysctl("conf/all/forwarding", 1)
        visitor.ip("address add 2001:db8:fffe::9/64 dev eth1 nodad")
        visitor.ip("route add default via 2001:db8:fffe::1 dev eth1")
        default = lab.directory / "sites" / "default"
        default.mkdir(parents=True)
        (default / "large").write_bytes(bytes(LARGE))
        lab.start("--sites", str(lab.directory / "sites"))
        size = fetchFrom(
            visitor,
            "http://[2001:db8::81]/large",
            *("-o", "/dev/null", "-w", "%{size_download} %{http_code}"),
        )
        self.assertEqual(size, f"{LARGE} 200")
        cached = lab.server.ip("-6 route show cache")
        self.assertIn("mtu 1280", cached)
        self.assertIn(ROUTER_LINK_LOCAL, cached)
