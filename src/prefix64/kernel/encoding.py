"""
Rules, routes and neighbor proxies as rtnetlink(7) messages. Every attribute is there: a deletion
takes the first that fits, and must meet no other than ours.
"""

from __future__ import annotations

import socket
from typing import Any

from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from prefix64.addressing import formatAddress
from prefix64.kernel.message_classes import rulemsg
from prefix64.kernel.table_messages import KIND_NUMBERS, METRIC
from prefix64.routing.entries import LOOPBACK, PROTOCOL, Proxy, Route, Rule
from prefix64.routing.facts import FR_ACT_BLACKHOLE, FR_ACT_TO_TBL

NTF_PROXY = 0x08
_EVERY_BIT = 0xFFFFFFFF
_MOST_IN_HEADER = 255


def routeMessage(route: Route) -> Any:
    """
    A route as the body of RTM_NEWROUTE or RTM_DELROUTE.
    """
    message = rtmsg()
    message["family"], message["dst_len"] = socket.AF_INET6, route.destination.length
    message["table"], message["proto"] = _headerTable(route.table), PROTOCOL
    message["type"] = KIND_NUMBERS[route.kind]
    message["attrs"] = [
        ("RTA_DST", formatAddress(route.destination.network)),
        ("RTA_TABLE", route.table),
        ("RTA_PRIORITY", METRIC),
        ("RTA_OIF", socket.if_nametoindex(LOOPBACK)),
    ]
    return message


def ruleMessage(rule: Rule) -> Any:
    """
    A rule as the body of RTM_NEWRULE or RTM_DELRULE.
    """
    message = rulemsg()
    message["family"], message["dst_len"] = socket.AF_INET6, rule.destination.length
    message["table"] = _headerTable(rule.table)
    message["action"] = FR_ACT_BLACKHOLE if rule.drops else FR_ACT_TO_TBL
    attributes: list[tuple[str, Any]] = [
        ("FRA_PRIORITY", rule.priority),
        ("FRA_PROTOCOL", PROTOCOL),
    ]
    if rule.destination.length:
        attributes.append(("FRA_DST", formatAddress(rule.destination.network)))
    if rule.interface:
        attributes.append(("FRA_IIFNAME", rule.interface))
    if not rule.drops:
        attributes.append(("FRA_TABLE", rule.table))
    if rule.mark:
        attributes += [("FRA_FWMARK", rule.mark), ("FRA_FWMASK", _EVERY_BIT)]
    if rule.service is not None:
        attributes.append(("FRA_IP_PROTO", rule.service.protocol))
        if rule.service.first:
            ports = f"{rule.service.first}:{rule.service.last}"
            attributes.append(("FRA_DPORT_RANGE", ports))
    message["attrs"] = attributes
    return message


def proxyMessage(proxy: Proxy) -> Any:
    """
    A proxy entry as the body of RTM_NEWNEIGH or RTM_DELNEIGH.

    @raise OSError: there is no such interface.
    """
    message = ndmsg()
    message["family"], message["flags"] = socket.AF_INET6, NTF_PROXY
    message["ifindex"] = socket.if_nametoindex(proxy.interface)
    message["attrs"] = [
        ("NDA_DST", formatAddress(proxy.address)),
        ("NDA_PROTOCOL", PROTOCOL),
    ]
    return message


def proxyRequest() -> Any:
    """
    The body of an RTM_GETNEIGH that asks for all proxy entries.
    """
    message = ndmsg()
    message["family"], message["flags"] = socket.AF_INET6, NTF_PROXY
    return message


def oneProxyRequest(proxy: Proxy) -> Any:
    """
    The body of an RTM_GETNEIGH that asks for one proxy entry, whoever made it.

    @raise OSError: there is no such interface.
    """
    message = proxyRequest()
    message["ifindex"] = socket.if_nametoindex(proxy.interface)
    message["attrs"] = [("NDA_DST", formatAddress(proxy.address))]
    return message


def _headerTable(table: int) -> int:
    """
    What of a table's number fits into a fixed header.
    """
    return table if table <= _MOST_IN_HEADER else 0
