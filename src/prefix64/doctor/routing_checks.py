"""
Routes: those of our table, and others' that are in the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prefix64.addressing import Prefix, formatAddress
from prefix64.doctor.facts import HostFacts
from prefix64.doctor.findings import Finding, ok, problem, warning
from prefix64.doctor.rule_checks import MOST_NAMED, named
from prefix64.routing.entries import (
    LOOPBACK,
    MAIN_TABLE,
    PROTOCOL,
    TABLE,
    Route,
    RouteKind,
    Way,
)
from prefix64.routing.facts import LOCAL_TABLE, RTN_LOCAL, RTN_UNICAST, RouteFact


def checkRoutes(facts: HostFacts) -> Iterator[Finding]:
    """
    What our table has is what the host needs now; and no other table is in the way.
    """
    yield from _ourRoutes(facts)
    yield from _otherTables(facts)
    yield from _conflicts(facts)
    yield from _gateway(facts)
    if facts.interface != LOOPBACK and facts.hasIpv6 and not any(map(isDefault, facts.routes)):
        yield problem(
            "routes",
            "the host has no IPv6 default route: no answer leaves the link",
            f"ip -6 route add default via ROUTER dev {facts.quoted}",
        )


def _ourRoutes(facts: HostFacts) -> Iterator[Finding]:
    """
    Compare our table with the plan.
    """
    check, table = "routes", facts.settings.steering.numbers.table
    there = {route for route in facts.ourRoutes if route.table == table}
    nobody = facts.instance is None or facts.settings.steering.way is Way.NONE
    if nobody and there and not facts.elsewhere:
        yield warning(
            check,
            f"table {table} has {len(there)} routes of a prefix64 that crashed",
            "a start with the same options takes them over; or remove them: "
            f"{facts.cleanup}{_table(table)}",
        )
    elif nobody:
        why = "no prefix64 runs" if facts.instance is None else "--routing none has none"
        yield ok(check, f"none of {facts.interface} in table {table}, for {why}")
    else:
        yield from _compared(facts, there)


def _compared(facts: HostFacts, there: set[Route]) -> Iterator[Finding]:
    """
    Compare our table with what is wanted of the prefixes that are served.
    """
    check, served = "routes", _servedPrefixes(facts)
    wanted = [route for route in facts.plan.routes
              if any(prefix.covers(route.destination) for prefix in served)]  # fmt: skip
    missing = [route for route in wanted if route not in there]
    asked = [route for route in missing if route.reason == "excluded"]
    lost = [route for route in missing if route not in asked]
    if lost:
        yield problem(
            check, f"missing: {_inShort(lost)}",
            "prefix64 puts back what somebody deletes within a second, but only once: look at "
            "its log",
        )  # fmt: skip
    if asked:
        yield warning(
            check, f"the prefix64 that runs does not exclude {_inShort(asked)}",
            "give it the same --exclude, or leave it out here",
        )  # fmt: skip
    if wanted and not missing:
        more = sorted(there.difference(facts.plan.routes), key=str)
        also = f"; also, by its own options or from before: {_inShort(more)}" if more else ""
        kinds = Counter(route.kind for route in wanted)
        texts = [f"{kinds[kind]} {kind.value}" for kind in RouteKind
                 if kinds[kind] or kind is not RouteKind.UNREACHABLE]  # fmt: skip
        table = facts.settings.steering.numbers.table
        text = f"{', '.join(texts[:-1])} and {texts[-1]}"
        yield ok(check, f"table {table} has {text}, all needed{also}")


def _servedPrefixes(facts: HostFacts) -> list[Prefix]:
    """
    The prefixes that our rules lead to our table; all of them where a firewall mark does.
    """
    if facts.settings.steering.way is Way.FWMARK:
        return list(facts.prefixes)
    rules = [rule.ours for rule in facts.rules if rule.ours is not None]
    return [rule.destination for rule in rules if rule.interface == facts.interface]


def _otherTables(facts: HostFacts) -> Iterator[Finding]:
    """
    Routes of ours for the prefixes in tables to which no rule of one that runs leads.
    """
    led = {rule.table for rule, _ in facts.elsewhere} | {facts.settings.steering.numbers.table}
    tables = Counter(route.table for route in facts.ourRoutes if route.table not in led)
    for table, number in sorted(tables.items())[:MOST_NAMED]:
        yield warning(
            "routes",
            f"table {table} has {number} routes of a prefix64 that crashed",
            f"remove them: {facts.cleanup} --table {table}",
        )


def _table(table: int) -> str:
    """
    The option of C{prefix64 cleanup} for a table.
    """
    return "" if table == TABLE else f" --table {table}"


def _inShort(routes: list[Route]) -> str:
    """
    Name some routes without what they have in common.
    """
    return named([f"{route.kind.value} {route.destination}" for route in routes])


def isDefault(route: RouteFact) -> bool:
    """
    Tell whether it is a default route that leads somewhere.
    """
    return route.kind == RTN_UNICAST and route.destination.length == 0 and bool(route.interfaces)


def _conflicts(facts: HostFacts) -> Iterator[Finding]:
    """
    Routes of others for the prefix, or parts of it.
    """
    steering = facts.settings.steering
    others = [route for route in facts.routes
              if route.table != steering.numbers.table and facts.overlaps(route.destination)
              and route.destination.length < 128]  # fmt: skip
    if steering.way is not Way.NONE:
        local = [r for r in others if r.kind == RTN_LOCAL and r.protocol != PROTOCOL]
        yield from _madeByHand([route for route in local if route.destination.length])
    for route in [r for r in others if _leadsAway(facts, r)][:MOST_NAMED]:
        whole = route.destination in facts.prefixes
        yield warning(
            "routes",
            f"{route}: {'what comes in is ours all the same' if whole else 'left to that one'}",
            "give that interface a prefix of its own, if it is to be reached from outside"
            if whole
            else f"nothing to do if that is wanted; --forward {route.destination} answers for it",
        )


def _madeByHand(routes: list[RouteFact]) -> Iterator[Finding]:
    """
    Local routes of others: of what most guides say.
    """
    for route in routes[:MOST_NAMED]:
        table = "" if route.table == LOCAL_TABLE else f" table {route.table}"
        yield warning(
            "routes",
            f"{route} makes every neighbor inside the prefix local too, also a router: "
            "prefix64 does not need it",
            f"ip -6 route del local {route.destination} dev lo{table}",
        )


def _leadsAway(facts: HostFacts, route: RouteFact) -> bool:
    """
    Tell whether a route takes a part of a prefix to another interface, and nobody said that it
    lives there.
    """
    inside = any(prefix.covers(route.destination) for prefix in facts.prefixes)
    away = bool(route.interfaces) and facts.interface not in route.interfaces
    unicast = route.kind == RTN_UNICAST and route.table == MAIN_TABLE
    settings = facts.settings
    wanted = any(block.overlaps(route.destination) for block in settings.behind)
    return inside and away and unicast and not (wanted or settings.followsRoutes)


def _gateway(facts: HostFacts) -> Iterator[Finding]:
    """
    A default gateway inside the prefix is left alone, and that is said.
    """
    gateways = sorted({g for r in facts.routes if isDefault(r) for g in r.gateways})
    for gateway in filter(facts.isInside, gateways[:MOST_NAMED]):
        yield ok("routes", f"the gateway {formatAddress(gateway)} is inside the prefix: left alone")
