"""
What would go wrong, found before anything is changed. Pure: facts go in, an error comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prefix64.addressing import Prefix, formatAddress
from prefix64.errors import OptionError, Prefix64Error, RoutingError
from prefix64.option_text import OptionText
from prefix64.ownership import Owner, Ownership
from prefix64.routing.entries import (
    LOOPBACK,
    MAIN_TABLE,
    PROTOCOL,
    SERVICE_PROTOCOLS,
    TABLE,
    Numbers,
    Steering,
    Way,
)
from prefix64.routing.facts import RTN_UNICAST, RouteFact, RuleFact
from prefix64.routing.leftovers import isOfInstance

LOOPBACK_SWITCH = "net/ipv6/conf/lo/disable_ipv6"

_FIRST_UNPRIVILEGED = 1024


@dataclass(frozen=True)
class HostFacts:
    """
    What there is, before anything is changed.

    @ivar rules: everybody's; the kernel has some of its own, if it has rules at all.
    @ivar routes: everybody's.
    @ivar sshPeers: those who are connected to this host by ssh.
    @ivar running: the interfaces that other instances serve which run.
    @ivar marked: the tables to which firewall marks lead of other instances which run.
    @ivar forwards: whether the host forwards what comes in on the interface.
    @ivar loopbackIsOff: whether IPv6 is off on lo, which every route of ours leads to.
    @ivar siblings: the numbers of the other interfaces of this process.
    """

    rules: tuple[RuleFact, ...] = ()
    routes: tuple[RouteFact, ...] = ()
    sshPeers: frozenset[int] = frozenset()
    running: frozenset[str] = frozenset()
    marked: frozenset[int] = frozenset()
    forwards: bool = True
    loopbackIsOff: bool = False
    siblings: tuple[Numbers, ...] = ()


@dataclass(frozen=True)
class Intent:
    """
    What is to be done.

    @ivar local: whether this host itself reaches the prefixes.
    @ivar behind: the words of C{--forward}, or the empty string.
    """

    ownership: Ownership
    interface: str
    local: bool
    steering: Steering = field(default_factory=Steering)
    behind: str = ""


def objection(intent: Intent, facts: HostFacts) -> Prefix64Error | None:
    """
    Find the first reason not to begin.
    """
    return next(objections(intent, facts), None)


def objections(intent: Intent, facts: HostFacts) -> Iterator[Prefix64Error]:
    """
    Every reason not to begin.
    """
    if intent.behind and not facts.forwards:
        yield OptionError(
            OptionText(
                "{forward:{0}}: this host does not forward, so nothing would arrive: "
                "sysctl -w net.ipv6.conf.all.forwarding=1 (where router advertisements give the "
                "default route, net.ipv6.conf.{1}.accept_ra=2 before that)",
                intent.behind,
                intent.interface,
            )
        )
    if intent.steering.way is not Way.NONE:
        if not facts.rules:
            yield RoutingError(
                OptionText(
                    "this kernel has no policy rules for IPv6 (CONFIG_IPV6_MULTIPLE_TABLES): "
                    "run one that has them, or do the routing yourself ({routing:none})"
                )
            )
        if facts.loopbackIsOff:
            yield RoutingError(
                "IPv6 is off on lo, so that no route can make a prefix this host's own: "
                f"sysctl -w {LOOPBACK_SWITCH}=0"
            )
        yield from _usedByOthers(intent, facts)
        yield from _cutOff(intent, facts)


def _usedByOthers(intent: Intent, facts: HostFacts) -> Iterator[Prefix64Error]:
    """
    The table or a priority is somebody else's.
    """
    steering, numbers = intent.steering, intent.steering.numbers
    for route in facts.routes:
        if route.table == numbers.table and route.protocol != PROTOCOL:
            yield RoutingError(
                OptionText(
                    "table {0} is in use by somebody else: it has a route that is not "
                    "ours ({1}): choose another table with {table}, or remove it: "
                    "ip -6 route del {2} table {0}",
                    numbers.table,
                    route,
                    route.destination,
                )
            )
    priorities = {numbers.priority}
    if steering.way is Way.PORTS:
        priorities.add(numbers.priority + 1)
    for rule in facts.rules:
        leadsHere = rule.ours is not None and rule.table == numbers.table
        inTheWay = rule.priority in priorities or leadsHere
        if inTheWay and not _isPrefix64s(rule, intent, facts):
            yield RoutingError(_whose(rule, facts.rules))


def _whose(rule: RuleFact, rules: Iterable[RuleFact]) -> OptionText | str:
    """
    By whom a priority is used, and what to do.

    @param rules: everybody's.
    """
    if rule.ours is not None:
        table, priority = _numbersOf(rule, rules)
        return (
            f"priority {rule.priority} is in use by a prefix64 that crashed ({rule}): "
            f"prefix64 cleanup --table {table} --priority {priority} removes that"
        )
    return OptionText(
        "priority {0} is in use by somebody else's rule ({1}): "
        "choose another priority with {priority}",
        rule.priority,
        rule,
    )


def _numbersOf(rule: RuleFact, rules: Iterable[RuleFact]) -> tuple[int, int]:
    """
    The table and the priority of the instance that a rule is of. One that drops has a higher
    priority than the others of its interface, and one for a hole leads to the main table.
    """
    priority = rule.priority - (rule.ours is not None and rule.ours.drops)
    tables = {
        one.table
        for one in (rule, *rules)
        if one.ours is not None and (one.interface, one.priority) == (rule.interface, priority)
    }
    return min(tables - {0, MAIN_TABLE}, default=TABLE), priority


def _isPrefix64s(rule: RuleFact, intent: Intent, facts: HostFacts) -> bool:
    """
    Tell whether a rule is one that this process would take over, on this interface or another, or
    of another instance that runs. On this interface that is one with its own numbers.
    """
    if rule.ours is None:
        return False
    numbers = intent.steering.numbers
    if rule.interface == intent.interface != LOOPBACK:
        return isOfInstance(rule.ours, numbers)
    if any(isOfInstance(rule.ours, one) for one in (numbers, *facts.siblings)):
        return True
    if not rule.interface:
        return rule.table in facts.marked
    return rule.interface in facts.running or rule.interface == LOOPBACK


def _cutOff(intent: Intent, facts: HostFacts) -> Iterator[Prefix64Error]:
    """
    What the host could no longer reach.
    """
    if not intent.local or intent.steering.way is Way.FWMARK:
        return
    peers = facts.sshPeers if _takesAnswers(intent.steering) else ()
    lost = dict.fromkeys(peers, "the ssh connection of") | dict.fromkeys(
        _defaultGateways(facts.routes), "the default gateway"
    )
    for address, what in sorted(lost.items()):
        if intent.ownership.of(address) is Owner.OURS:
            prefix = intent.ownership.prefixOf(address)
            text = formatAddress(address)
            cut = "{prefix:{0}} would cut this host off from {1} {2}: add {exclude:{2}}"
            other = "serve another prefix" if intent.interface == LOOPBACK else "leave {local} out"
            yield OptionError(OptionText(f"{cut}, or {other}", prefix, what, text))


def _takesAnswers(steering: Steering) -> bool:
    """
    Tell whether what this host sends to the port of somebody who connected to it may become its
    own: such a port is one of those that need no privilege.
    """
    return steering.way is not Way.PORTS or any(
        service.protocol == SERVICE_PROTOCOLS["tcp"]
        and (not service.first or service.last >= _FIRST_UNPRIVILEGED)
        for service in steering.services
    )


def _defaultGateways(routes: Iterable[RouteFact]) -> list[int]:
    """
    The next hops of default routes.
    """
    return [
        gateway
        for route in routes
        if route.kind == RTN_UNICAST and route.destination == Prefix(0, 0)
        for gateway in route.gateways
    ]
