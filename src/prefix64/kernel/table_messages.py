"""
What rtnetlink messages say of rules, routes and neighbor proxies, as values: ours and anybody's.
"""

from __future__ import annotations

import socket
from typing import Any

from prefix64.addressing import parseAddress
from prefix64.kernel.messages import destinationOf
from prefix64.routing.entries import EVERYWHERE, PROTOCOL, Proxy, Route, RouteKind, Rule, Service
from prefix64.routing.facts import (
    FR_ACT_BLACKHOLE,
    FR_ACT_TO_TBL,
    RTN_LOCAL,
    RTN_THROW,
    RTN_UNREACHABLE,
    RouteFact,
    RuleFact,
)

_KINDS = {
    RTN_LOCAL: RouteKind.LOCAL,
    RTN_THROW: RouteKind.THROW,
    RTN_UNREACHABLE: RouteKind.UNREACHABLE,
}
KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}

METRIC = 1024
"""The metric of our routes, which is the one that a route has of which nobody says another."""

_PLAIN_RULE = frozenset(
    {
        "FRA_DST",
        "FRA_IIFNAME",
        "FRA_PRIORITY",
        "FRA_PROTOCOL",
        "FRA_TABLE",
        "FRA_SUPPRESS_PREFIXLEN",
    }
)
"""The attributes of a rule that asks for an interface and a destination only."""

_SERVICE_RULE = _PLAIN_RULE | {"FRA_IP_PROTO", "FRA_DPORT_RANGE", "FRA_DPORT_MASK"}
_MARK_RULE = (_PLAIN_RULE - {"FRA_DST", "FRA_IIFNAME"}) | {"FRA_FWMARK", "FRA_FWMASK"}
_EVERY_BIT = 0xFFFFFFFF
_WHOLE_PORT = 0xFFFF
_NOTHING_SUPPRESSED = (None, 0xFFFFFFFF)
_CLONED = 0x200  # RTM_F_CLONED: what path MTU discovery learned
_INVERTED = 0x02  # FIB_RULE_INVERT
_RTPROT_UNSPEC = 0


def readRoute(message: Any) -> Route | None:
    """
    Read a route, of whichever table.

    @return: L{None} for one that is not ours: of another protocol, metric or kind.
    """
    kind = _KINDS.get(message["type"])
    if kind is None or message["proto"] != PROTOCOL or message["src_len"]:
        return None
    if message["family"] != socket.AF_INET6:
        return None
    if message.get_attr("RTA_PRIORITY") not in (None, METRIC):
        return None
    table = message.get_attr("RTA_TABLE") or message["table"]
    return Route(kind, destinationOf(message, "RTA_DST"), table=table)


def readRule(message: Any) -> Rule | None:
    """
    Read a rule, of whichever table and priority.

    @return: L{None} for one that is not ours: of another protocol, or with a condition or an action
        that ours never have.
    """
    ours = (
        message["family"] == socket.AF_INET6
        and message.get_attr("FRA_PROTOCOL") == PROTOCOL
        and message.get_attr("FRA_SUPPRESS_PREFIXLEN") in _NOTHING_SUPPRESSED
        and not (message["src_len"] or message["tos"] or message["flags"] & _INVERTED)
    )
    if not ours:
        return None
    names = {name for name, _ in message["attrs"]}
    interface = message.get_attr("FRA_IIFNAME")
    destination = destinationOf(message, "FRA_DST")
    if interface is None:
        return _readMarkRule(message, names) if destination == EVERYWHERE else None
    table = message.get_attr("FRA_TABLE") or message["table"]
    priority = message.get_attr("FRA_PRIORITY") or 0
    if message["action"] == FR_ACT_BLACKHOLE and names <= _PLAIN_RULE:
        return Rule(interface, destination, table=0, priority=priority)
    wholePort = message.get_attr("FRA_DPORT_MASK") in (None, _WHOLE_PORT)
    hasProtocol = "FRA_IP_PROTO" in names or names <= _PLAIN_RULE
    ofService = names <= _SERVICE_RULE and wholePort and hasProtocol
    if message["action"] != FR_ACT_TO_TBL or not ofService:
        return None
    service = _readService(message)
    return Rule(interface, destination, service, 0, table, priority)


def _readMarkRule(message: Any, names: set[str]) -> Rule | None:
    """
    Read a rule that asks for a whole firewall mark and nothing else.
    """
    mark, mask = message.get_attr("FRA_FWMARK"), message.get_attr("FRA_FWMASK")
    plain = names <= _MARK_RULE and message["action"] == FR_ACT_TO_TBL
    if not plain or not mark or mask not in (None, _EVERY_BIT):
        return None
    table = message.get_attr("FRA_TABLE") or message["table"]
    priority = message.get_attr("FRA_PRIORITY") or 0
    return Rule("", EVERYWHERE, None, mark, table, priority)


def _readService(message: Any) -> Service | None:
    """
    The service that a rule is for; L{None} if it is for all.
    """
    protocol = message.get_attr("FRA_IP_PROTO")
    if protocol is None:
        return None
    first, _, last = (message.get_attr("FRA_DPORT_RANGE") or "0:0").partition(":")
    return Service(protocol, int(first), int(last))


def readProxy(message: Any, names: dict[int, str], ours: bool = True) -> Proxy | None:
    """
    Read a neighbor proxy entry.

    @param names: those of the interfaces, by their indexes.
    @param ours: whether those with our protocol are asked for, or all others.
    @return: L{None} for one that is not asked for.
    """
    text = message.get_attr("NDA_DST")
    wanted = ours is (message.get_attr("NDA_PROTOCOL") == PROTOCOL)
    known = message["family"] == socket.AF_INET6 and message["ifindex"] in names
    if not wanted or not known or text is None:
        return None
    return Proxy(names[message["ifindex"]], parseAddress(text))


def readRuleFact(message: Any) -> RuleFact | None:
    """
    Read anybody's rule.
    """
    if message["family"] != socket.AF_INET6:
        return None
    suppressed = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    names = {name for name, _ in message["attrs"]}
    more = bool(message["src_len"] or message["tos"] or message["flags"] & _INVERTED)
    return RuleFact(
        priority=message.get_attr("FRA_PRIORITY") or 0,
        destination=destinationOf(message, "FRA_DST"),
        table=message.get_attr("FRA_TABLE") or message["table"],
        interface=message.get_attr("FRA_IIFNAME") or "",
        conditional=more or not names <= _PLAIN_RULE,
        action=message["action"],
        suppressed=-1 if suppressed in _NOTHING_SUPPRESSED else suppressed,
        protocol=message.get_attr("FRA_PROTOCOL") or _RTPROT_UNSPEC,
        ours=readRule(message),
    )


def readRouteFact(message: Any, names: dict[int, str]) -> RouteFact | None:
    """
    Read anybody's route.

    @param names: those of the interfaces, by their indexes.
    """
    if message["family"] != socket.AF_INET6 or message["flags"] & _CLONED:
        return None
    hops = message.get_attr("RTA_MULTIPATH") or ()
    indexes = [message.get_attr("RTA_OIF"), *(hop["oif"] for hop in hops)]
    gateways = [hop.get_attr("RTA_GATEWAY") for hop in (message, *hops)]
    return RouteFact(
        table=message.get_attr("RTA_TABLE") or message["table"],
        destination=destinationOf(message, "RTA_DST"),
        kind=message["type"],
        interfaces=tuple(names.get(i, str(i)) for i in indexes if i is not None),
        gateways=tuple(parseAddress(gateway) for gateway in gateways if gateway is not None),
        protocol=message["proto"],
    )
