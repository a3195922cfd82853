"""
The rules of the kernel in its order, and which of them a deletion would meet: the kernel deletes
the first rule that has all that is asked for, and it may ask for more than that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefix64.addressing import Prefix
from prefix64.kernel.messages import destinationOf
from prefix64.kernel.table_messages import readRule
from prefix64.routing.entries import EVERYWHERE, PROTOCOL, Rule
from prefix64.routing.facts import FR_ACT_BLACKHOLE, FR_ACT_TO_TBL

_EVERY_BIT = 0xFFFFFFFF


class RuleList:
    """
    All rules, as they were a moment ago: reading them anew for each of many deletions takes long.
    """

    def __init__(self, messages: Iterable[Any]) -> None:
        """
        @param messages: RTM_NEWRULE messages, in the kernel's order.
        """
        self._rules: list[tuple[Rule | None, Prefix, Any]] = [
            (readRule(message), destinationOf(message, "FRA_DST"), message) for message in messages
        ]

    def before(self, rule: Rule) -> tuple[list[Rule | None], bool]:
        """
        The rules that would be deleted in the place of one of ours.

        @return: those that stand before it, L{None} for one that is not ours; and whether it is
            there at all.
        """
        alike: list[Rule | None] = []
        for ours, destination, message in self._rules:
            if ours == rule:
                return alike, True
            if rule.destination in (EVERYWHERE, destination) and wouldBeDeleted(message, rule):
                alike.append(ours)
        return alike, False

    def deleted(self, rule: Rule) -> None:
        """
        Take note that the first of the rules that are this one is gone.
        """
        for entry in self._rules:
            if entry[0] == rule:
                self._rules.remove(entry)
                break


def wouldBeDeleted(message: Any, rule: Rule) -> bool:
    """
    Tell whether the kernel would take a rule for the one that the deletion of one of ours asks for
    (C{rule_find} in net/core/fib_rules.c). Their destinations are looked at already.
    """
    service = rule.service
    ports = f"{service.first}:{service.last}" if service is not None and service.first else None
    asked = {
        "FRA_PRIORITY": rule.priority,
        "FRA_PROTOCOL": PROTOCOL,
        "FRA_IIFNAME": rule.interface or None,
        "FRA_TABLE": rule.table or None,
        "FRA_FWMARK": rule.mark or None,
        "FRA_FWMASK": _EVERY_BIT if rule.mark else None,
        "FRA_IP_PROTO": None if service is None else service.protocol,
        "FRA_DPORT_RANGE": ports,
    }
    action = FR_ACT_BLACKHOLE if rule.drops else FR_ACT_TO_TBL
    same = all(message.get_attr(name) == value for name, value in asked.items() if value)
    return same and message["action"] == action
