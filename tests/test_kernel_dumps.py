"""
The kernel's tables as they are read, without any privilege and without changing anything.
"""

from __future__ import annotations

from collections.abc import Callable

from pyroute2.netlink.exceptions import NetlinkError
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parsePrefix
from prefix64.errors import RoutingError
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.routing.entries import Route, RouteKind, Rule


class DumpTests(SynchronousTestCase):
    """
    L{RoutingKernel}, where the kernel does not answer.
    """

    def setUp(self) -> None:
        self.kernel = RoutingKernel()
        self.addCleanup(self.kernel.close)

    def readers(self) -> list[Callable[[], object]]:
        kernel = self.kernel
        return [
            kernel.linkNames,
            kernel.addresses,
            kernel.gateways,
            kernel.routed,
            lambda: kernel.neighbors(1),
            kernel.forwarding,
            kernel.routes,
            kernel.rules,
        ]

    def assertUnreadable(self, reason: str) -> None:
        """
        Everything that reads says so in one line.
        """
        for read in self.readers():
            error = str(self.assertRaises(RoutingError, read))
            self.assertIn("the kernel's tables cannot be read: ", error)
            self.assertIn(reason, error)
            self.assertNotIn("\n", error)

    def test_everythingIsRead(self) -> None:
        """
        The requests are right: this kernel has a loopback interface and answers each.
        """
        self.assertIn("lo", self.kernel.linkNames())
        for read in self.readers():
            self.assertIsNotNone(read())

    def test_aRefusalIsAnErrorOfRouting(self) -> None:
        """
        Which can be tried again; the process goes on.
        """

        def refuse(kind: int, message: object, flags: int) -> list[object]:
            raise NetlinkError(105, "No buffer space available")

        self.patch(self.kernel, "_request", refuse)
        self.assertUnreadable("No buffer space available")

    def test_aSocketThatFailsIsToo(self) -> None:
        """
        Closed, or without an answer in time.
        """
        self.kernel.close()
        self.assertUnreadable("Bad file descriptor")


class FailingSocketTests(SynchronousTestCase):
    """
    A kernel that cannot be asked.
    """

    def test_everyRequestIsAnErrorOfRouting(self) -> None:
        """
        What the socket raises reaches nobody as it is: who asks is ready for a refusal.
        """
        kernel = RoutingKernel()
        kernel.close()
        prefix = parsePrefix("2001:db8::/64")
        route, rule = Route(RouteKind.THROW, prefix), Rule("eth0", prefix)
        self.assertRaises(RoutingError, kernel.link, "lo")
        for add in (kernel.addRoute, kernel.deleteRoute):
            self.assertRaises(RoutingError, add, route)
        for change in (kernel.addRule, kernel.deleteRule):
            self.assertRaises(RoutingError, change, rule)
