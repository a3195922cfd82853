"""
Whether the host's nf_tables let a packet in: an evaluator of the ruleset that C{nft -j} prints.

It is approximate, and says so: an outcome is certain only if every rule on the way is understood.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from prefix64.doctor.firewall.ends import CONTINUES, Ends, Passage, Place
from prefix64.doctor.firewall.marks import Mark, MarkWalk, inFrontOfRouting
from prefix64.doctor.firewall.packet import Packet, valueOf
from prefix64.doctor.firewall.values import Truth, equals, isTrue

_HOOKS = ("ingress", "prerouting")
_FAMILIES = ("inet", "ip6", "netdev")
_DEEPEST = 16
"""The kernel's own limit of jumps."""

_ENDS_NOTHING = ("counter", "log", "mangle", "ct helper", "ct timeout", "ct expectation", "flow",
                 "dup", "last", "secmark", "comment", "map", "nop")  # fmt: skip
_DEPENDS = ("limit", "ct count", "quota", "meter", "connlimit")
_LETS_PASS = ("snat", "masquerade")
_ELSEWHERE = ("redirect", "dnat", "tproxy", "queue", "fwd", "synproxy")


class Ruleset:
    """
    The tables, chains, sets and rules of C{nft -j list ruleset}.
    """

    def __init__(
        self,
        objects: Iterable[Mapping[str, Any]],
        ignored: Collection[tuple[str, str]] = (),
        devices: Mapping[tuple[str, str, str], tuple[str, ...]] | None = None,
    ) -> None:
        """
        @param objects: the list under C{nftables}.
        @param ignored: tables that do not count, by family and name.
        @param devices: the interfaces of chains at the ingress hook, by family, table and chain:
            some versions of nft leave them out of the list.
        """
        self._devices = devices or {}
        self._bases: list[Mapping[str, Any]] = []
        self._rules: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        self._sets: dict[tuple[str, str], dict[str, Any]] = {}
        off = set(ignored)
        for entry in objects:
            ((kind, what),) = entry.items()
            if kind == "table" and _isDormant(what):
                off.add((what["family"], what["name"]))
            elif kind == "chain" and "hook" in what:
                self._bases.append(what)
            elif kind == "rule":
                key = (what["family"], what["table"], what["chain"])
                self._rules.setdefault(key, []).append(what)
            elif kind in ("set", "map"):
                sets = self._sets.setdefault((what["family"], what["table"]), {})
                sets[what["name"]] = what.get("elem", [])
        self._bases = [base for base in self._bases if (base["family"], base["table"]) not in off]

    def passage(self, packet: Packet, last: str = "input") -> Passage:
        """
        Lead a packet through every chain in front of the sockets.

        @param last: C{forward} for one that goes on to another interface.
        """
        places: list[Place] = []
        for base in self._bases:
            onTheWay = self._isOnTheWay(base, packet.interface)
            if onTheWay is Truth.NO or base["hook"] not in (*_HOOKS, last):
                continue
            ends = _Walk(self._rules, self._sets, packet, base["family"], base["table"]).chain(
                base["name"], 0
            )
            if ends.continues and base.get("policy") == "drop":
                place = Place(base["family"], base["table"], base["name"], None, "policy")
                ends = Ends(ends.accepts, places=(*ends.places, place))
            elif ends.continues:
                ends = Ends(True, places=ends.places)
            certain = onTheWay is Truth.YES and not ends.accepts
            if certain and all(place.drops for place in ends.places):
                return Passage(ends.places, True)
            places += ends.places
        return Passage(tuple(dict.fromkeys(places)))

    def marks(self, packet: Packet) -> frozenset[Mark]:
        """
        The firewall marks that a packet may have when its route is looked up.
        """
        marks: frozenset[Mark] = frozenset({0})
        for base in inFrontOfRouting(self._bases):
            onTheWay = self._isOnTheWay(base, packet.interface)
            if onTheWay is not Truth.NO:
                place = (base["family"], base["table"])
                walk = MarkWalk(self._rules, self._sets.get(place, {}), packet, place)
                after = walk.through(base["name"], marks)
                marks = after if onTheWay is Truth.YES else marks | after
        return marks

    def _isOnTheWay(self, base: Mapping[str, Any], interface: str) -> Truth:
        """
        Tell whether a base chain at one of its hooks sees a packet that comes in on an interface.
        """
        if base["family"] not in _FAMILIES:
            return Truth.NO
        if base["hook"] != "ingress":
            return Truth.YES
        key = (base["family"], base["table"], base["name"])
        devices = base.get("dev", self._devices.get(key))
        if devices is None:
            return Truth.MAYBE
        names = [devices] if isinstance(devices, str) else devices
        return Truth.YES if interface in names else Truth.NO


