"""
C{--local}: the host reaches the prefix itself.
"""

from __future__ import annotations

from typing import Any

from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from tests.kernel.lab import Lab, SharedLabTestCase, fetchFrom, pingFrom, suiteOf
from tests.kernel.namespaces import INSIDE, OUTSIDE, eventually

EXCLUDED, KNOWN, MET, UNKNOWN = (f"2001:db8::{tail}" for tail in ("e:1", "c:1", "c:2", "c:3"))
"""The router's further addresses inside the prefix."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class LocalTests(SharedLabTestCase):
    """
    A host whose gateway is inside the prefix, with other machines' addresses there.
    """

    own = ("2001:db8::b:1",)
    inside = True
    options = ("--local", "--exclude", "2001:db8::e:0/112")

    def prepare(self, lab: Lab) -> None:
        """
        The server knows one of the machines before the start.
        """
        for address in (EXCLUDED, KNOWN, MET, UNKNOWN):
            lab.router.ip(f"address add {address}/128 dev eth0 nodad")
        lab.server.ip("route add 2001:db8::/64 dev eth0")
        lab.server.ip(f"route replace default via {INSIDE} dev eth0")
        assert pingFrom(lab.server, KNOWN).received

    def reachesRouter(self, address: str) -> bool:
        """
        Tell whether a ping from the server is answered, and by the router.
        """
        wire = self.lab.wire()
        answered = pingFrom(self.lab.server, address, wait=0.5).received == 1
        asked = [p for p in wire.fromServer() if ICMPv6EchoRequest in p and p[IPv6].dst == address]
        return answered and bool(asked)

    def test_hostReachesThePrefix(self) -> None:
        """
        The host has pages and ping of the prefix's addresses, each once, without a packet on the
        link; so has everybody else.
        """
        address = "2001:db8::cafe"
        self.assertIn(address, fetchFrom(self.lab.server, f"http://[{address}]/"))
        self.assertAnsweredOnce(pingFrom(self.lab.server, address, count=3), 3)
        self.wire.fence()
        self.assertEqual(self.wire.solicitations(address), [])
        self.assertIn(address, self.lab.fetch(f"http://[{address}]/", "--interface", OUTSIDE))
        self.assertAnsweredOnce(self.lab.ping(address, "-I", OUTSIDE, count=3), 3)

    def test_case74_gatewayStaysReachable(self) -> None:
        """
        The gateway inside the prefix is reached on the link, and what is behind it.
        """
        self.assertTrue(self.reachesRouter(INSIDE))
        self.assertTrue(self.reachesRouter(OUTSIDE))

    def test_excludedMachineStaysReachable(self) -> None:
        """
        So is a machine whose address is excluded.
        """
        self.assertTrue(self.reachesRouter(EXCLUDED))

    def test_knownNeighborStaysReachable(self) -> None:
        """
        So is a neighbor that the host knew.
        """
        self.assertTrue(self.reachesRouter(KNOWN))

    def test_neighborThatIsMet(self) -> None:
        """
        A machine that the host does not know is not reached, as the start said, until it becomes a
        neighbor.
        """
        self.assertIn("reaches no other machine inside the prefix", self.service.log())
        self.assertFalse(self.reachesRouter(MET))
        self.lab.server.ip(f"neigh replace {MET} lladdr 02:00:00:00:00:01 dev eth0 nud stale")
        eventually(lambda: self.reachesRouter(MET))

    def test_ownAddress(self) -> None:
        """
        The host's own address inside the prefix stays its own.
        """
        self.assertAnsweredOnce(pingFrom(self.lab.server, "2001:db8::b:1", count=2), 2)
        self.assertAnsweredOnce(self.lab.ping("2001:db8::b:1", "-I", OUTSIDE, count=2), 2)

    def test_guardDoesNotMeetTheHostItself(self) -> None:
        """
        Large pings of the host itself are answered once, too.
        """
        for size in ("1400", "4000", "65000"):
            said = pingFrom(self.lab.server, "2001:db8::cafe", "-s", size, count=2)
            self.assertAnsweredOnce(said, 2)


class NotLocalTests(SharedLabTestCase):
    """
    Without C{--local}.
    """

    inside = True

    def test_hostReachesOtherMachines(self) -> None:
        """
        Every machine inside the prefix is reached from the host as before, and the prefix's own
        addresses are not.
        """
        self.lab.server.ip("route add 2001:db8::/64 dev eth0")
        self.assertEqual(pingFrom(self.lab.server, INSIDE).received, 1)
        self.wire.fence()
        self.assertEqual(len(self.wire.solicitations(INSIDE)), 1)
        done = self.lab.server.run(
            *("curl", "-gsS", "--noproxy", "*", "-m", "5", "http://[2001:db8::cafe]/"), check=False
        )
        self.assertEqual(done.returncode, 7)
