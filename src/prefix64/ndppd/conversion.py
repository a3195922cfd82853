"""
From what ndppd did to what prefix64 is to serve.

The rules of a proxy become the prefixes of its interface, each that is inside another one left out.
Those by C{iface} and C{auto}, and the static ones that are taken for what lives behind this host,
become what is forwarded. A single address, which cannot be served as a prefix, is served as the
/127 that it is in, without the other address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prefix64.addressing import (
    ADDRESS_BITS,
    LONGEST_SERVED,
    SUBNET_BITS,
    Prefix,
    PrefixSet,
    formatAddress,
    mergePrefixes,
    parseServedPrefix,
)
from prefix64.errors import AddressError
from prefix64.ndppd.model import AUTO, IFACE, STATIC, Proxy, Remark, Rule

OWN, FORWARD = "own", "forward"
"""What a static rule may be: this host's own addresses, or what lives behind it."""

MOST_PREFIXES = 64
"""The most prefixes of an interface, as C{twistd prefix64} has it."""

_AGAIN = "or say import-ndppd --static"


@dataclass
class Served:
    """
    What an interface is to serve.

    @ivar forwarded: what lives behind this host.
    @ivar followsRoutes: whether what the kernel routes to other interfaces is forwarded, too.
    @ivar ownsNothing: whether no address is this host's own: it is a neighbor proxy and no more.
    @ivar router: whether answers may have the R flag.
    """

    interface: str
    router: bool
    prefixes: list[Prefix] = field(default_factory=list)
    excluded: list[Prefix] = field(default_factory=list)
    forwarded: list[Prefix] = field(default_factory=list)
    followsRoutes: bool = False
    ownsNothing: bool = False

    @property
    def forwards(self) -> bool:
        """Whether packets are to be forwarded."""
        return bool(self.forwarded) or self.followsRoutes


@dataclass
class Conversion:
    """
    All of it.

    @ivar interfaces: those that serve something.
    @ivar remarks: what has to be told of them.
    """

    interfaces: list[Served] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def convert(proxies: Iterable[Proxy], static: str | None = None) -> Conversion:
    """
    Convert what ndppd did.

    @param static: what static rules are, L{OWN} or L{FORWARD}; L{None} to take those longer than a
        subnet's /64 for what lives behind this host, and the others for its own.
    """
    found = Conversion()
    taken: list[tuple[Prefix, str]] = []
    for proxy in proxies:
        rules = list(_servable(proxy, taken, found.remarks))
        if not rules:
            continue
        served = Served(proxy.interface, proxy.router)
        rules = _serve(served, rules, found.remarks)
        taken += [(prefix, served.interface) for prefix in served.prefixes]
        _forward(served, rules, static)
        found.remarks += _remarks(served, rules, static)
        found.interfaces.append(served)
    return found


def _servable(
    proxy: Proxy, taken: list[tuple[Prefix, str]], remarks: list[Remark]
) -> Iterator[Rule]:
    """
    The rules of a proxy that prefix64 has something for. Of the others it is told why not.

    @param taken: what interfaces before it serve.
    """
    for rule in proxy.rules:
        why = _whyNot(rule, proxy.interface, taken)
        if why is None:
            yield rule
        else:
            text = f"rule {written(rule.prefix)} on {proxy.interface}: {why}"
            remarks.append(Remark((rule.line,), text, isMissed=True))


def _whyNot(rule: Rule, interface: str, taken: list[tuple[Prefix, str]]) -> str | None:
    """
    Say why a rule has no counterpart; L{None} if it has one.
    """
    prefix = rule.prefix
    if rule.interface == interface:
        return "it asks on the same link, where each address answers for itself"
    if prefix.length == 0:
        return "prefix64 serves what it is told: name the prefix that arrives, with --prefix"
    try:
        parseServedPrefix(str(_around(prefix)))
    except AddressError as error:
        return str(error)
    for other, elsewhere in taken:
        if other.overlaps(_around(prefix)) and elsewhere != interface:
            return f"{other} is served on {elsewhere}, and a prefix arrives on one interface"
    return None