def _isDormant(table: Mapping[str, Any]) -> bool:
    """
    Tell whether a table is switched off.
    """
    flags = table.get("flags", [])
    return "dormant" in (flags if isinstance(flags, list) else [flags])


class _Walk:
    """
    A packet's way through the chains of one table.
    """

    def __init__(
        self,
        rules: Mapping[tuple[str, str, str], list[Mapping[str, Any]]],
        sets: Mapping[tuple[str, str], Mapping[str, Any]],
        packet: Packet,
        family: str,
        table: str,
    ) -> None:
        self._rules = rules
        self._sets = sets.get((family, table), {})
        self._packet = packet
        self._family, self._table = family, table
        self._known: dict[tuple[str, str | None], Ends] = {}

    def chain(self, name: str, depth: int) -> Ends:
        """
        The ends of a chain; C{continues} stands for its end without a verdict.
        """
        key = (name, self._packet.state)
        if depth > _DEEPEST:
            return CONTINUES
        if key not in self._known:
            self._known[key] = self._walk(name, depth)
        return self._known[key]

    def _walk(self, name: str, depth: int) -> Ends:
        """
        Go through the rules of a chain. One that cannot be read may do anything.
        """
        ends = Ends()
        for rule in self._rules.get((self._family, self._table, name), ()):
            try:
                one = self._rule(rule, name, depth)
            except (KeyError, TypeError, ValueError, AttributeError):
                one = CONTINUES.either(self._dropped(rule, name, "not understood"))
            ends = ends.either(Ends(one.accepts, places=one.places, continues=one.returns))
            if not one.continues:
                return ends
        return ends.either(CONTINUES)

    def _rule(self, rule: Mapping[str, Any], chain: str, depth: int) -> Ends:
        """
        The ends of one rule.
        """
        truth = Truth.YES
        for statement in rule.get("expr", ()):
            ((kind, what),) = statement.items()
            condition = self._condition(kind, what)
            if condition is not None:
                truth = min(truth, condition)
                if truth is Truth.NO:
                    return CONTINUES
                continue
            if kind == "notrack":
                self._packet = self._packet.untracked()
                continue
            ends = self._verdict(kind, what, rule, chain, depth)
            return ends if truth is Truth.YES else ends.either(CONTINUES)
        return CONTINUES

    def _condition(self, kind: str, what: Any) -> Truth | None:
        """
        Whether a statement lets the rule go on.

        @return: L{None} for a statement that is a verdict, or not understood.
        """
        if kind == "match":
            return isTrue(what, self._packet, self._sets)
        if kind == "mangle" and "payload" in what.get("key", {}):
            return None  # the packet is another one then
        if kind in _ENDS_NOTHING:
            return Truth.YES
        if kind == "set" and isinstance(what, dict):
            return Truth.MAYBE if what.get("stmt") else Truth.YES
        if kind in _DEPENDS or (kind == "xt" and (what or {}).get("type") == "match"):
            return Truth.MAYBE
        return None

    def _verdict(
        self, kind: str, what: Any, rule: Mapping[str, Any], chain: str, depth: int
    ) -> Ends:
        """
        The ends of a rule whose conditions are true.
        """
        if kind == "accept" or kind in _LETS_PASS:
            return Ends(accepts=True)
        if kind in ("drop", "reject"):
            return self._dropped(rule, chain, kind)
        if kind in ("return", "continue"):
            return Ends(returns=kind == "return", continues=kind == "continue")
        if kind in ("jump", "goto"):
            there = self.chain(what["target"], depth + 1)
            back, on = (there.continues, False) if kind == "goto" else (False, there.continues)
            return Ends(there.accepts, back, on, there.places)
        if kind == "vmap":
            return self._mapped(what, rule, chain, depth)
        word = kind if kind in _ELSEWHERE else "not understood"
        return Ends(accepts=True, continues=True).either(self._dropped(rule, chain, word))

    def _mapped(self, vmap: Mapping[str, Any], rule: Any, chain: str, depth: int) -> Ends:
        """
        The ends of a verdict map: of the element that the packet's value is, or may be.
        """
        data = vmap["data"]
        named = isinstance(data, str)
        elements = self._sets[data[1:]] if named else data["set"]
        value, ends = valueOf(vmap["key"], self._packet), Ends()
        for key, verdict in sorted(elements, key=lambda element: bool(element[0] == "*")):
            truth = equals(value, key, self._sets)
            if truth is not Truth.NO:
                ((kind, what),) = verdict.items()
                ends = ends.either(self._verdict(kind, what, rule, chain, depth))
            if truth is Truth.YES:
                return ends
        return ends.either(CONTINUES)

    def _dropped(self, rule: Mapping[str, Any], chain: str, what: str) -> Ends:
        """
        The end at a rule.
        """
        place = Place(self._family, self._table, chain, rule.get("handle"), what)
        return Ends(places=(place,))
