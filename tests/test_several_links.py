"""
Several interfaces in one process, and what the host says of forwarding: on fakes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.errors import GuardError, Prefix64Error, RoutingError
from prefix64.hosts.table import CurrentTable, HostTable
from prefix64.instance_lock import markLock
from prefix64.kernel.host_state import EVERY_INTERFACE, HostState
from prefix64.kernel.messages import InterfaceRoute, Link
from prefix64.link.packet_socket import ETHERNET
from prefix64.ownership import Owner, Ownership
from prefix64.routing.entries import Rule, Steering, Way
from prefix64.services.in_order import stopped
from prefix64.services.prefix64 import Prefix64Service
from prefix64.settings import EchoMode, LinkSettings, NdpMode, Settings
from prefix64.testing import MemoryGuard, MemoryKernel, MemoryLock
from tests.test_host_state import ETH0, ETH1, linkEvent, routedEvent
from tests.test_services import PREFIX, World

SECOND = parsePrefix("2001:db8:2::/64")
PART = parsePrefix("2001:db8:0:0:c::/80")
REFUSED = RoutingError("Operation not supported")


class LinksTests(World):
    """
    L{startLinks}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.kernel.links.append(Link("eth1", ETH1, ETHERNET, b"\x02\0\0\0\0\x03", True))
        for name in ("accept_ra", "forwarding", "proxy_ndp"):
            self.kernel.switches["eth1", name] = self.kernel.switches["eth0", name]

    def both(self, **second: Any) -> Prefix64Service:
        """
        eth0 with the first prefix, eth1 with the second.

        @param second: settings of the second that are others.
        """
        one = self.made()
        links = (
            LinkSettings(interface="eth0", prefixes=(PREFIX,)),
            LinkSettings(**{"interface": "eth1", "prefixes": (SECOND,), **second}),
        )
        settings = Settings(links, stateDirectory=self.state)
        return Prefix64Service(settings, self.reactor, one._edges)

    def test_bothAreServed(self) -> None:
        """
        Each with its own rule; the line names both, and an end leaves nothing.
        """
        service = self.both(echo=EchoMode.NONE)
        service.privilegedStartService()
        service.startService()
        self.assertEqual(self.kernel.ourRules, {Rule("eth0", PREFIX), Rule("eth1", SECOND)})
        line = service.announcement()
        self.assertIn("2001:db8::/64 on eth0 and 2001:db8:2::/64 on eth1", line)
        self.assertIn("ping answered by the protocol (eth0); ping answered by no one (eth1)", line)
        self.successResultOf(service.stopService())
        self.assertUndone()

    def test_anInterfaceMayHaveAnyName(self) -> None:
        """
        Also that of another service.
        """
        for name in ("web", "routing", "icmpv6"):
            self.kernel.links.append(Link(name, 9, ETHERNET, b"\x02\0\0\0\0\x09", True))
            service = self.started(interface=name)
            self.successResultOf(service.stopService())
            self.assertUndone()

    def test_theSecondIsInTheWay(self) -> None:
        """
        Nothing was changed anywhere when its preparation fails.
        """
        self.kernel.hostAddresses.clear()
        for failure in (
            {"interface": "eth9"},
            {"prefixes": (SECOND,), "behind": (SECOND,)},
        ):
            service = self.both(**failure)
            self.assertRaises(SystemExit, service.privilegedStartService)
            self.assertEqual(self.kernel.log, [], failure)
            self.assertUndone()

    def test_theSecondIsRefusedHalfWay(self) -> None:
        """
        What was done for the first is undone, too; at whichever step.
        """
        for step in range(8):
            self.kernel.refusals.extend([*[None] * step, REFUSED])
            service = self.both()
            self.assertRaises(SystemExit, service.privilegedStartService)
            self.kernel.refusals.clear()
            self.assertUndone()

    def test_marksOfBothLeadToTwoTables(self) -> None:
        """
        Not to one: the second could not be told from the first.
        """
        marks = Steering(Way.FWMARK)
        settings = Settings(
            (
                LinkSettings(interface="eth0", prefixes=(PREFIX,), steering=marks),
                LinkSettings(interface="eth1", prefixes=(SECOND,), steering=marks),
            ),
            stateDirectory=self.state,
        )
        service = Prefix64Service(settings, self.reactor, self.made()._edges)
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertIn("table 64 is where firewall marks lead already", str(error.code))
        self.assertUndone()

    def test_theLocks(self) -> None:
        """
        One for each interface, and one for the table of marks.
        """
        service = self.both(steering=Steering(Way.FWMARK))
        service.privilegedStartService()
        self.assertEqual(set(MemoryLock.held), {"eth0", "eth1", markLock(64)})
        self.successResultOf(service.stopService())
        self.assertEqual(MemoryLock.held, {})

    def test_aPartOfATableIsTheWholesToo(self) -> None:
        """
        What changes on one interface changes there and in the whole, and nowhere else.
        """
        ownerships = Ownership((PREFIX,)), Ownership((SECOND,))
        whole = CurrentTable(HostTable(Ownership.together(ownerships)))
        one, two = (whole.part(own) for own in ownerships)
        one.ownershipChanged(dataclasses.replace(ownerships[0], excluded=(PART,)))
        self.assertIs(whole.table.ownership.of(PART.network), Owner.EXCLUDED)
        self.assertIs(two.table.ownership, ownerships[1])


