"""
What the host has, as the kernel's events tell it.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import formatAddress, parseAddress, parsePrefix
from prefix64.errors import RoutingError
from prefix64.kernel.host_state import (
    LOOPBACK_INDEX,
    MOST_GATEWAYS,
    MOST_NEIGHBORS,
    MOST_ROUTED,
    HostState,
)
from prefix64.kernel.messages import InterfaceAddress, InterfaceRoute, Link, readLink
from prefix64.kernel.table_messages import KIND_NUMBERS
from prefix64.ownership import Owner
from prefix64.routing.entries import PRIORITY, PROTOCOL, TABLE, Route, RouteKind, Rule
from prefix64.routing.facts import FR_ACT_TO_TBL, RTN_UNICAST
from prefix64.testing import MemoryKernel

SERVED = parsePrefix("2001:db8::/64")
ETH0, ETH1 = 2, 3
STALE, INCOMPLETE, FAILED = 0x04, 0x01, 0x20
NLM_F_REPLACE = 0x100
RTM_F_CLONED = 0x200
RTN_BLACKHOLE, MAIN_TABLE = 6, 254
RTPROT_KERNEL, RTPROT_BOOT, RTPROT_RA = 2, 3, 9
MAC = "02:00:00:00:00:99"


class Message(dict[str, Any]):
    """
    An rtnetlink message as pyroute2 makes them: fields of the header, and attributes behind it.
    """

    def __init__(self, fields: dict[str, Any], attrs: dict[str, Any]) -> None:
        header = {"flags": fields.pop("flags_of_request", 0)}
        super().__init__(family=socket.AF_INET6, **fields, header=header, attrs=list(attrs.items()))
        self._attributes = attrs

    def get_attr(self, name: str) -> Any:
        return self._attributes.get(name)


def linkEvent(event: str = "RTM_NEWLINK", name: str = "eth0", index: int = ETH0) -> Message:
    fields = {"event": event, "index": index, "ifi_type": 1, "flags": 0x41}
    return Message(fields, {"IFLA_IFNAME": name, "IFLA_ADDRESS": MAC})


def addressEvent(
    text: str, event: str = "RTM_NEWADDR", index: int = ETH0, length: int = 128
) -> Message:
    return Message({"event": event, "index": index, "prefixlen": length}, {"IFA_ADDRESS": text})


def routeEvent(*gateways: str, event: str = "RTM_NEWROUTE", flags: int = 0) -> Message:
    """
    A route with one gateway, or a multipath one.

    @param flags: of the request that led to it, which the kernel repeats.
    """
    fields = {"event": event, "flags_of_request": flags}
    fields |= {"type": RTN_UNICAST, "table": MAIN_TABLE, "proto": RTPROT_RA, "src_len": 0}
    fields |= {"dst_len": 0, "flags": 0}
    if len(gateways) == 1:
        return Message(fields, {"RTA_GATEWAY": gateways[0]})
    hops = [Message({"oif": ETH0}, {"RTA_GATEWAY": text}) for text in gateways]
    return Message(fields, {"RTA_MULTIPATH": hops} if hops else {})


def routedEvent(
    text: str,
    index: int = ETH1,
    event: str = "RTM_NEWROUTE",
    kind: int = RTN_UNICAST,
    flags: int = 0,
    requestFlags: int = 0,
    protocol: int = RTPROT_BOOT,
) -> Message:
    """
    A route to an interface, without a gateway.

    @param flags: of the route.
    @param requestFlags: of the request that led to it, which the kernel repeats.
    @param protocol: who made it.
    """
    prefix = parsePrefix(text)
    fields = {"event": event, "flags_of_request": requestFlags, "flags": flags, "type": kind}
    fields |= {"table": MAIN_TABLE, "proto": protocol, "src_len": 0, "dst_len": prefix.length}
    return Message(fields, {"RTA_DST": formatAddress(prefix.network), "RTA_OIF": index})


def deletionEvent(ours: Route | Rule, protocol: int = PROTOCOL) -> Message:
    """
    A route or rule with our numbers is deleted.

    @param protocol: another number makes it somebody else's.
    """
    fields = {"table": TABLE, "src_len": 0, "dst_len": ours.destination.length}
    destination = formatAddress(ours.destination.network)
    if isinstance(ours, Route):
        fields |= {"type": KIND_NUMBERS[ours.kind], "proto": protocol, "flags": 0}
        return Message({"event": "RTM_DELROUTE", **fields}, {"RTA_DST": destination})
    attributes = {
        "FRA_DST": destination,
        "FRA_IIFNAME": ours.interface,
        "FRA_PRIORITY": PRIORITY,
        "FRA_PROTOCOL": protocol,
    }
    fields |= {"action": FR_ACT_TO_TBL, "tos": 0, "flags": 0}
    return Message({"event": "RTM_DELRULE", **fields}, attributes)


def neighborEvent(
    text: str, state: int = STALE, index: int = ETH0, event: str = "RTM_NEWNEIGH"
) -> Message:
    fields = {"event": event, "ifindex": index, "state": state}
    return Message(fields, {"NDA_DST": text, "NDA_LLADDR": MAC})


class HostStateTests(SynchronousTestCase):
    """
    L{HostState}, with a kernel in memory.
    """

    def setUp(self) -> None:
        self.kernel = MemoryKernel()
        self.listed: set[int] = set()
        self.state = self.made()

    def made(self, local: bool = False) -> HostState:
        state = HostState(
            self.kernel, "eth0", (SERVED,), (), local, lambda address: address in self.listed
        )
        state.refresh()
        return state

    def owner(self, text: str) -> Owner:
        return self.state.ownership().of(parseAddress(text))

    def test_whatTheKernelHasAtTheStartIsRead(self) -> None:
        """
        The interface, addresses of all interfaces, gateways.
        """
        self.kernel.hostAddresses = {
            InterfaceAddress(ETH0, parseAddress("2001:db8::5")),
            InterfaceAddress(1, parseAddress("2001:db8::6")),
        }
        self.kernel.nextHops = {parseAddress("2001:db8::1"), parseAddress("fe80::1")}
        self.state = self.made()
        self.assertEqual(self.state.link, self.kernel.links[1])
        self.assertEqual(
            [self.owner(f"2001:db8::{number}") for number in (5, 6, 1, 2)],
            [Owner.INTERFACE, Owner.HOST, Owner.GATEWAY, Owner.OURS],
        )
        self.assertNotIn(parseAddress("fe80::1"), self.state.ownership().gateways)

    def test_aRouteForMoreThanWhatIsNamed(self) -> None:
        """
        It leads what is named elsewhere, if no longer one, or as long a one, leads to the link
        itself; a default route says nothing.
        """
        single = parsePrefix("2001:db8::c:0:0:2")
        pair, around = parsePrefix("2001:db8::c:0:0:2/127"), parsePrefix("2001:db8:0:0:c::/80")
        nearer = parsePrefix("2001:db8:0:0:c::/96")
        default = parsePrefix("::/0")
        for routes, owner in (
            ([(ETH1, around)], Owner.FORWARDED),
            ([(ETH1, around), (ETH0, SERVED)], Owner.FORWARDED),
            ([(ETH1, around), (ETH0, around)], Owner.UNROUTED),
            ([(ETH1, around), (ETH0, nearer)], Owner.UNROUTED),
            ([(ETH1, default)], Owner.UNROUTED),
            ([], Owner.UNROUTED),
        ):
            self.kernel.interfaceRoutes = {InterfaceRoute(*route) for route in routes}
            self.kernel.forwardingInterfaces = {-1}
            self.state = HostState(self.kernel, "eth0", (pair,), behind=(single,))
            self.state.refresh()
            self.assertIs(self.owner("2001:db8::c:0:0:2"), owner, routes)
            self.assertIs(self.owner("2001:db8::c:0:0:3"), Owner.OURS)

    def test_anAddressComesAndGoes(self) -> None:
        """
        On the served interface, and on another one.
        """
        for index, owner in ((ETH0, Owner.INTERFACE), (ETH1, Owner.HOST)):
            self.state.messageReceived(addressEvent("2001:db8::5", index=index))
            self.assertIs(self.owner("2001:db8::5"), owner)
            self.state.messageReceived(addressEvent("2001:db8::5", "RTM_DELADDR", index))
            self.assertIs(self.owner("2001:db8::5"), Owner.OURS)

    def test_anAddressOnTwoInterfacesStaysUntilBothHaveLostIt(self) -> None:
        """
        Each interface's is one of its own.
        """
        for index in (ETH0, ETH1):
            self.state.messageReceived(addressEvent("2001:db8::5", index=index))
        self.state.messageReceived(addressEvent("2001:db8::5", "RTM_DELADDR", ETH0))
        self.assertIs(self.owner("2001:db8::5"), Owner.HOST)

    def test_ofAPointToPointAddressTheLocalSideIsOurs(self) -> None:
        """
        IFA_LOCAL is the host's, IFA_ADDRESS then the peer's (rtnetlink(7)).
        """
        message = Message(
            {"event": "RTM_NEWADDR", "index": ETH0, "prefixlen": 128},
            {"IFA_ADDRESS": "2001:db8::9", "IFA_LOCAL": "2001:db8::5"},
        )
        self.state.messageReceived(message)
        self.assertIs(self.owner("2001:db8::5"), Owner.INTERFACE)
        self.assertIs(self.owner("2001:db8::9"), Owner.OURS)

    def test_anIpv4AddressIsNothing(self) -> None:
        """
        Of another family.
        """
        before = self.state.ownership()
        message = addressEvent("192.0.2.1")
        message["family"] = socket.AF_INET
        self.state.messageReceived(message)
        self.assertEqual(self.state.ownership(), before)

    def test_aGatewayInsideThePrefixIsNotOurs(self) -> None:
        """
        Of a plain route, and of each path of a multipath one.
        """
        self.state.messageReceived(routeEvent("2001:db8::1"))
        self.state.messageReceived(routeEvent("2001:db8::2", "2001:db8::3"))
        for number in (1, 2, 3):
            self.assertIs(self.owner(f"2001:db8::{number}"), Owner.GATEWAY)

    def test_aGatewayOutsideChangesNothing(self) -> None:
        """
        It is forgotten at once, and its loss is no reason to read anything.
        """
        before = self.state.ownership()
        self.state.messageReceived(routeEvent("2001:db8:1::1"))
        self.state.messageReceived(routeEvent("2001:db8:1::1", event="RTM_DELROUTE"))
        self.state.messageReceived(routeEvent())
        self.assertEqual(self.state.ownership(), before)
        self.assertFalse(self.state.stale)

    def test_aGatewayStaysOneWhenItsRouteGoes(self) -> None:
        """
        The route goes with every flap of the link: were the address ours then, we would answer for
        the router. Nor does reading everything anew forget it.
        """
        self.state.messageReceived(routeEvent("2001:db8::1"))
        self.state.messageReceived(routeEvent("2001:db8::1", event="RTM_DELROUTE"))
        self.assertFalse(self.state.stale)
        self.assertIs(self.owner("2001:db8::1"), Owner.GATEWAY)
        self.kernel.nextHops = {parseAddress("2001:db8::2")}
        self.state.refresh()
        self.assertIs(self.owner("2001:db8::1"), Owner.GATEWAY)
        self.assertIs(self.owner("2001:db8::2"), Owner.GATEWAY)

    def test_noMoreThanANumberOfGatewaysIsRemembered(self) -> None:
        """
        They are kept for good: whoever invents routers does not fill the kernel's table.
        """
        self.kernel.nextHops = {SERVED.network + number for number in range(1, MOST_GATEWAYS)}
        self.state.refresh()
        for number in range(MOST_GATEWAYS, MOST_GATEWAYS + 10):
            self.state.messageReceived(routeEvent(formatAddress(SERVED.network + number)))
        self.assertEqual(len(self.state.ownership().gateways), MOST_GATEWAYS)

    def test_aMultipathRouteLeadsToEachOfItsInterfaces(self) -> None:
        """
        One of them is not the served one, so the part is not ours; and its loss is noticed.
        """
        hops = [Message({"oif": index}, {}) for index in (ETH0, ETH1)]
        for event in ("RTM_NEWROUTE", "RTM_DELROUTE"):
            message = routedEvent("2001:db8::a:0/112", event=event)
            message._attributes = {"RTA_DST": "2001:db8::a:0", "RTA_MULTIPATH": hops}
            self.state.messageReceived(message)
            self.assertIs(self.owner("2001:db8::a:1"), Owner.ROUTED)
        self.assertTrue(self.state.stale)

    def test_aPartThatIsRoutedToAnotherInterfaceIsNotOurs(self) -> None:
        """
        A container bridge, a tunnel; read at the start, and told by an event. Those of the served
        interface are ours.
        """
        self.kernel.interfaceRoutes = {
            InterfaceRoute(ETH1, parsePrefix("2001:db8::a000/116")),
            InterfaceRoute(ETH0, parsePrefix("2001:db8::b000/116")),
        }
        self.state = self.made()
        self.state.messageReceived(routedEvent("2001:db8::c000/116"))
        self.state.messageReceived(routedEvent("2001:db8::d000/116", ETH0))
        self.assertEqual(
            [self.owner(f"2001:db8::{part}001") for part in "abcd"],
            [Owner.ROUTED, Owner.OURS, Owner.ROUTED, Owner.OURS],
        )
        self.assertEqual(
            [str(prefix) for prefix in self.state.ownership().routed],
            ["2001:db8::a000/116", "2001:db8::c000/116"],
        )

    def test_whatIsRoutedOfNoPartOfThePrefixIsNothing(self) -> None:
        """
        The whole prefix (it is on the link of another interface too), what is around or beside it,
        lo's, and what is no unicast route or only learned by path MTU discovery.
        """
        before = self.state.ownership()
        for event in (
            routedEvent("2001:db8::/64"),
            routedEvent("2001:db8::/48"),
            routedEvent("2001:db8:1::/80"),
            routedEvent("2001:db8::a000/116", LOOPBACK_INDEX),
            routedEvent("2001:db8::a000/116", kind=RTN_BLACKHOLE),
            routedEvent("2001:db8::a001/128", flags=RTM_F_CLONED),
        ):
            self.state.messageReceived(event)
            self.assertEqual(self.state.ownership(), before)

    def test_theLossOfWhatIsRoutedIsKnownUntilEverythingIsRead(self) -> None:
        """
        Another route may lead there too: it stays until the kernel is asked. The loss of any other
        route is nothing.
        """
        self.state.messageReceived(routedEvent("2001:db8::a000/116"))
        for other in ("2001:db8::b000/116", "2001:db8::a000/120", "2001:db8:1::/64"):
            self.state.messageReceived(routedEvent(other, event="RTM_DELROUTE"))
        self.assertFalse(self.state.stale)
        self.state.messageReceived(routedEvent("2001:db8::a000/116", event="RTM_DELROUTE"))
        self.assertTrue(self.state.stale)
        self.assertIs(self.owner("2001:db8::a001"), Owner.ROUTED)
        self.state.refresh()
        self.assertFalse(self.state.stale)
        self.assertIs(self.owner("2001:db8::a001"), Owner.OURS)

    def test_aReplacedRouteIsAReasonToReadWhenSomethingIsRouted(self) -> None:
        """
        The kernel names the new route only (C{ip route replace}): the old one may have led there.
        """
        replaced = routedEvent("2001:db8:1::/64", requestFlags=NLM_F_REPLACE)
        self.state.messageReceived(replaced)
        self.assertFalse(self.state.stale)
        self.state.messageReceived(routedEvent("2001:db8::a000/116"))
        self.assertFalse(self.state.stale)
        self.state.messageReceived(replaced)
        self.assertTrue(self.state.stale)

    def test_noMoreThanANumberOfRoutesIsRemembered(self) -> None:
        """
        A routing daemon may have very many.
        """
        for number in range(MOST_ROUTED + 10):
            text = formatAddress(SERVED.network + (number << 8))
            self.state.messageReceived(routedEvent(f"{text}/120"))
        self.assertEqual(len(self.state.ownership().routed), MOST_ROUTED)

    def test_theDeletionOfWhatIsOursIsKnownUntilEverythingIsRead(self) -> None:
        """
        A route or a rule; what has another protocol is somebody else's.
        """
        for ours in (Route(RouteKind.LOCAL, SERVED), Rule("eth0", SERVED)):
            self.state.messageReceived(deletionEvent(ours, protocol=2))
            self.assertFalse(self.state.stale)
            self.state.messageReceived(deletionEvent(ours))
            self.state.messageReceived(routeEvent("2001:db8:1::1", event="RTM_DELROUTE"))
            self.assertTrue(self.state.stale)
            self.state.refresh()
            self.assertFalse(self.state.stale)

    def test_theInterfaceGoesAndComesBackWithAnotherIndex(self) -> None:
        """
        Its addresses are then those with the new index.
        """
        self.state.messageReceived(addressEvent("2001:db8::5", index=9))
        self.state.messageReceived(linkEvent("RTM_DELLINK"))
        self.assertIsNone(self.state.link)
        self.state.messageReceived(linkEvent(index=9))
        self.assertEqual(
            self.state.link, Link("eth0", 9, 1, bytes.fromhex(MAC.replace(":", "")), True)
        )
        self.assertIs(self.owner("2001:db8::5"), Owner.INTERFACE)

    def test_aRenamedInterfaceIsNoLongerServed(self) -> None:
        """
        The rule names the interface; it is served again when the name is back.
        """
        self.state.messageReceived(linkEvent(name="wan"))
        self.assertIsNone(self.state.link)
        self.state.messageReceived(linkEvent())
        self.assertEqual(self.state.link.index, ETH0)

    def test_anEventThatTellsAPartOnlyKeepsTheLinkLayerAddress(self) -> None:
        """
        Of the same interface; one with another index has none until it is told.
        """
        mac = self.state.link.linkLayerAddress
        for index, expected in ((ETH0, mac), (9, b"")):
            event = linkEvent(index=index)
            del event._attributes["IFLA_ADDRESS"]
            event["flags"] = 0
            self.state.messageReceived(event)
            self.assertEqual(
                self.state.link, Link("eth0", index, 1, expected, False, running=False)
            )

    def test_otherInterfacesComeAndGoUnseen(self) -> None:
        """
        Their names and indexes are others.
        """
        link = self.state.link
        self.state.messageReceived(linkEvent(name="eth1", index=ETH1))
        self.state.messageReceived(linkEvent("RTM_DELLINK", "eth1", ETH1))
        self.assertEqual(self.state.link, link)

    def test_whatABridgeSaysOfItsPortIsNothing(self) -> None:
        """
        A port that leaves its bridge is not gone, and nor is its station a neighbor (AF_BRIDGE).
        """
        link, before = self.state.link, self.state.ownership()
        for event in (
            linkEvent("RTM_DELLINK"),
            linkEvent(name="wan"),
            linkEvent(index=9),
            neighborEvent("2001:db8::7"),
        ):
            event["family"] = socket.AF_BRIDGE
            self.state.messageReceived(event)
            self.assertEqual((self.state.link, self.state.ownership()), (link, before))

    def test_aLinkIsOfNoFamily(self) -> None:
        """
        As the kernel tells of it (rtnetlink(7)).
        """
        event = linkEvent("RTM_DELLINK")
        event["family"] = socket.AF_UNSPEC
        self.state.messageReceived(event)
        self.assertIsNone(self.state.link)

    def test_linkLocalIsTheLowestOfTheServedInterface(self) -> None:
        """
        fe80::/10 (RFC 4291 2.4); the same one each time.
        """
        self.assertIsNone(self.state.linkLocal())
        for text, index in (
            ("fe80::2", ETH0),
            ("fe80::3", ETH0),
            ("fe80::1", ETH1),
            ("2001:db8::5", ETH0),
        ):
            self.state.messageReceived(addressEvent(text, index=index))
        self.assertEqual(formatAddress(self.state.linkLocal()), "fe80::2")
        self.state.messageReceived(linkEvent("RTM_DELLINK"))
        self.assertIsNone(self.state.linkLocal())

    def test_anEventOfAnotherKindIsNothing(self) -> None:
        """
        Also one without a name.
        """
        before = self.state.ownership()
        for event in ("RTM_NEWRULE", None):
            self.state.messageReceived(Message({"event": event}, {}))
        self.assertEqual(self.state.ownership(), before)

    def test_refreshForgetsWhatIsGone(self) -> None:
        """
        After lost events everything is read anew; but gateways stay.
        """
        self.state.messageReceived(addressEvent("2001:db8::5"))
        self.state.messageReceived(routedEvent("2001:db8::6/128"))
        self.state.messageReceived(neighborEvent("2001:db8::7"))
        self.state.messageReceived(routeEvent("2001:db8::1"))
        self.state.refresh()
        self.assertEqual(
            [self.owner(f"2001:db8::{number}") for number in (5, 6, 7, 1)],
            [Owner.OURS, Owner.OURS, Owner.OURS, Owner.GATEWAY],
        )


class NeighborTests(HostStateTests):
    """
    Where this host itself reaches the prefix, the machines inside it that it knows are left out.
    All of the above holds too.
    """

    def made(self, local: bool = True) -> HostState:
        return super().made(local)

    def test_neighborsAreReadAtTheStart(self) -> None:
        """
        Those of the served interface.
        """
        self.kernel.knownNeighbors = {
            InterfaceAddress(ETH0, parseAddress("2001:db8::7")),
            InterfaceAddress(ETH1, parseAddress("2001:db8::8")),
        }
        self.state = self.made()
        self.assertIs(self.owner("2001:db8::7"), Owner.NEIGHBOR)
        self.assertIs(self.owner("2001:db8::8"), Owner.OURS)

    def test_routesThatTheKernelMade(self) -> None:
        """
        One for an address of the host leads elsewhere, for as long as that address is there; one
        that came by a router advertisement, which a stranger can send, never.
        """
        part, inside = "2001:db8::8:0:0:0/80", "2001:db8::8:0:0:7"
        for protocol in (RTPROT_KERNEL, RTPROT_RA):
            self.state.messageReceived(routedEvent(part, protocol=protocol))
            self.assertIs(self.owner(inside), Owner.OURS)
        for length, owner in ((128, Owner.OURS), (80, Owner.ROUTED)):
            self.state.messageReceived(addressEvent("2001:db8::8:0:0:1", index=ETH1, length=length))
            self.assertIs(self.owner(inside), owner)
        self.state.messageReceived(
            addressEvent("2001:db8::8:0:0:1", event="RTM_DELADDR", index=ETH1)
        )
        self.assertIs(self.owner(inside), Owner.OURS)
        self.state.messageReceived(routedEvent(part))
        self.assertIs(self.owner(inside), Owner.ROUTED)

    def test_readingThatFailsLeavesEverythingAsItWas(self) -> None:
        """
        What is routed elsewhere does not become ours because a table could not be read.
        """
        self.state.messageReceived(routedEvent("2001:db8::8:0:0:0/80"))

        def fail() -> None:
            raise RoutingError("the kernel's tables cannot be read")

        self.patch(self.kernel, "routed", fail)
        self.assertRaises(RoutingError, self.state.refresh)
        self.assertIs(self.owner("2001:db8::8:0:0:7"), Owner.ROUTED)

    def test_interfaceThatCameBackIsAnother(self) -> None:
        """
        Also one of the same index: deleted, or renamed.
        """
        for event in (linkEvent("RTM_DELLINK"), linkEvent(name="other")):
            births = self.state.births
            self.state.messageReceived(event)
            self.state.messageReceived(linkEvent())
            self.assertEqual(self.state.births, births + 1)

    def test_whatChangesNothingIsNoNewRevision(self) -> None:
        """
        Strangers on the link make neighbor events, as many as they like: only those that change
        what is known are worth a look.
        """
        self.state.messageReceived(neighborEvent("2001:db8::7"))
        self.assertTrue(self.state.neighborsChanged)
        self.assertIs(self.owner("2001:db8::7"), Owner.NEIGHBOR)
        self.assertFalse(self.state.neighborsChanged)
        revision = self.state.revision
        for event in (
            neighborEvent("2001:db8::7"),
            neighborEvent("2001:db8::8", INCOMPLETE),
            neighborEvent("2001:db9::1"),
            neighborEvent("2001:db8::9", index=ETH1),
        ):
            self.state.messageReceived(event)
            self.assertEqual((self.state.revision, self.state.neighborsChanged), (revision, False))
        self.state.messageReceived(neighborEvent("2001:db8::7", FAILED))
        self.assertEqual((self.state.revision, self.state.neighborsChanged), (revision, True))
        self.state.messageReceived(addressEvent("2001:db8::1"))
        self.assertNotEqual(self.state.revision, revision)

    def test_aNeighborThatAnsweredIsNotOurs(self) -> None:
        """
        One that never answered is nobody; nor is one of another interface.
        """
        self.state.messageReceived(neighborEvent("2001:db8::7"))
        self.state.messageReceived(neighborEvent("2001:db8::8", INCOMPLETE))
        self.state.messageReceived(neighborEvent("2001:db8::9", index=ETH1))
        self.assertEqual(
            [self.owner(f"2001:db8::{number}") for number in (7, 8, 9)],
            [Owner.NEIGHBOR, Owner.OURS, Owner.OURS],
        )

    def test_aNeighborThatIsGoneIsNoneAnyMore(self) -> None:
        """
        It was deleted, or does not answer any more; on this interface, not on another one.
        """
        for gone in (
            neighborEvent("2001:db8::7", event="RTM_DELNEIGH"),
            neighborEvent("2001:db8::7", FAILED),
        ):
            self.state.messageReceived(neighborEvent("2001:db8::7"))
            for event in ("RTM_NEWNEIGH", "RTM_DELNEIGH"):
                self.state.messageReceived(neighborEvent("2001:db8::7", FAILED, ETH1, event))
            self.assertIs(self.owner("2001:db8::7"), Owner.NEIGHBOR)
            self.state.messageReceived(gone)
            self.assertIs(self.owner("2001:db8::7"), Owner.OURS)

    def test_theLossOfAnUnknownNeighborIsNothing(self) -> None:
        """
        Nor is one without an address.
        """
        before = self.state.ownership()
        self.state.messageReceived(neighborEvent("2001:db8::7", event="RTM_DELNEIGH"))
        for event in ("RTM_NEWNEIGH", "RTM_DELNEIGH"):
            fields = {"event": event, "ifindex": ETH0, "state": STALE}
            self.state.messageReceived(Message(fields, {"NDA_LLADDR": MAC}))
        self.assertEqual(self.state.ownership(), before)

    def test_anAddressWithAHostRuleIsNoNeighbors(self) -> None:
        """
        A machine on the link cannot take a site over by answering for its address.
        """
        self.listed.add(parseAddress("2001:db8::7"))
        self.state.messageReceived(neighborEvent("2001:db8::7"))
        self.assertIs(self.owner("2001:db8::7"), Owner.OURS)

    def test_withoutLocalNeighborsDoNotMatter(self) -> None:
        """
        The host finds them as it always did.
        """
        self.kernel.knownNeighbors = {InterfaceAddress(ETH0, parseAddress("2001:db8::7"))}
        self.state = self.made(local=False)
        self.state.messageReceived(neighborEvent("2001:db8::8"))
        self.assertIs(self.owner("2001:db8::7"), Owner.OURS)
        self.assertIs(self.owner("2001:db8::8"), Owner.OURS)

    def test_noMoreThanANumberIsRemembered(self) -> None:
        """
        Whoever invents neighbors does not fill the kernel's table with routes.
        """
        for number in range(1, MOST_NEIGHBORS + 10):
            self.state.messageReceived(neighborEvent(formatAddress(SERVED.network + number)))
        self.assertEqual(len(self.state.ownership().neighbors), MOST_NEIGHBORS)


class LinkTests(SynchronousTestCase):
    """
    What a link message says of the interface.
    """

    def test_whatItIsAPortOf(self) -> None:
        """
        A bridge or a bond says so behind IFLA_LINKINFO; a VLAN's own kind is not that.
        """
        for attrs, portOf in (
            ({"IFLA_INFO_SLAVE_KIND": "bridge"}, "bridge"),
            ({"IFLA_INFO_KIND": "veth", "IFLA_INFO_SLAVE_KIND": "bond"}, "bond"),
            ({"IFLA_INFO_KIND": "vlan"}, ""),
        ):
            event = linkEvent()
            event._attributes["IFLA_LINKINFO"] = Message({}, attrs)
            self.assertEqual(readLink(event).portOf, portOf)
        self.assertEqual(readLink(linkEvent()).portOf, "")

    def test_aNameThatIsNotUtf8(self) -> None:
        """
        It is as Python has it in paths and arguments; pyroute2 leaves it as bytes.
        """
        event = linkEvent()
        event._attributes["IFLA_IFNAME"] = b"\xff1"
        self.assertEqual(readLink(event).name, "\udcff1")

    def test_whetherItCanCarryPackets(self) -> None:
        """
        IFF_RUNNING: up, and so is what is at the other end of the cable.
        """
        for flags, expected in (
            (0x00, (False, False)),
            (0x01, (True, False)),
            (0x41, (True, True)),
        ):
            event = linkEvent()
            event["flags"] = flags
            link = readLink(event)
            self.assertEqual((link.up, link.running), expected)
