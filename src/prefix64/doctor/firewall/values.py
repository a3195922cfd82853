"""
What an nf_tables expression (libnftables-json(5)) says of one packet: yes, no, or maybe. Maybe is
whatever depends on the visitor, on the moment, or is not known here.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from prefix64.addressing import Prefix
from prefix64.doctor.firewall.packet import ABSENT, Packet, flagBits, valueOf


class Truth(enum.IntEnum):
    """
    Whether an expression is true of the packet.
    """

    NO = 0
    MAYBE = 1
    YES = 2


_ICMPV6_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "router-renumbering": 138,
    "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142,
    "mld2-listener-report": 143,
}


def isTrue(match: Mapping[str, Any], packet: Packet, sets: Mapping[str, Any]) -> Truth:
    """
    Tell whether a C{match} statement is true of a packet.

    @param sets: the elements of the table's named sets.
    """
    left, right, operator = match["left"], match["right"], match.get("op", "==")
    if "exthdr" in left:
        return Truth.YES if right is False else Truth.NO  # the packet has none
    value = valueOf(left, packet)
    if value is ABSENT:
        return Truth.NO
    if operator == "in" and isinstance(value, int):
        bits = flagBits(right)
        return Truth.MAYBE if bits is None else _truth(bool(value & bits))
    if operator in ("==", "in", "!="):
        truth = equals(value, right, sets)
        return Truth(2 - truth) if operator == "!=" else truth
    return _ordered(value, operator, right)


def _ordered(value: Any, operator: str, right: Any) -> Truth:
    """
    Compare numbers by size.
    """
    numbers = [one for one in value if isinstance(one, int)] if isinstance(value, tuple) else []
    if not numbers or not isinstance(right, int):
        return Truth.MAYBE
    number = numbers[0]
    results = {
        "<": number < right,
        ">": number > right,
        "<=": number <= right,
        ">=": number >= right,
    }
    return _truth(results[operator]) if operator in results else Truth.MAYBE


def equals(value: Any, right: Any, sets: Mapping[str, Any]) -> Truth:
    """
    Tell whether a value is, or is among, what stands on the right side of a match.

    @param value: as L{valueOf} returns it.
    """
    if isinstance(right, str) and right.startswith("@"):
        elements = sets.get(right[1:])
        return Truth.MAYBE if elements is None else _anyOf(value, elements, sets)
    if isinstance(right, dict) and "set" in right:
        elements = right["set"]
        return _anyOf(value, elements if isinstance(elements, list) else [elements], sets)
    if isinstance(right, dict) and "elem" in right:
        return equals(value, right["elem"]["val"], sets)
    if right == "*":
        return Truth.YES
    if value is None or value is ABSENT:
        return Truth.NO if value is ABSENT else Truth.MAYBE
    if isinstance(value, int):
        bits = flagBits(right)
        return Truth.MAYBE if bits is None else _truth(value == bits)
    if isinstance(value, list):
        return _concatenated(value, right, sets)
    if isinstance(value, Prefix):
        return _address(value, right)
    if isinstance(right, list):
        return _anyOf(value, right, sets)
    return _oneOf(value, right)


def _truth(value: bool) -> Truth:
    """
    A truth that is certain.
    """
    return Truth.YES if value else Truth.NO


def _anyOf(value: Any, elements: Iterable[Any], sets: Mapping[str, Any]) -> Truth:
    """
    Tell whether a value is among some elements: not so, if there are none.
    """
    return max((equals(value, element, sets) for element in elements), default=Truth.NO)


def _concatenated(values: list[Any], right: Any, sets: Mapping[str, Any]) -> Truth:
    """
    Compare a concatenation part by part.
    """
    parts = right.get("concat") if isinstance(right, dict) else None
    if not isinstance(parts, list) or len(parts) != len(values):
        return Truth.MAYBE
    return min(equals(value, part, sets) for value, part in zip(values, parts, strict=True))


def _oneOf(names: tuple[str | int, ...], right: Any) -> Truth:
    """
    Compare a name or number with one, or with a range of numbers.
    """
    if isinstance(right, dict) and "range" in right:
        first, last = (_ICMPV6_TYPES.get(end, end) for end in right["range"])
        numbers = [name for name in names if isinstance(name, int)]
        if not numbers or not isinstance(first, int) or not isinstance(last, int):
            return Truth.MAYBE
        return _truth(first <= numbers[0] <= last)
    if isinstance(right, str) and right.endswith("*"):
        return _truth(any(str(name).startswith(right[:-1]) for name in names))
    if isinstance(right, str | int) and not isinstance(right, bool):
        return _truth(right in names or _ICMPV6_TYPES.get(str(right)) in names)
    return Truth.MAYBE


def _address(some: Prefix, right: Any) -> Truth:
    """
    Compare some address of a prefix with an address, a prefix, or a range.
    """
    if isinstance(right, str):
        first = last = int(ipaddress.IPv6Address(right))
    elif isinstance(right, dict) and "prefix" in right:
        named = (right["prefix"]["addr"], right["prefix"]["len"])
        network = ipaddress.IPv6Network(named, strict=False)
        first, last = int(network.network_address), int(network.broadcast_address)
    elif isinstance(right, dict) and "range" in right:
        first, last = (int(ipaddress.IPv6Address(end)) for end in right["range"])
    else:
        return Truth.MAYBE
    if last < some.network or first > some.last:
        return Truth.NO
    return Truth.YES if first <= some.network and some.last <= last else Truth.MAYBE
