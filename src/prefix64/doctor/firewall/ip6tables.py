"""
The rules of ip6tables(8) in the form that nft has for its own, so that one evaluator judges both.
Those of the old kind nft does not show at all; of those of the new kind it prints many conditions,
such as the state of a connection, by their name alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward"}
TABLES = ("raw", "mangle", "nat", "filter")

_PROTOCOLS = {"ipv6-icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", "icmp6": "ipv6-icmp", "58": 58,
              "tcp": "tcp", "6": 6}  # fmt: skip
_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return",
             "LOG": "log", "NFLOG": "log",
             "REDIRECT": "redirect", "DNAT": "dnat", "TPROXY": "tproxy",
             "NFQUEUE": "queue"}  # fmt: skip
_PLAIN_MATCHES = {"tcp", "udp", "icmp6", "icmpv6", "ipv6-icmp", "conntrack", "state", "multiport",
                  "comment"}  # fmt: skip
_HEADERS = ("rt", "frag", "hbh", "dst")
"""Matches of extension headers, which the packet has not."""

_EVERY_BIT = 0xFFFFFFFF

_UNKNOWN = {"xt": {"type": "match"}}
"""A condition that may be true."""


def opaqueTables(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """
    The tables of ip6tables of the new kind that have conditions or targets which nft only names.

    @param objects: the list that C{nft -j} prints.
    """
    found = {
        entry["rule"]["table"]
        for entry in objects
        if "rule" in entry
        and entry["rule"]["family"] == "ip6"
        and any("xt" in statement for statement in entry["rule"].get("expr", ()))
    }
    return [table for table in TABLES if table in found]


def isOf(entry: Mapping[str, Any], tables: Iterable[str]) -> bool:
    """
    Tell whether an object of nft's list belongs to one of some tables of ip6tables.
    """
    ((_, what),) = entry.items()
    return what.get("family") == "ip6" and what.get("table") in tables


def ruleset(program: str, table: str, lines: str) -> Iterator[dict[str, Any]]:
    """
    Read what C{ip6tables-legacy -t TABLE -S}, or C{ip6tables-nft}, prints.

    @return: objects as in the list that C{nft -j} prints. The name of their table is the command
        that shows it, and a rule's handle is its line.
    """
    name = f"{program} -t {table}"
    rules = [(line, shlex.split(line)) for line in lines.splitlines()]
    chains = {words[1] for _, words in rules if words[:1] == ["-N"] and len(words) > 1}
    for line, words in rules:
        if words[:1] == ["-P"] and len(words) > 2 and words[1] in HOOKS:
            chain = {"family": "ip6", "table": name, "name": words[1], "hook": HOOKS[words[1]]}
            yield {"chain": {**chain, "policy": words[2].lower()}}
        elif words[:1] == ["-A"] and len(words) > 1:
            rule = {"family": "ip6", "table": name, "chain": words[1], "handle": line}
            yield {"rule": {**rule, "expr": list(_statements(words[2:], chains))}}


def _statements(words: list[str], chains: set[str]) -> Iterator[dict[str, Any]]:
    """
    The conditions and the verdict of a rule.
    """
    rest, negated = list(words), False
    while rest:
        word = rest.pop(0)
        if word == "!":
            negated = True
            continue
        if word in ("-j", "-g"):
            yield _target(word, rest, chains)
            return
        if word == "--tcp-flags":
            yield _flags(rest, negated)
            negated = False
            continue
        value = rest.pop(0) if rest and not rest[0].startswith("-") and rest[0] != "!" else ""
        yield from _condition(word, value, "!=" if negated else "==")
        negated = False


def _flags(rest: list[str], negated: bool) -> dict[str, Any]:
    """
    A condition of TCP flags: those that are looked at, and those of them that are to be set.

    @param rest: the words of the rule from there on; two are taken.
    """
    texts = [rest.pop(0).lower() if rest else "" for _ in range(2)]
    masked, wanted = ([] if t == "none" else t.split(",") for t in texts)
    if masked == ["all"]:
        masked = ["fin", "syn", "rst", "psh", "ack", "urg"]
    left = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, masked]}
    return {"match": {"op": "!=" if negated else "==", "left": left, "right": wanted}}


def _target(word: str, rest: list[str], chains: set[str]) -> dict[str, Any]:
    """
    The verdict of a rule, or the chain that it leads to.

    @param rest: the words of the rule from there on.
    """
    name = rest[0] if rest else ""
    if name in chains:
        return {"goto" if word == "-g" else "jump": {"target": name}}
    if name in ("MARK", "CONNMARK"):
        ofPacket = name == "MARK" or "--restore-mark" in rest
        key = {"meta" if ofPacket else "ct": {"key": "mark"}}
        return {"mangle": {"key": key, "value": _mark(rest[1:])}}
    return {_VERDICTS.get(name, "unknown target"): None}


def _mark(words: list[str]) -> int | None:
    """
    The mark that C{--set-xmark VALUE/MASK} sets; L{None} if it depends on what it was.
    """
    if words[:1] not in (["--set-xmark"], ["--set-mark"]) or len(words) < 2:
        return None
    value, _, mask = words[1].partition("/")
    try:
        return int(value, 0) if int(mask or str(_EVERY_BIT), 0) == _EVERY_BIT else None
    except ValueError:
        return None


def _condition(word: str, value: str, operator: str) -> Iterator[dict[str, Any]]:
    """
    A condition. What is not known may be true.
    """
    left: Any = None
    right: Any = value
    if word == "-m" and value in _HEADERS:
        yield {"match": {"op": "==", "left": {"exthdr": {"name": value}}, "right": True}}
        return
    if word == "-m":
        if value not in _PLAIN_MATCHES:
            yield _UNKNOWN
        return
    if word == "--comment":
        return
    if word == "-p":
        left = {"meta": {"key": "l4proto"}}
        right = _PROTOCOLS.get(value, value)
    elif word == "-i":
        left = {"meta": {"key": "iifname"}}
        right = f"{value[:-1]}*" if value.endswith("+") else value
    elif word in ("-d", "-s"):
        left = {"payload": {"protocol": "ip6", "field": "daddr" if word == "-d" else "saddr"}}
        right = _network(value)
    elif word in ("--dport", "--dports"):
        left = {"payload": {"protocol": "th", "field": "dport"}}
        right = {"set": [_ports(part) for part in value.split(",")]}
    elif word in ("--state", "--ctstate"):
        left = {"ct": {"key": "state"}}
        right = {"set": value.lower().split(",")}
    elif word == "--icmpv6-type":
        left = {"payload": {"protocol": "icmpv6", "field": "type"}}
        number = value.partition("/")[0]
        right = int(number) if number.isdigit() else number
    if left is None:
        yield _UNKNOWN
    else:
        yield {"match": {"op": operator, "left": left, "right": right}}


def _ports(text: str) -> Any:
    """
    A port, or a range of ports.
    """
    first, colon, last = text.partition(":")
    if not colon:
        return int(first) if first.isdigit() else first
    return {"range": [int(first or 0), int(last or 65535)]}


def _network(text: str) -> Any:
    """
    An address or a prefix.
    """
    address, _, length = text.partition("/")
    return {"prefix": {"addr": address, "len": int(length or 128)}}
