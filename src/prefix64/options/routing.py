"""
The texts of the options about routing read as values, each checked before anything is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefix64.addressing import ADDRESS_BITS, Prefix, parsePrefix
from prefix64.errors import OptionError
from prefix64.hosts.model import Host
from prefix64.option_text import OptionText
from prefix64.options.values import choice, namedPrefix, shortened, wholeNumber
from prefix64.routing.entries import (
    MARK,
    PRIORITY,
    SERVICE_PROTOCOLS,
    TABLE,
    Numbers,
    Service,
    Steering,
    Way,
)
from prefix64.routing.plan import MOST_PROXIES
from prefix64.settings import LinkSettings, NdpMode

MOST_SERVICES = 64
"""The most entries of C{--ports}: each is a rule, which the kernel compares with every packet."""

MOST_FORWARDED = 256
"""The most times that C{--forward} is given."""

HIGHEST_PRIORITY = 32_764
"""The main table's rule has 32766, and there may be one more of ours behind the others."""

_KERNELS_TABLES = (253, 254, 255)
_LARGEST = 999_999_999
_LAST_PORT = 65_535


def steering(given: Mapping[str, Any]) -> Steering:
    """
    Read how packets become this host's own.

    @param given: texts by the names of options; what was not given is missing, or L{None}.
    @raise OptionError: one is wrong, or contradicts another.
    """
    word = given.get("routing")
    way = Way.INPUT if word is None else choice("routing", Way, word)
    ports, mark = given.get("ports"), given.get("fwmark")
    if (ports is None) is (way is Way.PORTS):
        raise OptionError(
            OptionText(
                "{routing:ports} needs {ports}: what is taken, such as {ports:tcp:80,tcp:443}"
            )
            if ports is None
            else OptionText("{ports:{0}} needs {routing:ports}", shortened(ports))
        )
    if mark is not None and way is not Way.FWMARK:
        raise OptionError(OptionText("{fwmark:{0}} needs {routing:fwmark}", shortened(mark)))
    return Steering(way, () if ports is None else services(ports), _numbers(given))


def _numbers(given: Mapping[str, Any]) -> Numbers:
    """
    Read the table, the priority and the mark.
    """
    table = _number(given, "table", TABLE, _LARGEST)
    if table in _KERNELS_TABLES:
        raise OptionError(
            OptionText("{table:{0}}: 253 to 255 are the kernel's own: choose another one", table)
        )
    priority = _number(given, "priority", PRIORITY, HIGHEST_PRIORITY)
    return Numbers(table, priority, _number(given, "fwmark", MARK, _LARGEST))


def _number(given: Mapping[str, Any], option: str, default: int, most: int) -> int:
    """
    Read a number from 1 on.
    """
    text = given.get(option)
    return default if text is None else wholeNumber(option, text, 1, most)


def services(text: str) -> tuple[Service, ...]:
    """
    Read protocols and ports: C{tcp:80,tcp:8000-8100,udp}.

    @return: in order, each once.
    @raise OptionError: one is wrong, or there are too many.
    """
    parts = text.split(",")
    if len(parts) > MOST_SERVICES:
        raise OptionError(
            OptionText("{ports}: {0} entries: at most {1}", len(parts), MOST_SERVICES)
        )
    return tuple(dict.fromkeys(_service(part.strip()) for part in parts))


def _service(text: str) -> Service:
    """
    Read a protocol with a port, a range of ports, or none.
    """
    protocols = ", ".join(SERVICE_PROTOCOLS)
    found = re.fullmatch(r"([a-z]+)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?", text)
    if found is None or found[1] not in SERVICE_PROTOCOLS:
        raise OptionError(
            OptionText(
                "{ports:{0!r}}: give a protocol of {1}, and a port or a range, "
                "such as tcp:80 or udp:6000-6100 (ICMPv6 is always taken)",
                shortened(text),
                protocols,
            )
        )
    if found[2] is None:
        return Service(SERVICE_PROTOCOLS[found[1]])
    first, last = int(found[2]), int(found[3] or found[2])
    if not 1 <= first <= last <= _LAST_PORT:
        raise OptionError(
            OptionText(
                "{ports:{0!r}}: ports are from 1 to {1}, and a range begins with the lower one",
                shortened(text),
                _LAST_PORT,
            )
        )
    return Service(SERVICE_PROTOCOLS[found[1]], first, last)


def forwarded(
    texts: Iterable[str], prefixes: Sequence[Prefix], excluded: Sequence[Prefix]
) -> tuple[tuple[Prefix, ...], bool]:
    """
    Read what lives behind this host.

    @param texts: addresses, prefixes and C{auto}.
    @return: the parts in order, each once; and whether C{auto} was among them.
    @raise OptionError: one is no address or prefix, lies in no served prefix, or is excluded.
    """
    words = list(dict.fromkeys(texts))
    blocks = [namedPrefix("forward", parsePrefix, text) for text in words if text != "auto"]
    if len(blocks) > MOST_FORWARDED:
        raise OptionError(
            OptionText("{forward}: {0} parts: at most {1}", len(blocks), MOST_FORWARDED)
        )
    for block in blocks:
        if not any(prefix.covers(block) for prefix in prefixes):
            raise OptionError(
                OptionText(
                    "{forward:{0}} is in none of the prefixes ({1}): leave it out",
                    block,
                    ", ".join(map(str, prefixes)),
                )
            )
        for other in excluded:
            if other.overlaps(block):
                raise OptionError(
                    OptionText(
                        "{forward:{0}} contradicts {exclude:{1}}: leave one out", block, other
                    )
                )
    return tuple(dict.fromkeys(blocks)), "auto" in words


def checkPorts(link: LinkSettings, http: Iterable[int | str]) -> None:
    """
    See that what listens can be reached.

    @raise OptionError: C{--ports} leaves a port of HTTP out.
    """
    if link.steering.way is not Way.PORTS:
        return
    for port in http:
        isTaken = any(one.has(SERVICE_PROTOCOLS["tcp"], port) for one in link.steering.services
                      if isinstance(port, int))  # fmt: skip
        if isinstance(port, int) and not isTaken:
            words = ",".join(map(str, link.steering.services))
            raise OptionError(
                OptionText(
                    "{http:{0}} is in none of {ports:{1}}, so that nobody would reach it: "
                    "add tcp:{0}",
                    port,
                    words,
                )
            )


def checkProxied(link: LinkSettings, hosts: Iterable[Host]) -> None:
    """
    See that the kernel can be the proxy of every host.

    @raise OptionError: one is a sub-prefix, or there are too many.
    """
    if link.ndp is not NdpMode.KERNEL:
        return
    mine = [host.prefix for host in hosts if any(p.covers(host.prefix) for p in link.prefixes)]
    for prefix in mine:
        if prefix.length != ADDRESS_BITS:
            raise OptionError(
                OptionText(
                    "{ndp:kernel}: the kernel answers for single addresses only, and {0} is a "
                    "sub-prefix: leave {ndp:kernel} out, or that one",
                    prefix,
                )
            )
    if len(mine) > MOST_PROXIES:
        raise OptionError(
            OptionText(
                "{ndp:kernel}: {0:,} hosts: the kernel answers for at most {1:,}, "
                "which it looks through one by one: leave {ndp:kernel} out",
                len(mine),
                MOST_PROXIES,
            )
        )
