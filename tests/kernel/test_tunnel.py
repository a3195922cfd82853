"""
An interface that is not Ethernet: no neighbor discovery, all the rest.
"""

from __future__ import annotations

import fcntl
import os
import struct
from select import select
from typing import Any

from scapy.layers.inet import TCP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import OUTSIDE, PREFIX
from tests.kernel.twistd import Twistd

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_SECONDS = 5.0
ADDRESS = "2001:db8::cafe"


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class TunnelTests(KernelTestCase):
    """
    A tun device; this process is its other end.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        super().setUp()
        self.host = self.makeNamespace()
        with self.host.entered():
            self.tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self.addCleanup(os.close, self.tunnel)
            fcntl.ioctl(
                self.tunnel, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN | _IFF_NO_PI)
            )
        self.host.ip("link set tun0 addrgenmode none up")
        self.host.ip(f"-6 route add {OUTSIDE}/128 dev tun0")

    def ask(self, payload: Any) -> Any:
        """
        Send a packet to the address, and wait for what comes back from it.
        """
        os.write(self.tunnel, bytes(IPv6(src=OUTSIDE, dst=ADDRESS) / payload))
        while select([self.tunnel], [], [], _SECONDS)[0]:
            packet = IPv6(os.read(self.tunnel, 65535))
            if packet.src == ADDRESS:
                self.assertEqual(packet.dst, OUTSIDE)
                return packet
        raise AssertionError("no answer")

    def test_case73_routingAndHttp(self) -> None:
        """
        The kernel answers echo, connections are accepted, one line says that there is no neighbor
        discovery, and the end leaves nothing.
        """
        before = self.host.dump()
        service = self.track(Twistd(self.host, "--iface", "tun0", "--prefix", PREFIX))
        service.waitForStart()
        self.assertEqual(
            service.log().count("tun0 is not Ethernet: it needs no neighbor discovery\n"), 1
        )
        self.assertIn("ping answered by the kernel", service.log())
        reply = self.ask(ICMPv6EchoRequest(id=64, seq=1, data=b"tunnel"))
        self.assertEqual(reply[ICMPv6EchoReply].data, b"tunnel")
        self.assertEqual(str(self.ask(TCP(dport=80, sport=4000, flags="S"))[TCP].flags), "SA")
        self.assertEqual(str(self.ask(TCP(dport=81, sport=4001, flags="S"))[TCP].flags), "RA")
        service.stop()
        self.assertEqual(self.host.dump(), before)
