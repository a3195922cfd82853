"""
The R flag of advertisements (cases 59 and 61): never, or while the interface forwards.
"""

from __future__ import annotations

import dataclasses
from socket import AF_INET

from prefix64.icmpv6.neighbor import LinkIdentity
from prefix64.icmpv6.policies import DadPolicy, RouterFlag
from prefix64.kernel.monitor import ADDRESS, LINK, NETCONF, ROUTE, RULE
from tests import test_services
from tests.frames import HOST_LINK, TARGET, linkBytes, probe, solicitation
from tests.test_host_state import ETH0, ETH1, Message, linkEvent
from tests.test_ndp_cases import GROUP, CaseTestCase, World


def switchEvent(
    forwarding: int | None, index: int = ETH0, event: str = "RTM_NEWNETCONF"
) -> Message:
    """
    What the kernel says when a switch of an interface was turned.
    """
    attributes = {"NETCONFA_IFINDEX": index}
    if forwarding is not None:
        attributes["NETCONFA_FORWARDING"] = forwarding
    return Message({"event": event}, attributes)


class FlagTests(CaseTestCase):
    """
    The bytes.
    """

    def identity(self, isRouter: bool) -> LinkIdentity:
        return LinkIdentity(linkBytes(HOST_LINK), None, isRouter)

    def flagByte(self, world: World, frame: bytes) -> int:
        reply = world.responder.frameReceived(frame, GROUP, 0.0)[1]
        assert reply is not None
        self.assertEqual(world.responder.framesReceived([(frame, GROUP)], 0.0), [reply])
        self.assertEqual(reply[59:62], b"\0\0\0")
        return reply[58]

    def test_case61_flagBytesOfARouter(self) -> None:
        """
        The byte behind the checksum, as a number (4.4): 0xc0, 0xe0, 0xa0, and 0x80.
        """
        for hosts, frame, byte in (
            ([], solicitation(), 0xC0),
            ([TARGET], solicitation(), 0xE0),
            ([TARGET], probe(), 0xA0),
            ([], probe(), 0x80),
        ):
            world = World(hosts=hosts, dad=DadPolicy.DEFEND, identity=self.identity(True))
            self.assertEqual(self.flagByte(world, frame), byte)

    def test_case59_theFlagFollowsTheIdentity(self) -> None:
        """
        With the next answer, in both directions.
        """
        world = World(identity=self.identity(False))
        for isRouter, byte in ((False, 0x40), (True, 0xC0), (False, 0x40)):
            world.identity.isRouter = isRouter
            self.assertEqual(self.flagByte(world, solicitation()), byte)

    def test_theRestOfTheAdvertisementIsTheSame(self) -> None:
        """
        Fields and checksum are right, as scapy reads them.
        """
        self.assertAdvertised(World(identity=self.identity(True)), solicitation(), flags=0xC0)


class ServiceTests(test_services.World):
    """
    The service, on a host in memory.
    """

    def router(self, flag: RouterFlag = RouterFlag.AUTO) -> list[bool]:
        """
        Start, and have the interface forward and no longer forward.

        @return: what the service said of itself at the start, and after each.
        """
        service = self.started(routerFlag=flag)
        found = [service.links[0].icmpv6._identity.isRouter]
        for forwarding in (1, 0):
            self.events(switchEvent(forwarding))
            found.append(service.links[0].icmpv6._identity.isRouter)
        return found

    def test_autoFollowsForwarding(self) -> None:
        """
        By events, which are heard.
        """
        self.assertEqual(self.router(), [False, True, False])
        self.assertEqual(self.monitor.groups, [LINK, ADDRESS, ROUTE, RULE, NETCONF])

    def test_whatTheInterfaceDoesAtTheStartIsRead(self) -> None:
        """
        Without an event.
        """
        self.kernel.forwardingInterfaces = {ETH0}
        self.assertEqual(self.router(), [True, True, False])

    def test_neverIsNever(self) -> None:
        """
        Though the interface forwards; nor is that heard of.
        """
        self.kernel.forwardingInterfaces = {ETH0}
        self.assertEqual(self.router(RouterFlag.NEVER), [False, False, False])
        self.assertNotIn(NETCONF, self.monitor.groups)

    def test_otherInterfacesDoNotMatter(self) -> None:
        """
        Another one, all of them (-1), those to come (-2); nor other switches of this one.
        """
        service = self.started(routerFlag=RouterFlag.AUTO)
        events = [switchEvent(1, index) for index in (ETH1, -1, -2)]
        self.events(*events, switchEvent(None))
        self.assertFalse(service.links[0].icmpv6._identity.isRouter)

    def test_anotherFamilyDoesNotMatter(self) -> None:
        """
        IPv4 forwarding is no IPv6 forwarding.
        """
        service = self.started(routerFlag=RouterFlag.AUTO)
        event = switchEvent(1)
        event["family"] = AF_INET
        self.events(event)
        self.assertFalse(service.links[0].icmpv6._identity.isRouter)

    def test_anInterfaceThatWasMadeAnewIsItsOwn(self) -> None:
        """
        The kernel says that a new one forwards before it says that there is one.
        """
        service = self.started(routerFlag=RouterFlag.AUTO)
        self.kernel.links[1] = dataclasses.replace(self.kernel.links[1], index=7)
        gone = linkEvent("RTM_DELLINK"), switchEvent(None, event="RTM_DELNETCONF")
        self.events(*gone, switchEvent(1, index=7), linkEvent(index=7))
        self.assertTrue(service.links[0].icmpv6._identity.isRouter)
        self.events(switchEvent(0, index=7))
        self.assertFalse(service.links[0].icmpv6._identity.isRouter)

    def test_withoutIpv6ItIsNone(self) -> None:
        """
        The kernel says that there are no switches any more.
        """
        self.kernel.forwardingInterfaces = {ETH0, ETH1}
        service = self.started(routerFlag=RouterFlag.AUTO)
        self.events(switchEvent(None, ETH1, "RTM_DELNETCONF"))
        self.assertTrue(service.links[0].icmpv6._identity.isRouter)
        self.events(switchEvent(None, event="RTM_DELNETCONF"))
        self.assertFalse(service.links[0].icmpv6._identity.isRouter)

    def test_afterLostEventsItIsReadAnew(self) -> None:
        """
        As everything else.
        """
        service = self.started(routerFlag=RouterFlag.AUTO)
        self.kernel.forwardingInterfaces = {ETH0}
        self.events(lost=True)
        self.reactor.advance(test_services.REREAD_DELAY)
        self.assertTrue(service.links[0].icmpv6._identity.isRouter)
