"""
What lives behind this host, and every way of routing: whose an address is, and what the kernel then
does with a packet for it.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress, parsePrefix
from prefix64.ownership import Owner, Ownership
from prefix64.routing.entries import (
    LOOPBACK,
    MAIN_TABLE,
    GuardKind,
    Numbers,
    RouteKind,
    Service,
    Steering,
    Way,
)
from prefix64.routing.plan import RoutingPlan, guardTable, plan, proxySysctls
from tests.routing_cases import ONE, TWO, Instance, covering, instances

examples = settings(max_examples=400, deadline=None, derandomize=True)

PART = parsePrefix("2001:db8:0:0:c::/80")
INSIDE = parseAddress("2001:db8::c:0:0:5")
TCP, ICMPV6 = 6, 58


def way(wanted: RoutingPlan, interface: str, address: int, packet: tuple[int, int, int]) -> str:
    """
    What the kernel does with a packet, rule by rule (C{fib_rules_lookup}), behind its own table of
    local addresses.

    @param packet: the protocol, the port, and the firewall mark.
    @return: C{local}, C{unreachable}, C{dropped}, or C{main}.
    """
    protocol, port, mark = packet
    for rule in sorted(wanted.rules, key=lambda one: one.priority):
        comes = rule.interface in ("", interface) and address in rule.destination
        fits = rule.service is None or rule.service.has(protocol, port)
        if not comes or not fits or rule.mark not in (0, mark):
            continue
        if rule.drops:
            return "dropped"
        if rule.table == MAIN_TABLE:
            return "main"
        kind = covering(set(wanted.routes), address)
        if kind in (RouteKind.LOCAL, RouteKind.UNREACHABLE):
            return kind.value
    return "main"


class WayTests(SynchronousTestCase):
    """
    L{plan}, as the kernel follows it.
    """

    @examples
    @given(instances(), st.integers(0, 20), st.sampled_from((80, 81, 6050)))
    def test_aPacketGoesWhereItsOwnerIs(self, instance: Instance, host: int, port: int) -> None:
        """
        Ours is local; what is behind, excluded, a gateway's or a neighbor's is the main table's;
        what has no route is unreachable. With ports what is not named is dropped.
        """
        ownership, steering = instance.ownership, instance.steering
        address = ownership.prefixes[0].network + host
        owner, mark = ownership.of(address), steering.numbers.mark
        if any(one.overlaps(two) for one in ownership.excluded for two in ownership.behind):
            return  # a contradiction, which the options refuse
        for protocol in (TCP, 17, 132, ICMPV6):
            went = way(instance.plan, "eth0", address, (protocol, port, mark))
            taken = steering.way is not Way.PORTS or protocol == ICMPV6
            taken = taken or any(one.has(protocol, port) for one in steering.services)
            if steering.way is Way.NONE:
                self.assertEqual(went, "main")
            elif owner is Owner.OURS:
                self.assertEqual(went, "local" if taken else "dropped")
            elif owner is Owner.UNROUTED:
                self.assertEqual(went, "unreachable" if taken else "dropped")
            elif owner is Owner.ANYCAST:
                self.assertNotEqual(went, "local")
            else:
                self.assertEqual(went, "main", owner)

    @examples
    @given(instances(), st.integers(0, 20))
    def test_whatTheHostItselfSends(self, instance: Instance, host: int) -> None:
        """
        It is local where that was asked for, and else the main table's; it is never dropped.
        """
        ownership = instance.ownership
        address = ownership.prefixes[0].network + host
        went = way(instance.plan, LOOPBACK, address, (ICMPV6, 0, 0))
        self.assertNotEqual(went, "dropped")
        if ownership.of(address) is Owner.OURS:
            self.assertEqual(went, "local" if instance.local else "main")

    @examples
    @given(instances(), instances("eth0", TWO))
    def test_othersAreNotTouched(self, instance: Instance, other: Instance) -> None:
        """
        What comes in elsewhere, for another prefix, or without the mark.
        """
        address = instance.ownership.prefixes[0].network + 0xCAFE
        for interface, target, mark in (
            ("eth1", address, 0),
            ("eth0", TWO.network + 0xCAFE, 0),
            ("eth1", address, instance.steering.numbers.mark + 1),
        ):
            self.assertEqual(way(instance.plan, interface, target, (TCP, 80, mark)), "main")


class PlanTests(SynchronousTestCase):
    """
    The rules of each way, in the words of ip.
    """

    def rules(self, ownership: Ownership, steering: Steering, local: bool = False) -> list[str]:
        return [
            f"{rule.priority}: {rule}" for rule in plan(ownership, "eth0", local, steering).rules
        ]

    def test_ports(self) -> None:
        """
        For each prefix the services and ICMPv6; the holes by the main table; and at the end, one
        priority further, what would loop.
        """
        steering = Steering(Way.PORTS, (Service(6, 80, 80), Service(17, 1, 9)), Numbers(7, 100))
        ownership = Ownership((ONE, TWO), (PART,), gateways=frozenset({INSIDE, TWO.network + 1}))
        one, two = f"to {ONE}", f"to {TWO}"
        self.assertEqual(
            self.rules(ownership, steering, local=True),
            [
                *(
                    f"100: iif {interface} {to} {conditions} lookup 7"
                    for interface in ("eth0", "lo")
                    for to in (one, two)
                    for conditions in (
                        "ipproto tcp dport 80",
                        "ipproto udp dport 1-9",
                        "ipproto ipv6-icmp",
                    )
                ),
                f"100: iif eth0 to {PART} lookup main",
                "100: iif eth0 to 2001:db8:2::1 lookup main",
                f"101: iif eth0 {one} blackhole",
                f"101: iif eth0 {two} blackhole",
            ],
        )

    def test_marks(self) -> None:
        """
        One rule, whatever the prefixes are.
        """
        steering = Steering(Way.FWMARK, (), Numbers(64, 64, 9))
        self.assertEqual(self.rules(Ownership((ONE, TWO)), steering), ["64: fwmark 9 lookup 64"])
        self.assertEqual(len(plan(Ownership((ONE, TWO)), "eth0", False, steering).routes), 6)

    def test_none(self) -> None:
        """
        Nothing at all; but it is known what is served, for what an earlier run left of it.
        """
        found = plan(Ownership((ONE,)), "eth0", False, Steering(Way.NONE))
        self.assertEqual(found, RoutingPlan((), (), prefixes=(ONE,)))

    def test_theWholePrefixBehind(self) -> None:
        """
        There is no local route; without a route to it everything is unreachable.
        """
        for routed, kind in (((ONE,), RouteKind.THROW), ((), RouteKind.UNREACHABLE)):
            ownership = Ownership((ONE,), behind=(ONE,), routed=routed)
            kinds = {r.destination: r.kind for r in plan(ownership, "eth0", False).routes}
            self.assertEqual(kinds[ONE], kind)
            self.assertNotIn(RouteKind.LOCAL, kinds.values())

    def test_switches(self) -> None:
        """
        In the order in which they are to be set; on a router there is nothing to do but to answer.
        """

        def wanted(acceptRa: str, forwarding: str, proxyNdp: str) -> list[str]:
            found = {"accept_ra": acceptRa, "forwarding": forwarding, "proxy_ndp": proxyNdp}
            return [f"{one.name}={one.value}" for one in proxySysctls("eth0", found)]

        self.assertEqual(wanted("1", "0", "0"), ["accept_ra=2", "forwarding=1", "proxy_ndp=1"])
        self.assertEqual(wanted("0", "0", "0"), ["forwarding=1", "proxy_ndp=1"])
        self.assertEqual(wanted("2", "0", "1"), ["forwarding=1"])
        self.assertEqual(wanted("1", "1", "0"), ["proxy_ndp=1"])
        self.assertEqual(wanted("1", "1", "1"), [])
        self.assertEqual(proxySysctls("eth0", {}), ())

    def test_theGuardSparesWhatIsBehind(self) -> None:
        """
        Its ping is forwarded, or answered as unreachable.
        """
        for routed in ((), (PART,)):
            ownership = Ownership((ONE,), behind=(PART,), routed=routed)
            table = guardTable(ownership, "eth0", GuardKind.PROTOCOL)
            assert table is not None
            self.assertIn(PART, table.others)
        self.assertIsNone(guardTable(Ownership((ONE,)), "eth0", None))


class OwnershipTests(SynchronousTestCase):
    """
    What lives behind this host.
    """

    def test_aRoutedPart(self) -> None:
        """
        Behind, if it was named or everything is; and only while the host forwards.
        """
        for more, owner in (
            ({"behind": (PART,)}, Owner.FORWARDED),
            ({"followsRoutes": True}, Owner.FORWARDED),
            ({}, Owner.ROUTED),
            ({"behind": (PART,), "forwards": False}, Owner.ROUTED),
            ({"behind": (parsePrefix("2001:db8:0:0:d::/80"),)}, Owner.ROUTED),
        ):
            ownership = Ownership((ONE,), routed=(PART,), **more)  # type: ignore[arg-type]
            self.assertIs(ownership.of(INSIDE), owner, more)

    def test_aPartWithoutItsRoute(self) -> None:
        """
        It is nobody's: neither this host's nor answered for. A route to a part of it makes that
        part reached.
        """
        ownership = Ownership((ONE,), behind=(PART,))
        self.assertIs(ownership.of(INSIDE), Owner.UNROUTED)
        self.assertEqual(list(ownership.unreachable()), [PART])
        smaller = parsePrefix("2001:db8::c:0:0:0/112")
        ownership = Ownership((ONE,), behind=(PART,), routed=(smaller,))
        self.assertIs(ownership.of(INSIDE), Owner.FORWARDED)
        self.assertIs(ownership.of(PART.last), Owner.UNROUTED)
        self.assertEqual(list(ownership.unreachable()), [PART])
        larger = parsePrefix("2001:db8:0:0:8::/77")
        ownership = Ownership((ONE,), behind=(PART,), routed=(larger,))
        self.assertIs(ownership.of(INSIDE), Owner.FORWARDED)
        self.assertIs(ownership.of(larger.network), Owner.ROUTED)
        self.assertEqual(ownership.unreachable(), {})

    def test_gatewaysAndNeighborsBehind(self) -> None:
        """
        A container that is a next hop, or known as a neighbor on its own link, is reached through
        this host like all that is there; the host's own address there is the host's.
        """
        for name in ("gateways", "neighbors"):
            there = {name: frozenset({INSIDE})}
            behind = Ownership((ONE,), behind=(PART,), routed=(PART,), **there)  # type: ignore[arg-type]
            self.assertIs(behind.of(INSIDE), Owner.FORWARDED, name)
            unrouted = Ownership((ONE,), behind=(PART,), **there)  # type: ignore[arg-type]
            self.assertIsNot(unrouted.of(INSIDE), Owner.FORWARDED, name)
            self.assertIn(parsePrefix("2001:db8::c:0:0:5"), unrouted.elsewhere())
        own = Ownership((ONE,), behind=(PART,), routed=(PART,), hostAddresses=frozenset({INSIDE}))
        self.assertIs(own.of(INSIDE), Owner.HOST)

    def test_together(self) -> None:
        """
        Several interfaces: each address is whose it is on its own, also where nothing is forwarded.
        """
        for forwards in (True, False):
            one = Ownership((ONE,), routed=(PART,), followsRoutes=True, forwards=forwards)
            two = Ownership(
                (TWO,), (parsePrefix("2001:db8:2::/112"),), gateways=frozenset({TWO.last})
            )
            both = Ownership.together([one, two])
            for address in (INSIDE, ONE.network + 9, TWO.network + 9, TWO.last, TWO.last - 1):
                alone = (one if address in ONE else two).of(address)
                self.assertIs(both.of(address), alone)
            self.assertIs(both.of(INSIDE), Owner.FORWARDED if forwards else Owner.ROUTED)
