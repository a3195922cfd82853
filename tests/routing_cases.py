"""
Plans of every kind for tests, drawn at random: whatever way, holes, parts behind, and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from prefix64.addressing import ADDRESS_BITS, Prefix, parsePrefix
from prefix64.ownership import Ownership
from prefix64.routing.entries import Numbers, Route, RouteKind, Rule, Service, Steering, Way
from prefix64.routing.plan import RoutingPlan, plan, proxies

ONE, TWO = parsePrefix("2001:db8::/64"), parsePrefix("2001:db8:2::/64")
_SERVICES = (Service(6, 80, 80), Service(6), Service(17, 6000, 6100), Service(132))
_NUMBERS = (Numbers(), Numbers(64, 66), Numbers(65, 64), Numbers(65, 70, 7))


@dataclass(frozen=True)
class Instance:
    """
    What an instance is started with.

    @ivar local: whether the host itself reaches the prefixes.
    """

    interface: str
    ownership: Ownership
    local: bool
    steering: Steering
    hosts: tuple[int, ...] = ()

    @property
    def plan(self) -> RoutingPlan:
        """
        What it wants in the kernel.
        """
        made = plan(self.ownership, self.interface, self.local, self.steering)
        addresses = proxies(self.interface, self.hosts)
        return RoutingPlan(made.routes, made.rules, addresses)


@st.composite
def parts(draw: st.DrawFn, prefix: Prefix) -> Prefix:
    """
    A part of a prefix, near its first addresses, so that parts meet.
    """
    length = draw(st.sampled_from((80, 124, 126, 127, ADDRESS_BITS)))
    shift = ADDRESS_BITS - length
    return Prefix((prefix.network + draw(st.integers(0, 15))) >> shift << shift, length)


@st.composite
def ownerships(draw: st.DrawFn, prefix: Prefix) -> Ownership:
    """
    A prefix, or a part of it, with holes, gateways, and parts behind, perhaps the whole of it.
    """
    served = draw(st.sampled_from((prefix, prefix, Prefix(prefix.network, 112))))
    some = st.lists(parts(prefix), max_size=3).map(tuple)
    single = st.frozensets(st.integers(served.network, served.network + 15), max_size=2)
    behind = draw(st.one_of(some, st.just((served,))))
    routed = draw(st.one_of(some, st.just(behind)))
    return Ownership(
        (served,),
        excluded=tuple(part for part in draw(some) if served.covers(part)),
        gateways=draw(single),
        neighbors=draw(single),
        routed=tuple(part for part in routed if served.covers(part)),
        behind=tuple(part for part in behind if served.covers(part)),
    )


@st.composite
def instances(
    draw: st.DrawFn, interface: str = "eth0", prefix: Prefix = ONE, numbers: Numbers | None = None
) -> Instance:
    """
    An instance on an interface, with a part of a prefix.

    @param numbers: its own; any, if left out.
    """
    way = draw(st.sampled_from(Way))
    services = draw(st.lists(st.sampled_from(_SERVICES), min_size=1, max_size=3, unique=True))
    ownership = draw(ownerships(prefix))
    hosts = draw(st.lists(st.integers(0x100, 0x103), max_size=3, unique=True))
    return Instance(
        interface,
        ownership,
        interface == "lo" or (way in (Way.INPUT, Way.PORTS) and draw(st.booleans())),
        Steering(
            way,
            tuple(services) if way is Way.PORTS else (),
            numbers or draw(st.sampled_from(_NUMBERS)),
        ),
        tuple(prefix.network + host for host in hosts) if interface != "lo" else (),
    )


def covering(routes: set[Route], address: int) -> RouteKind | None:
    """
    What the most specific route does with an address.
    """
    found = [route for route in routes if address in route.destination]
    return max(found, key=lambda route: route.destination.length).kind if found else None


def leadsTo(rules: set[Rule], route: Route) -> bool:
    """
    Tell whether a rule leads to a route.
    """
    return any(
        rule.table == route.table and rule.destination.overlaps(route.destination) for rule in rules
    )