class GuardTests(World):
    """
    What the guard cannot have is found before anything is changed.
    """

    def rehearsalFails(self, echo: EchoMode | None) -> Prefix64Service:
        self.guardRefusal = GuardError("nf_tables: Operation not supported")
        return self.made(echo=echo)

    def test_whatWasAskedFor(self) -> None:
        """
        An error, with the option's name.
        """
        for mode in (EchoMode.PROTOCOL, EchoMode.NONE):
            service = self.rehearsalFails(mode)
            error = self.assertRaises(SystemExit, service.privilegedStartService)
            self.assertEqual(
                error.code, f"prefix64: --echo {mode.value}: nf_tables: Operation not supported"
            )
            self.assertEqual(self.kernel.log, [])
            self.assertUndone()

    def test_whatWasNotAskedFor(self) -> None:
        """
        Echo is left to the kernel, which is said once.
        """
        service = self.rehearsalFails(None)
        service.privilegedStartService()
        self.assertIs(service.links[0].echoGuard.mode, EchoMode.KERNEL)
        self.assertEqual(
            self.lines(LogLevel.warn),
            ["echo is left to the kernel: nf_tables: Operation not supported"],
        )
        self.successResultOf(service.stopService())
        self.assertUndone()

    def test_whatFailsOnlyThen(self) -> None:
        """
        The rehearsal was fine, and the table cannot be made: the start is undone, or echo is left.
        """
        for mode in (EchoMode.PROTOCOL, None):
            install = MemoryGuard.install

            def fail(*arguments: object) -> None:
                raise GuardError("nf_tables: Device or resource busy")

            patched = self.patch(MemoryGuard, "install", fail)
            service = self.made(echo=mode)
            try:
                service.privilegedStartService()
            except SystemExit as error:
                self.assertIn("--echo protocol: nf_tables", str(error.code))
                self.assertIs(mode, EchoMode.PROTOCOL)
            else:
                self.assertIs(service.links[0].echoGuard.mode, EchoMode.KERNEL)
                self.successResultOf(stopped(service))
            patched.restore()
            self.assertIs(MemoryGuard.install, install)
            self.assertUndone()

    def test_solicitationsOfOthersLeaveEchoToTheKernel(self) -> None:
        """
        There is no guard then.
        """
        for ndp in (NdpMode.KERNEL, NdpMode.NONE):
            service = self.started(ndp=ndp)
            self.assertIsNone(self.guard)
            self.successResultOf(service.stopService())
            self.assertUndone()


