"""
What is wanted in the kernel as commands: the words of ip(8), sysctl(8) and nft(8) that do the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prefix64.addressing import ADDRESS_BITS, Prefix, formatAddress, mergedRanges
from prefix64.routing.entries import (
    GUARD_CHAIN,
    GUARD_PRIORITY,
    GUARD_SET,
    PROTOCOL,
    GuardKind,
    GuardTable,
    Proxy,
    Route,
    Rule,
    Sysctl,
)

Entry = Route | Rule | Proxy | Sysctl
"""What one command adds, deletes or sets."""

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_NOT_IN_NFT_NAMES = re.compile(r"[^A-Za-z0-9/\\_.-]")
_ELEMENTS = 100
"""How many ranges one command puts into the set: a line of a few kilobytes."""

_ECHO_REQUEST = {
    GuardKind.PROTOCOL: "ip6 nexthdr 58 @nh,320,8 128",
    GuardKind.NONE: "icmpv6 type echo-request",
}


@dataclass(frozen=True)
class Command:
    """
    One command.

    @ivar words: the program's name, and its arguments.
    @ivar reason: why, in a few words; or the empty string.
    """

    words: tuple[str, ...]
    reason: str = ""

    @property
    def shellWords(self) -> str:
        """The command as sh(1) takes it."""
        return " ".join(map(quoted, self.words))

    def __str__(self) -> str:
        return f"{self.shellWords}  # {self.reason}" if self.reason else self.shellWords


def adding(entry: Entry) -> Command:
    """
    The command that adds something, or sets it.
    """
    return _command(entry, "add")


def deleting(entry: Entry) -> Command:
    """
    The command that deletes something; of a switch, the command that sets it.
    """
    return _command(entry, "del")


def _command(entry: Entry, verb: str) -> Command:
    """
    One command of ip(8) or sysctl(8). No name of an interface has a blank in it.
    """
    words = tuple(str(entry).split(" "))
    if isinstance(entry, Sysctl):
        return Command(("sysctl", "-w", str(entry)), entry.reason)
    protocol = ("protocol", str(PROTOCOL))
    if isinstance(entry, Rule):
        return _ruleCommand(entry, verb, words, protocol)
    kind = "neigh" if isinstance(entry, Proxy) else "route"
    return Command(("ip", "-6", kind, verb, *words, *protocol), entry.reason)


def _ruleCommand(
    rule: Rule, verb: str, words: tuple[str, ...], protocol: tuple[str, ...]
) -> Command:
    """
    A command for a rule. A transport protocol is a number: ip(8) knows its name only where there is
    an /etc/protocols. An interface may have any name, and is the second word.
    """
    found, reason = list(words), rule.reason
    if rule.service is not None:
        found[found.index("ipproto", 2) + 1] = str(rule.service.protocol)
        reason = f"{reason} ({rule.service})" if reason else str(rule.service)
    priority = ("priority", str(rule.priority))
    return Command(("ip", "-6", "rule", verb, *found, *priority, *protocol), reason)


def guarding(table: GuardTable) -> Iterator[Command]:
    """
    The commands that make the echo guard, but for its owner: nft(8) can give it none that stays.

    @param table: of an interface that L{canBeGuarded}.
    """
    named = ("ip6", guardName(table.interface))
    yield Command(("nft", "add", "table", *named), table.reason)
    definition = "{ type ipv6_addr; flags interval; }"
    yield Command(("nft", "add", "set", *named, GUARD_SET, definition), "whose ping is not ours")
    for elements in _chunks([_range(*ends) for ends in mergedRanges(table.others)]):
        text = f"{{ {', '.join(elements)} }}"
        yield Command(("nft", "add", "element", *named, GUARD_SET, text), "not ours")
    hook = f"{{ type filter hook {GUARD_CHAIN} priority {GUARD_PRIORITY}; policy accept; }}"
    reason = "before fragments are put together"
    yield Command(("nft", "add", "chain", *named, GUARD_CHAIN, hook), reason)
    name = re.sub(r"\*$", r"\\*", table.interface)  # nft(8) takes a star there for any letters
    for prefix in table.prefixes:
        rule = (
            f'iifname "{name}" ip6 daddr {prefix} {_ECHO_REQUEST[table.kind]} '
            f"ip6 daddr != @{GUARD_SET} counter drop"
        )
        yield Command(("nft", "add", "rule", *named, GUARD_CHAIN, rule), "the kernel's echo")


def guardName(interface: str) -> str:
    """
    The name of the guard's table for nft(8), which has fewer letters for it than the kernel.
    """
    return "prefix64-" + _NOT_IN_NFT_NAMES.sub("_", interface)


def canBeGuarded(interface: str) -> bool:
    """
    Tell whether nft(8) can write the name of an interface: it has no way to write a quotation mark.
    """
    return '"' not in interface


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    """
    A list in parts.
    """
    return (texts[i : i + _ELEMENTS] for i in range(0, len(texts), _ELEMENTS))


def _range(first: int, behind: int) -> str:
    """
    A range of addresses for nft(8), as a prefix if it is one.
    """
    size = behind - first
    if not size & (size - 1) and not first % size:
        return str(Prefix(first, ADDRESS_BITS - size.bit_length() + 1))
    return f"{formatAddress(first)}-{formatAddress(behind - 1)}"


def quoted(word: str) -> str:
    """
    A word for sh(1), and fit to be printed: what is no printable ASCII is written by printf(1).
    """
    if _PLAIN.fullmatch(word):
        return word
    if word.isascii() and word.isprintable():
        return "'" + word.replace("'", "'\\''") + "'"
    octal = "".join(f"\\{byte:03o}" for byte in word.encode("utf-8", "surrogateescape"))
    return f"\"$(printf '{octal}')\""
