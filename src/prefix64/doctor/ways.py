"""
In which way prefix64 is judged: as the user says; else as the one that runs was told; else as the
kernel has it. Texts of options go in, and settings come out.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from prefix64.errors import OptionError
from prefix64.options.link import DEFAULTS, linkSettings
from prefix64.routing.entries import (
    ICMPV6_PROTOCOL,
    MAIN_TABLE,
    MARK,
    PRIORITY,
    TABLE,
    Proxy,
    Rule,
    Way,
)
from prefix64.settings import LinkSettings, NdpMode

_OF_A_WAY = ("ports", "fwmark")
_OF_A_PREFIX = ("exclude", "forward")


def texts(link: LinkSettings) -> dict[str, Any]:
    """
    The options that make some settings, as far as they matter here.
    """
    steering, numbers = link.steering, link.steering.numbers
    found: dict[str, Any] = {
        "iface": link.interface,
        "prefix": list(map(str, link.prefixes)),
        "exclude": list(map(str, link.excluded)),
        "forward": [*map(str, link.behind), *(["auto"] if link.followsRoutes else [])],
        "routing": steering.way.value,
        "table": str(numbers.table),
        "priority": str(numbers.priority),
        "ndp": link.ndp.value,
        "respond": link.respond.value,
        "local": link.local,
    }
    if link.echo is not None:
        found["echo"] = link.echo.value
    if steering.way is Way.PORTS:
        found["ports"] = ",".join(map(str, steering.services))
    if steering.way is Way.FWMARK:
        found["fwmark"] = str(numbers.mark)
    return found


def judged(given: Mapping[str, Any], running: Mapping[str, Any]) -> LinkSettings:
    """
    Put together what the user says and what else is known. What contradicts the user's words is
    left out of the rest.

    @param given: options of the user's.
    @param running: those of the instance that runs.
    @raise OptionError: the user's are wrong.
    """
    rest = {name: value for name, value in running.items() if name not in _OF_A_PREFIX}
    errors = []
    for base in (running, rest, {}):
        try:
            return linkSettings(_together(given, base))
        except OptionError as error:
            errors.append(error)
    raise errors[0]


def _together(given: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """
    The user's words, and the rest where they say nothing.
    """
    other = given.get("routing", base.get("routing")) != base.get("routing")
    kept = {name: v for name, v in base.items() if not (other and name in _OF_A_WAY)}
    return {**kept, **given}


def derived(
    rules: Collection[Rule],
    proxies: Collection[Proxy],
    interface: str,
    isMarked: Callable[[int], bool],
) -> dict[str, Any]:
    """
    Tell from the kernel's rules and proxies how an instance runs whose command line is not known.

    @param rules: those with our protocol.
    @param proxies: those with our protocol.
    @param isMarked: whether that instance leads firewall marks to a table.
    @return: the options that can be told; nothing of routing, if there is no rule.
    """
    found: dict[str, Any] = {}
    mine = [rule for rule in rules if rule.interface == interface and not rule.drops]
    mine = [rule for rule in mine if rule.table != MAIN_TABLE]
    marks = [rule for rule in rules if rule.mark and isMarked(rule.table)]
    services = {rule.service for rule in mine if rule.service is not None}
    named = sorted(one for one in services if one.protocol != ICMPV6_PROTOCOL)
    if services:
        found = {"routing": Way.PORTS.value, "ports": ",".join(map(str, named))}
    elif mine:
        found = {"routing": Way.INPUT.value}
    elif marks:
        found = {"routing": Way.FWMARK.value, "fwmark": str(marks[0].mark)}
    for rule in (mine or marks)[:1]:
        found |= {"table": str(rule.table), "priority": str(rule.priority)}
    if any(proxy.interface == interface for proxy in proxies):
        found["ndp"] = NdpMode.KERNEL.value
    return found


def words(link: LinkSettings) -> Iterator[str]:
    """
    The options that are not the default, but for those that name what is served.
    """
    defaults = {**DEFAULTS, "table": str(TABLE), "priority": str(PRIORITY), "fwmark": str(MARK)}
    for name, value in texts(link).items():
        if name in ("iface", "prefix", "exclude") or value == defaults.get(name):
            continue
        if isinstance(value, list):
            yield from (f"--{name} {shlex.quote(one)}" for one in value)
        elif value is True:
            yield f"--{name}"
        elif value:
            yield f"--{name} {shlex.quote(value)}"


def contradictions(link: LinkSettings, running: LinkSettings) -> list[str]:
    """
    In which options the one that runs is another than the one that is judged.

    @return: for each, how it runs, in words.
    """
    wanted, has = texts(link), texts(running)
    names = [name for name in ("routing", "ports", "fwmark", "table", "priority", "ndp", "forward")
             if wanted.get(name) != has.get(name)]  # fmt: skip
    return [_option(name, has.get(name)) for name in names]


def _option(name: str, value: Any) -> str:
    """
    One option in words.
    """
    if isinstance(value, list):
        value = " ".join(value)
    return f"--{name} {value}" if value else f"no --{name}"
