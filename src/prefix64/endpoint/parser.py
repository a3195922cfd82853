r"""
The description of an endpoint: C{prefix64:80:prefix=2001\:db8\:\:/64:iface=eth0}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefix64.addressing import Prefix, parsePrefix
from prefix64.endpoint.listening import PrefixEndpoint
from prefix64.endpoint.sharing import SharedLinks
from prefix64.endpoint.wanted import Wanted
from prefix64.endpoint.words import EndpointError, escaped, inEndpointWords, sayInOneLine
from prefix64.errors import Prefix64Error
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.icmpv6.policies import RespondPolicy
from prefix64.options.link import FLAGS, LISTS, WORDS, linkSettings
from prefix64.options.routing import checkPorts, checkProxied
from prefix64.options.values import (
    absolutePath,
    defaultStateDirectory,
    namedPrefix,
    shortened,
    wholeNumber,
)
from prefix64.ownership import Owner, Ownership
from prefix64.settings import LinkSettings, NdpMode
from prefix64.web.listening import BACKLOG

SHARED = SharedLinks()
"""The interfaces that endpoints of this process serve."""

MOST_BACKLOG = 65_535
_LAST_PORT = 65_535
_YES, _NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")
_OWN = ("port", "hosts", "backlog", "state")
_NAMES = (*_OWN, *WORDS, *LISTS, *FLAGS)
_EXAMPLE = "such as prefix64:80:prefix=2001\\:db8\\:\\:/64:iface=eth0"


def parseEndpoint(
    reactor: Any, arguments: Iterable[str], named: Mapping[str, str], links: SharedLinks = SHARED
) -> PrefixEndpoint:
    """
    Read a description. Only the values are checked: the interface need not be there yet.

    @param arguments: what has no name: the port.
    @param named: the others; C{na_source} is C{na-source}.
    @raise EndpointError: one is wrong, or contradicts another.
    """
    try:
        return _endpoint(reactor, tuple(arguments), named, links)
    except Prefix64Error as error:
        sayInOneLine()
        raise EndpointError(inEndpointWords(error)) from None


def _endpoint(
    reactor: Any, arguments: tuple[str, ...], named: Mapping[str, str], links: SharedLinks
) -> PrefixEndpoint:
    """
    Read a description.

    @raise Prefix64Error: something is wrong, in the words of the command line.
    """
    given = _named(named)
    port = _port(arguments, given)
    settings = linkSettings(_ofTheInterface(given))
    hosts = _hosts(_list(given.get("hosts")), settings)
    checkPorts(settings, (port,) if port else ())
    checkProxied(settings, hosts)
    _checkHosts(settings, hosts)
    state = given.get("state")
    directory = defaultStateDirectory() if state is None else absolutePath("state", state)
    backlog = wholeNumber("backlog", given.get("backlog", str(BACKLOG)), 1, MOST_BACKLOG)
    return PrefixEndpoint(reactor, port, Wanted(settings, hosts, directory), links, backlog)


def _named(named: Mapping[str, str]) -> dict[str, str]:
    """
    The arguments by their names on the command line.

    @raise EndpointError: there is no such argument, or one is there in both spellings.
    """
    given: dict[str, str] = {}
    for word, text in named.items():
        name = word.replace("_", "-")
        if name not in _NAMES:
            raise EndpointError(
                f"{shortened(word)!r} is no argument of prefix64; there are: "
                f"{', '.join(sorted(_NAMES))}"
            )
        if name in given:
            raise EndpointError(f"{name} is given twice: leave one out")
        given[name] = text
    return given


def _port(arguments: tuple[str, ...], given: Mapping[str, str]) -> int:
    """
    Read the port.

    @raise Prefix64Error: there is none, it is none, or more than it has no name.
    """
    texts = (*arguments, given["port"]) if "port" in given else arguments
    if not texts:
        raise EndpointError(f"there is no port: {_EXAMPLE}")
    if len(texts) > 1:
        raise EndpointError(_whatHasNoName(texts[1], given))
    return wholeNumber("port", texts[0], 0, _LAST_PORT)


def _whatHasNoName(text: str, given: Mapping[str, str]) -> str:
    """
    What to do about something that is not the port and has no name: what stands behind a colon of
    an address, or a flag.
    """
    if text in FLAGS:
        return f"{text} has no value: write {text}=yes"
    if any(name in given for name in ("prefix", "exclude", "forward", "hosts", "ports")):
        return f"{shortened(text)!r} has no name: colons of addresses are written \\:, {_EXAMPLE}"
    return f"{shortened(text)!r} has no name: only the port has none, {_EXAMPLE}"


def _ofTheInterface(given: Mapping[str, str]) -> dict[str, Any]:
    """
    The arguments as L{linkSettings} takes them.

    @raise EndpointError: one that is yes or no is neither.
    """
    return {
        **{name: given[name] for name in WORDS if name in given},
        **{name: _list(given.get(name)) for name in LISTS},
        **{name: _flag(name, given[name]) for name in FLAGS if name in given},
    }


def _list(text: str | None) -> list[str]:
    """
    Read several values with commas between them.
    """
    return [] if text is None else [part.strip() for part in text.split(",")]


def _flag(name: str, text: str) -> bool:
    """
    Read yes or no.

    @raise EndpointError: it is neither.
    """
    if text not in (*_YES, *_NO):
        raise EndpointError(f"{name}={escaped(shortened(text))}: choose one of yes, no")
    return text in _YES


def _hosts(texts: Iterable[str], settings: LinkSettings) -> tuple[Host, ...]:
    """
    Read which addresses and sub-prefixes are in use.

    @raise Prefix64Error: one is no address or prefix, or is not ours.
    """
    ownership = Ownership(settings.prefixes, settings.excluded)
    blocks = dict.fromkeys(namedPrefix("hosts", parsePrefix, text) for text in texts)
    return tuple(Host(_ours(block, ownership), WelcomeSite()) for block in blocks)


def _checkHosts(settings: LinkSettings, hosts: tuple[Host, ...]) -> None:
    """
    See that something is answered for.

    @raise EndpointError: only hosts are, and there is none.
    """
    if hosts:
        return
    if settings.ndp is NdpMode.KERNEL:
        raise EndpointError("ndp=kernel answers for hosts alone: name some with hosts=ADDRESS,...")
    if settings.respond is RespondPolicy.HOSTS:
        raise EndpointError("respond=hosts needs hosts: name some with hosts=ADDRESS,...")


def _ours(block: Prefix, ownership: Ownership) -> Prefix:
    """
    See that an address or sub-prefix is ours.

    @raise EndpointError: it is not.
    """
    if not any(prefix.covers(block) for prefix in ownership.prefixes):
        prefixes = ", ".join(map(str, ownership.prefixes))
        raise EndpointError(f"hosts: {block} is in none of the prefixes ({prefixes})")
    for other in ownership.excluded:
        if other.covers(block):
            raise EndpointError(f"hosts: {block} contradicts exclude {other}: leave one out")
    if block.count == 1 and ownership.of(block.network) is not Owner.OURS:
        raise EndpointError(f"hosts: {block} is {ownership.of(block.network).value}")
    return block
