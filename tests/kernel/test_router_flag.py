"""
C{--na-router auto} on a real link: the flag follows forwarding (case 59).
"""

from __future__ import annotations

from typing import Any

from prefix64.kernel.routing_kernel import RoutingKernel
from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import Namespace, eventually
from tests.kernel.wire import flagsOf, solicitation


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class RouterFlagTests(KernelTestCase):
    """
    The flag in the packets, and in the neighbor's table.
    """

    def flagByte(self, lab: Lab, target: str) -> int:
        """
        The flags of the advertisement that a solicitation brings.
        """
        wire = lab.wire()
        wire.send(solicitation(target))
        wire.fence()
        (advertisement,) = wire.advertisements(target)
        wire.close()
        return flagsOf(advertisement)

    def test_case59_autoFollowsForwarding(self) -> None:
        """
        Of the interface, and of all interfaces, in both directions; a Linux neighbor believes it.
        """
        lab = self.makeLab()
        service = lab.start("--na-router", "auto")
        self.assertEqual(self.flagByte(lab, "2001:db8::59"), 0x40)
        for path, forwarding, byte in (
            ("conf/eth0/forwarding", 1, 0xC0),
            ("conf/eth0/forwarding", 0, 0x40),
            ("conf/all/forwarding", 1, 0xC0),
            ("conf/all/forwarding", 0, 0x40),
        ):
            lab.server.sysctl(path, forwarding)
            eventually(lambda byte=byte: self.flagByte(lab, "2001:db8::59") == byte, what=path)
            lab.router.ip("neigh flush dev eth0")
            self.assertAnsweredOnce(lab.ping("2001:db8::59:1"))
            said = " router" in f" {lab.router.neighbor('2001:db8::59:1')}"
            self.assertEqual(said, bool(forwarding), path)
        self.assertNotIn("Traceback", service.log())

    def test_case59_autoAtTheStart(self) -> None:
        """
        What the interface does at the start is known.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/eth0/forwarding", 1)
        lab.start("--na-router", "auto")
        self.assertEqual(self.flagByte(lab, "2001:db8::59"), 0xC0)

    def test_case59_never(self) -> None:
        """
        By default a router does not say that it is one.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.start()
        self.assertEqual(self.flagByte(lab, "2001:db8::59"), 0x40)

    def test_whichInterfacesForward(self) -> None:
        """
        As the kernel tells it: the interfaces' indices, and no others.
        """
        namespace: Namespace = self.makeNamespace()
        with namespace.entered():
            kernel = RoutingKernel()
        self.addCleanup(kernel.close)
        self.assertEqual({i for i in kernel.forwarding() if i > 0}, set())
        namespace.sysctl("conf/lo/forwarding", 1)
        self.assertEqual({i for i in kernel.forwarding() if i > 0}, {1})