def _around(prefix: Prefix) -> Prefix:
    """
    What is served of a prefix: itself, or the /127 around a single address.
    """
    if prefix.length <= LONGEST_SERVED:
        return prefix
    shift = ADDRESS_BITS - LONGEST_SERVED
    return Prefix(prefix.network >> shift << shift, LONGEST_SERVED)


def _serve(served: Served, rules: list[Rule], remarks: list[Remark]) -> list[Rule]:
    """
    Find the prefixes, and what of them no rule has.

    @return: the rules that are inside.
    """
    merged = set(mergePrefixes([rule.prefix for rule in rules]))
    around = dict.fromkeys(_around(rule.prefix) for rule in rules if rule.prefix in merged)
    served.prefixes = list(around)[:MOST_PREFIXES]
    for prefix in served.prefixes:
        if prefix not in merged:
            both = (Prefix(prefix.network, ADDRESS_BITS), Prefix(prefix.last, ADDRESS_BITS))
            served.excluded += [address for address in both if address not in merged]
    inside = PrefixSet(served.prefixes)
    outside = tuple(rule.line for rule in rules if rule.prefix.network not in inside)
    if outside:
        text = (
            f"{served.interface} has too many rules: at most {MOST_PREFIXES} prefixes are served "
            "on an interface. One that has several rules in it serves them too"
        )
        remarks.append(Remark(outside, text, isMissed=True))
    return [rule for rule in rules if rule.prefix.network in inside]


def _forward(served: Served, rules: list[Rule], static: str | None) -> None:
    """
    Find what lives behind this host.
    """
    served.followsRoutes = any(rule.method == AUTO for rule in rules)
    served.forwarded = mergePrefixes([rule.prefix for rule in rules if isBehind(rule, static)])
    served.ownsNothing = all(rule.method == AUTO or isBehind(rule, static) for rule in rules)


def isBehind(rule: Rule, static: str | None) -> bool:
    """
    Tell whether all of a rule is taken for what lives behind this host. So is one by C{auto} that
    is longer than a subnet's /64: its route is for all of it or more, and C{--forward auto} follows
    only routes for less than the prefix.
    """
    if rule.method == IFACE:
        return True
    if rule.method == STATIC and static is not None:
        return static == FORWARD
    return rule.prefix.length > SUBNET_BITS


def _remarks(served: Served, rules: list[Rule], static: str | None) -> Iterator[Remark]:
    """
    What becomes of the rules of each method, each once.
    """
    lines: dict[str, list[int]] = {}
    for rule in rules:
        lines.setdefault(_what(rule, served, static), []).append(rule.line)
    for text, places in lines.items():
        yield Remark(tuple(places), f"{served.interface}, {text}")


def _what(rule: Rule, served: Served, static: str | None) -> str:
    """
    Say what becomes of a rule.
    """
    other = f"by another interface than {served.interface}"
    answered = f"answered for while the kernel routes it {other}"
    if rule.method == IFACE:
        return (
            f"iface {rule.interface}: {answered} (where there is no route: ip -6 route add PREFIX "
            f"dev {rule.interface}). {rule.interface} is not asked first"
        )
    if rule.method == AUTO and isBehind(rule, static):
        return f"auto: {answered}, and so is each part of it"
    if rule.method == AUTO:
        rest = (
            "is so, too (--respond hosts)"
            if served.ownsNothing
            else "takes it for this host's own: --exclude what it must not have"
        )
        return (
            "auto: what the kernel routes by another interface is answered for and left to that "
            f"route. ndppd was silent for the rest; prefix64 {rest}"
        )
    if isBehind(rule, static):
        return (
            f"static: taken for what lives behind this host, and {answered}. If it is this host's "
            f"own, leave its --forward out, {_AGAIN} {OWN}"
        )
    if any(prefix.covers(rule.prefix) for prefix in served.forwarded):
        return "static: is inside a prefix that is forwarded, and goes where the kernel routes it"
    return (
        "static: taken for this host's own, whose local route is made by prefix64. If it lives "
        "behind this host, add --forward with the prefix (or auto, for parts of it), "
        f"{_AGAIN} {FORWARD}"
    )


def written(prefix: Prefix) -> str:
    """
    A prefix with its length, also where that is 128.
    """
    return f"{formatAddress(prefix.network)}/{prefix.length}"
