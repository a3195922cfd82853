"""
Rules, routes and sysctls: facts judged.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from prefix64.addressing import formatAddress
from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, warning
from prefix64.routing.entries import (
    LOOPBACK,
    MAIN_TABLE,
    PRIORITY,
    PROTOCOL,
    TABLE,
    Route,
    RouteKind,
    Rule,
)
from prefix64.routing.facts import (
    FR_ACT_TO_TBL,
    LOCAL_TABLE,
    RTN_LOCAL,
    RTN_THROW,
    RTN_UNICAST,
    RouteFact,
    RuleFact,
)

MOST_NAMED = 3
"""The most of a kind that a finding names."""

_ENDING_ACTIONS = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
_DISABLED = "net/ipv6/conf/all/disable_ipv6"
_NEIGHBORS_NEAR = 0.9


def checkRules(facts: HostFacts) -> Iterator[Finding]:
    """
    The rule of each prefix is there once while prefix64 runs, and nobody's comes before it.
    """
    found = [rule.ours for rule in facts.rules if rule.ours is not None]
    for prefix in facts.prefixes:
        rule = Rule(facts.interface, prefix)
        yield _ourRule(facts, rule, found.count(rule))
    yield from _leftElsewhere(facts)
    for early in earlierRules(facts):
        certain = "takes" if not early.conditional else "may take"
        yield warning(
            "rules",
            f"a rule that is not ours {certain} packets for the prefix first: {early}",
            f"give it a priority above {PRIORITY}: ip -6 rule show priority {early.priority}",
        )


def _ourRule(facts: HostFacts, rule: Rule, times: int) -> Finding:
    """
    Judge how often a rule of ours is there.
    """
    check = "rules"
    if facts.instance is None:
        if not times:
            return ok(check, f"none for {rule.destination}, for no prefix64 runs")
        return warning(
            check,
            f"{rule} was left by a prefix64 that crashed; the next start takes it over",
            f"or by hand: {_deletion(rule)}; ip -6 route flush table {TABLE} proto {PROTOCOL}",
        )
    if times == 1:
        return ok(check, f"{rule}")
    if times:
        return warning(check, f"{rule} is there {times} times", "ip -6 rule show")
    others = [str(r.ours.destination) for r in facts.rules
              if r.ours is not None and r.ours.interface == facts.interface]  # fmt: skip
    serves = f": it serves {', '.join(others[:MOST_NAMED])}" if others else ""
    return problem(
        check,
        f"{rule} is missing, though prefix64 runs{serves}",
        f"start it with --prefix {rule.destination}"
        if others
        else "it puts back what somebody deletes within a second: look at its log",
    )


def _leftElsewhere(facts: HostFacts) -> Iterator[Finding]:
    """
    Rules of ours on other interfaces, where no prefix64 runs.
    """
    served = {rule for rule, _ in facts.elsewhere}
    for rule in dict.fromkeys(r.ours for r in facts.rules if r.ours is not None):
        other = rule.interface not in (facts.interface, LOOPBACK)
        if other and rule not in served and facts.overlaps(rule.destination):
            yield warning(
                "rules",
                f"{rule} was left on another interface by a prefix64 that crashed; "
                "the next start takes it over",
                f"or by hand: {_deletion(rule)}",
            )


def _deletion(rule: Rule) -> str:
    """
    The command that deletes a rule of ours.
    """
    return (
        f"ip -6 rule del to {rule.destination} iif {shlex.quote(rule.interface)} "
        f"lookup {TABLE} priority {PRIORITY} protocol {PROTOCOL}"
    )


def earlierRules(facts: HostFacts) -> list[RuleFact]:
    """
    The rules of others that take packets for the prefixes, coming in on the interface, before ours
    can: those in front of ours, or of a priority at which they would be.
    """
    early: list[RuleFact] = []
    for rule in facts.rules:
        if rule.priority > PRIORITY or (rule.ours and rule.ours.interface == facts.interface):
            break
        kernels = rule.table == LOCAL_TABLE and rule.priority == 0
        here = rule.interface in ("", facts.interface) and facts.overlaps(rule.destination)
        if rule.ours is None and here and not kernels and _takes(facts, rule):
            early.append(rule)
    return early


def _takes(facts: HostFacts, rule: RuleFact) -> bool:
    """
    Tell whether a rule comes to an end with packets for the prefixes: by its action, or because its
    table has a route for them.
    """
    if rule.action in _ENDING_ACTIONS:
        return True
    return rule.action == FR_ACT_TO_TBL and any(
        route.table == rule.table
        and route.kind != RTN_THROW
        and route.destination.length > rule.suppressed
        and facts.overlaps(route.destination)
        for route in facts.routes
    )


def checkRoutes(facts: HostFacts) -> Iterator[Finding]:
    """
    What table 64 has is what the host needs now; and no other table is in the way.
    """
    yield from _ourRoutes(facts)
    yield from _conflicts(facts)
    if facts.interface != LOOPBACK and facts.hasIpv6 and not any(map(_isDefault, facts.routes)):
        yield problem(
            "routes",
            "the host has no IPv6 default route: no answer leaves the link",
            f"ip -6 route add default via ROUTER dev {facts.quoted}",
        )


def _ourRoutes(facts: HostFacts) -> Iterator[Finding]:
    """
    Compare table 64 with the plan.
    """
    check, there = "routes", facts.ourRoutes
    if facts.instance is None:
        if there and not facts.elsewhere:
            yield warning(
                check,
                f"table {TABLE} has {len(there)} routes of a prefix64 that crashed",
                f"the next start takes them over; or: ip -6 route flush table {TABLE} "
                f"proto {PROTOCOL}",
            )
        else:
            yield ok(check, f"none of {facts.interface} in table {TABLE}, for no prefix64 runs")
        return
    served = [r.ours.destination for r in facts.rules
              if r.ours is not None and r.ours.interface == facts.interface]  # fmt: skip
    wanted = [route for route in facts.plan.routes
              if any(prefix.covers(route.destination) for prefix in served)]  # fmt: skip
    missing = [route for route in wanted if route not in there]
    asked = [route for route in missing if route.reason == "excluded"]
    lost = [route for route in missing if route not in asked]
    if lost:
        yield problem(check, f"missing: {named(lost)}",
                      "prefix64 puts them back within a second: look at its log")  # fmt: skip
    if asked:
        yield warning(
            check, f"the prefix64 that runs does not exclude {named(asked)}",
            "give it the same --exclude, or leave it out here",
        )  # fmt: skip
    if wanted and not missing:
        more = sorted(there.difference(facts.plan.routes), key=str)
        also = f"; also, by its own options or from before: {named(more)}" if more else ""
        holes = sum(route.kind is RouteKind.THROW for route in wanted)
        locals_ = len(wanted) - holes
        yield ok(check, f"table {TABLE} has {locals_} local and {holes} throw, all needed{also}")


def named(routes: list[Route]) -> str:
    """
    Name some routes: the first few, and how many more.
    """
    texts = [f"{r.kind.value} {r.destination}" for r in routes[:MOST_NAMED]]
    rest = len(routes) - MOST_NAMED
    return ", ".join(texts) + (f" and {rest} more" if rest > 0 else "")


def _isDefault(route: RouteFact) -> bool:
    """
    Tell whether it is a default route that leads somewhere.
    """
    return route.kind == RTN_UNICAST and route.destination.length == 0 and bool(route.interfaces)


def _conflicts(facts: HostFacts) -> Iterator[Finding]:
    """
    Routes of others for the prefix, or parts of it.
    """
    others = [route for route in facts.routes
              if route.table != TABLE and facts.overlaps(route.destination)
              and route.destination.length < 128]  # fmt: skip
    for route in [r for r in others if r.kind == RTN_LOCAL and r.destination.length][:MOST_NAMED]:
        table = "" if route.table == LOCAL_TABLE else f" table {route.table}"
        yield warning(
            "routes",
            f"{route} makes every neighbor inside the prefix local too, also a router: "
            "prefix64 does not need it",
            f"ip -6 route del local {route.destination} dev lo{table}",
        )
    elsewhere = [
        route
        for route in others
        if route.kind == RTN_UNICAST and route.table == MAIN_TABLE
        and any(prefix.covers(route.destination) for prefix in facts.prefixes)
        and facts.interface not in route.interfaces and route.interfaces
    ]  # fmt: skip
    for route in elsewhere[:MOST_NAMED]:
        whole = route.destination in facts.prefixes
        yield warning(
            "routes",
            f"{route}: {'what comes in is ours all the same' if whole else 'left to that one'}",
            "give that interface a prefix of its own, if it is to be reached from outside"
            if whole
            else "nothing to do if that is wanted",
        )
    yield from _gateway(facts)


def _gateway(facts: HostFacts) -> Iterator[Finding]:
    """
    A default gateway inside the prefix is left alone, and that is said.
    """
    gateways = sorted({g for r in facts.routes if _isDefault(r) for g in r.gateways})
    for gateway in filter(facts.isInside, gateways[:MOST_NAMED]):
        yield ok("routes", f"the gateway {formatAddress(gateway)} is inside the prefix: left alone")


def checkSwitches(facts: HostFacts) -> Iterator[Finding]:
    """
    The sysctls that keep the host from answering or from its default route.
    """
    check, switches = "sysctls", facts.switches
    fine = True
    if switches.disabledEverywhere:
        fine = False
        yield warning(check, "IPv6 is off for all interfaces that come", f"sysctl -w {_DISABLED}=0")
    refused = switches.forwarding and switches.acceptRouterAdvertisements == 1
    if refused and not any(_isDefault(route) for route in facts.routes):
        fine = False
        yield warning(
            check,
            "forwarding is on, so router advertisements are not accepted, and there is no "
            "default route",
            f"sysctl -w net/ipv6/conf/{facts.quoted}/accept_ra=2",
        )
    most = switches.mostNeighbors
    if most is not None and switches.neighbors >= most * _NEIGHBORS_NEAR:
        fine = False
        yield warning(
            check,
            f"the neighbor table has {switches.neighbors} of at most {most} entries",
            f"sysctl -w net/ipv6/neigh/default/gc_thresh3={most * 4}",
        )
    if fine:
        word = "on" if switches.forwarding else "off"
        on = "IPv6 is on; " if facts.hasIpv6 else ""
        yield ok(check, f"{on}forwarding is {word}, which does not matter")
