"""
Which firewall mark a packet has when the kernel looks up its route: the marks that the chains in
front of that may leave it with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefix64.doctor.firewall.packet import Packet
from prefix64.doctor.firewall.values import Truth, isTrue

UNKNOWN = None
"""Stands for a mark that cannot be told."""

Mark = int | None

_DEEPEST = 16
_HOOKS = ("ingress", "prerouting")
_CHANGES_NO_MARK = ("match", "counter", "log", "comment", "nop", "notrack", "last", "flow", "dup",
                    "ct helper", "ct timeout", "ct expectation", "set", "map", "secmark", "snat",
                    "masquerade")  # fmt: skip
_DEPENDS = ("limit", "quota", "meter", "connlimit", "ct count")
_VERDICTS = ("accept", "return", "continue", "jump", "goto", "vmap")
_ENDS = ("drop", "reject", "redirect", "dnat", "tproxy", "queue", "fwd", "synproxy")


@dataclass(frozen=True)
class Marks:
    """
    What marks packets may have at some place.

    @ivar going: of those that go on to the next rule.
    @ivar returned: of those that have gone back to the chain that led here.
    @ivar accepted: of those that this table lets pass.
    """

    going: frozenset[Mark] = frozenset()
    returned: frozenset[Mark] = frozenset()
    accepted: frozenset[Mark] = frozenset()

    def joined(self, other: Marks) -> Marks:
        """
        One or the other.
        """
        return Marks(
            self.going | other.going,
            self.returned | other.returned,
            self.accepted | other.accepted,
        )


class MarkWalk:
    """
    A packet's way through the chains of one table, and what marks it gets there.
    """

    def __init__(
        self,
        rules: Mapping[tuple[str, str, str], Sequence[Mapping[str, Any]]],
        sets: Mapping[str, Any],
        packet: Packet,
        table: tuple[str, str],
    ) -> None:
        """
        @param rules: of each chain, by family, table and name.
        @param sets: the elements of the table's named sets.
        @param table: the family and the name of the table.
        """
        self._rules, self._sets, self._packet, self._table = rules, sets, packet, table
        self._known: dict[tuple[str, frozenset[Mark]], Marks] = {}

    def through(self, chain: str, marks: frozenset[Mark]) -> frozenset[Mark]:
        """
        The marks with which packets leave a base chain, also by its policy.

        @param marks: those with which they come.
        """
        found = self._chain(chain, marks, 0)
        return found.going | found.returned | found.accepted

    def _chain(self, name: str, marks: frozenset[Mark], depth: int) -> Marks:
        """
        Go through the rules of a chain.
        """
        key = (name, marks)
        if depth > _DEEPEST:
            return Marks(marks)
        if key not in self._known:
            found = Marks(marks)
            for rule in self._rules.get((*self._table, name), ()):
                if not found.going:
                    break
                try:
                    one = self._rule(rule, found.going, depth)
                except (KeyError, TypeError, ValueError, AttributeError):
                    one = Marks(found.going | {UNKNOWN})
                found = replace(found, going=frozenset()).joined(one)
            self._known[key] = found
        return self._known[key]

    def _rule(self, rule: Mapping[str, Any], marks: frozenset[Mark], depth: int) -> Marks:
        """
        Go through one rule. What it cannot be told of may be so, or not.
        """
        truth, now, result = Truth.YES, marks, Marks()
        for statement in rule.get("expr", ()):
            ((kind, what),) = statement.items()
            condition = self._condition(kind, what)
            if condition is Truth.NO:
                return Marks(marks)
            truth = min(truth, condition)
            if kind == "mangle":
                now = _changed(now, what)
            elif kind in (*_VERDICTS, *_ENDS):
                result, now = self._verdict(kind, what, now, depth), frozenset()
                break
            elif kind not in (*_CHANGES_NO_MARK, *_DEPENDS) and not _isCondition(kind, what):
                now |= {UNKNOWN}  # a statement that nobody told us of
        result = result.joined(Marks(now))
        return result if truth is Truth.YES else result.joined(Marks(marks))

    def _condition(self, kind: str, what: Any) -> Truth:
        """
        Whether a statement lets the rule go on.
        """
        if kind == "match":
            return isTrue(what, self._packet, self._sets)
        depends = kind in _DEPENDS or _isCondition(kind, what)
        return Truth.MAYBE if depends else Truth.YES

    def _verdict(self, kind: str, what: Any, marks: frozenset[Mark], depth: int) -> Marks:
        """
        Where a rule leads to whose conditions are true.
        """
        if kind == "accept":
            return Marks(accepted=marks)
        if kind == "return":
            return Marks(returned=marks)
        if kind in _ENDS:
            return Marks()
        if kind in ("jump", "goto"):
            there = self._chain(what["target"], marks, depth + 1)
            back = there.going | there.returned
            if kind == "jump":
                return Marks(back, accepted=there.accepted)
            return Marks(returned=back, accepted=there.accepted)
        if kind == "vmap":
            return self._mapped(what, marks, depth)
        return Marks(marks)  # C{continue}

    def _mapped(self, vmap: Mapping[str, Any], marks: frozenset[Mark], depth: int) -> Marks:
        """
        Where a verdict map leads to: any of its elements, or on.
        """
        data = vmap["data"]
        elements = self._sets.get(data[1:], []) if isinstance(data, str) else data["set"]
        found = Marks(marks)
        for _, verdict in elements:
            ((kind, what),) = verdict.items()
            found = found.joined(self._verdict(kind, what, marks, depth))
        return found


def _isCondition(kind: str, what: Any) -> bool:
    """
    Tell whether a statement is a condition of ip6tables that nft only names.
    """
    return kind == "xt" and (what or {}).get("type") == "match"


def inFrontOfRouting(bases: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """
    Of base chains those that a packet goes through before its route is looked up, in order.
    """

    def order(base: Mapping[str, Any]) -> tuple[bool, int]:
        priority = base.get("prio", 0)
        return base["hook"] != "ingress", priority if isinstance(priority, int) else 0

    return sorted((base for base in bases if base["hook"] in _HOOKS), key=order)


def _changed(marks: frozenset[Mark], what: Mapping[str, Any]) -> frozenset[Mark]:
    """
    The marks after a statement that changes something of a packet.
    """
    if what.get("key") != {"meta": {"key": "mark"}}:
        return marks
    value = what.get("value")
    return frozenset({value if isinstance(value, int) else UNKNOWN})