class ForwardingStateTests(SynchronousTestCase):
    """
    L{HostState}: whether the host forwards, and what is behind it.
    """

    def state(self, kernel: MemoryKernel, **more: Any) -> HostState:
        state = HostState(kernel, "eth0", (PREFIX,), **more)
        state.refresh()
        return state

    def test_whoForwards(self) -> None:
        """
        The host as a whole; or the interface by itself, where it is forced to (Linux 6.17).
        """
        kernel = MemoryKernel()
        state = self.state(kernel, behind=(PART,))
        self.assertFalse(state.ownership().forwards)
        kernel.forwardingInterfaces.add(ETH0)
        state.refresh()
        self.assertEqual((state.forwards, state.forwardsPackets), (True, False))
        kernel.switches["eth0", "force_forwarding"] = "1"
        state.refresh()
        self.assertTrue(state.forwardsPackets)
        kernel.switches["eth0", "force_forwarding"] = "0"
        kernel.forwardingInterfaces.add(EVERY_INTERFACE)
        state.refresh()
        self.assertTrue(state.ownership().forwards)

    def test_whereNothingIsBehindItDoesNotMatter(self) -> None:
        """
        A change of it is no change of whose an address is.
        """
        kernel = MemoryKernel()
        before = self.state(kernel).ownership()
        kernel.forwardingInterfaces.add(EVERY_INTERFACE)
        self.assertEqual(self.state(kernel).ownership(), before)

    def test_aWholePrefix(self) -> None:
        """
        A route for all of it counts where that was said to be behind, unless it is on the link too.
        """
        kernel = MemoryKernel()
        kernel.interfaceRoutes = {InterfaceRoute(ETH1, PREFIX)}
        self.assertEqual(self.state(kernel).ownership().routed, ())
        whole = self.state(kernel, behind=(PREFIX,))
        self.assertEqual(whole.ownership().routed, (PREFIX,))
        whole.messageReceived(routedEvent(str(PREFIX), ETH0))
        self.assertEqual(whole.ownership().routed, ())

    def test_downs(self) -> None:
        """
        Each time that the interface or lo goes down is counted, and each time that it goes.
        """
        state = self.state(MemoryKernel())
        for name, index in (("lo", 1), ("eth0", ETH0), ("eth1", ETH1)):
            event = linkEvent(name=name, index=index)
            state.messageReceived(event)
            event["flags"] = 0
            state.messageReceived(event)
        self.assertEqual(dict(state.downs), {"lo": 1, "eth0": 1})
        state.messageReceived(linkEvent(name="wan"))
        state.messageReceived(linkEvent())
        state.messageReceived(linkEvent("RTM_DELLINK"))
        self.assertEqual((state.downs["eth0"], state.births), (3, 2))

    def test_otherPrefixes(self) -> None:
        """
        What is inside them is known with the next reading.
        """
        kernel = MemoryKernel()
        kernel.nextHops = {SECOND.network + 1}
        kernel.interfaceRoutes = {InterfaceRoute(ETH1, parsePrefix("2001:db8:2:0:c::/80"))}
        state = self.state(kernel, behind=(SECOND,))
        self.assertEqual((state.ownership().routed, state.ownership().gateways), ((), frozenset()))
        state.setPrefixes((SECOND,))
        state.refresh()
        ownership = state.ownership()
        self.assertIs(ownership.of(SECOND.network + 1), Owner.GATEWAY)
        self.assertIs(ownership.of(parseAddress("2001:db8:2:0:c::5")), Owner.ROUTED)
        self.assertIs(ownership.of(PREFIX.network + 5), Owner.OUTSIDE)

    def test_aTableThatCannotBeReadChangesNothing(self) -> None:
        """
        Everything is as it was.
        """
        kernel = MemoryKernel()
        kernel.interfaceRoutes = {InterfaceRoute(ETH1, PART)}
        state = self.state(kernel, behind=(PART,))
        before = state.ownership()

        def unreadable() -> None:
            raise RoutingError("the kernel's tables cannot be read")

        kernel.interfaceRoutes.clear()
        self.patch(kernel, "gateways", unreadable)
        self.assertRaises(Prefix64Error, state.refresh)
        self.assertEqual(state.ownership(), before)
