"""
What an ndppd.conf means to ndppd 0.2.5: the interfaces it listens on, and the rules of each.

Of two proxies on an interface ndppd asks the rules of the last alone; of a setting that stands
twice it takes the first.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NoReturn

from prefix64.addressing import ADDRESS_BITS, Prefix
from prefix64.errors import NdppdError
from prefix64.ndppd.model import AUTO, IFACE, STATIC, Configuration, Proxy, Remark, Rule
from prefix64.ndppd.reading import Setting, quoted
from prefix64.ndppd.words import READ, WORDS, Place, Word

_METHODS = (IFACE, AUTO, STATIC)

_ADDRESS = re.compile(r"([0-9A-Fa-f:]+)(?:/([0-9]{1,3}))?")
"""What ndppd takes for an address: it has no dots."""

_NEVER_IN_A_NAME = frozenset(" /:;,'\"\\")
_LONGEST_NAME = 15


def readConfiguration(settings: tuple[Setting, ...], file: str) -> Configuration:
    """
    Say what a file means.

    @param file: what an error calls it.
    @raise NdppdError: ndppd refuses it, or takes an address in it for another one.
    """
    return _Meaning(file).of(settings)


class _Meaning:
    """
    What is gathered on the way through the settings of a file.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._found = Configuration()
        self._told: dict[tuple[str, bool], list[int]] = {}

    def of(self, settings: tuple[Setting, ...]) -> Configuration:
        """
        Go through them.
        """
        proxies: dict[str, Proxy] = {}
        for setting in self._known(settings, Place.TOP):
            if setting.name == "proxy":
                proxy = self._proxy(setting)
                if earlier := proxies.pop(proxy.interface, None):
                    self._tell(earlier.line, f"proxy {proxy.interface} stands again in line "
                               f"{proxy.line}, and ndppd goes by that one alone")  # fmt: skip
                proxies[proxy.interface] = proxy
        self._found.proxies = list(proxies.values())
        self._found.remarks = [
            Remark(tuple(lines), text, isMissed) for (text, isMissed), lines in self._told.items()
        ]
        return self._found

    def _wrong(self, setting: Setting, what: str) -> NoReturn:
        """
        Say what is wrong with a setting.
        """
        raise NdppdError(f"{self._file}:{setting.line}: {what}")

    def _tell(self, line: int, text: str, isMissed: bool = False) -> None:
        """
        Have something told, once for all lines that it is the same for.
        """
        self._told.setdefault((text, isMissed), []).append(line)

    def _known(self, settings: tuple[Setting, ...], place: Place) -> Iterator[Setting]:
        """
        Those that have to be understood there; of the others it is told why not.
        """
        for setting in settings:
            word = WORDS.get(setting.name)
            if word is not None and place in word.places:
                self._tellWord(setting, word)
            elif setting.name in READ[place]:
                yield setting
            else:
                what = quoted(setting.name or setting.value)
                self._tell(setting.line, f"{what} is nothing that ndppd reads {place.value}")

    def _tellWord(self, setting: Setting, word: Word) -> None:
        """
        Tell what there is to say of a word.
        """
        isOff = word.isSwitch and not isYes(setting.value)
        later = ", which ndppd 0.2.5 does not read" if word.isLater else ""
        why = "it is off" if isOff else word.why
        self._tell(setting.line, f"{setting.name}{later}: {why}", word.isMissed and not isOff)

    def _proxy(self, setting: Setting) -> Proxy:
        """
        Read a proxy.
        """
        interface = self._interface(setting)
        router: bool | None = None
        rules = []
        for inner in self._known(setting.block or (), Place.PROXY):
            if inner.name == "rule":
                rules.append(self._rule(inner))
            elif router is None:
                router = self._router(inner)
            else:
                self._tell(inner.line, "router stands twice: ndppd takes the first")
        if not rules:
            self._tell(setting.line, f"proxy {interface} has no rule: ndppd answers nothing there")
        return Proxy(interface, router is not False, tuple(rules), setting.line)

    def _router(self, setting: Setting) -> bool:
        """
        Whether answers have the R flag.
        """
        if setting.value.lower() not in ("yes", "true", "no", "false"):
            self._tell(setting.line, f"router {quoted(setting.value)} is no: for ndppd only yes "
                       "and true are yes")  # fmt: skip
        return isYes(setting.value)

    def _rule(self, setting: Setting) -> Rule:
        """
        Read a rule.
        """
        prefix = self._prefix(setting)
        methods: dict[str, Setting] = {}
        for inner in self._known(setting.block or (), Place.RULE):
            if inner.name in methods:
                self._tell(inner.line, f"{inner.name} stands twice: ndppd takes the first")
            methods.setdefault(inner.name, inner)
        if len(methods) > 1:
            names = " and ".join(name for name in _METHODS if name in methods)
            self._wrong(setting, f"rule {prefix} has {names}: keep one (ndppd refuses it too)")
        if IFACE in methods:
            return Rule(prefix, IFACE, self._interface(methods[IFACE]), setting.line)
        if not methods:
            self._tell(setting.line, "a rule without a method is static for earlier versions of "
                       "ndppd, and so it is here; 0.2.5 refuses it")  # fmt: skip
        return Rule(prefix, AUTO if AUTO in methods else STATIC, "", setting.line)

    def _interface(self, setting: Setting) -> str:
        """
        The interface that a setting names.
        """
        name, value = setting.name, setting.value
        if not value:
            self._wrong(setting, f"{name} has no interface: write its name behind it")
        if not canBeInterface(value):
            self._wrong(
                setting,
                f"{name} {quoted(value)} is no interface's name: up to {_LONGEST_NAME} characters, "
                "and nothing behind it (ip link shows the names)",
            )
        return value

    def _prefix(self, setting: Setting) -> Prefix:
        """
        The address or prefix of a rule, without host bits, which ndppd does not look at either.
        """
        value = setting.value
        if not value:
            self._wrong(setting, "rule has no address: write an address or prefix behind it")
        match = _ADDRESS.fullmatch(value)
        try:
            if match is None:
                raise ValueError
            address = int(ipaddress.IPv6Address(match[1]))
            length = ADDRESS_BITS if match[2] is None else int(match[2])
            shift = ADDRESS_BITS - length
            prefix = Prefix(address >> shift << shift, length)
        except ValueError:
            self._wrong(
                setting,
                f"rule {quoted(value)} is no IPv6 address or prefix, and ndppd takes it for "
                "another one: write it as 2001:db8::/64",
            )
        if prefix.network != address:
            self._tell(setting.line, f"rule {value} is {prefix}")
        return prefix


def canBeInterface(name: str) -> bool:
    """
    Tell whether an interface may have a name: what the kernel allows, in visible ASCII, and without
    what is more likely a mistake.
    """
    if len(name) > _LONGEST_NAME or name in (".", ".."):
        return False
    return name.isascii() and name.isprintable() and _NEVER_IN_A_NAME.isdisjoint(name)


def isYes(value: str) -> bool:
    """
    Tell whether ndppd takes a value for yes.
    """
    return value.lower() in ("yes", "true")
