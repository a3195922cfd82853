"""
What there is to say of a connection's two addresses: the same for HTML, JSON and plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prefix64.addressing import ADDRESS_BITS, SUBNET_BITS, Prefix, formatAddress, parseAddress
from prefix64.errors import AddressError
from prefix64.hosts.table import HostTable, Match, Rule
from prefix64.web.address_facts import AddressFacts, bitCount

_REASONS = {
    Rule.ADDRESS: "the host rule for exactly this address",
    Rule.SUB_PREFIX: "the host rule for {matched}, which this address is in",
    Rule.DEFAULT: "no host rule applies to this address",
    Rule.REFUSED: "this address is not served here",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What the page says.

    @ivar server: the local address of the connection, in the served prefix.
    @ivar visitor: the peer, in its /64; L{None} if it has no IPv6 address.
    @ivar rule: which kind of host rule decided.
    @ivar matched: what the rule covers, or L{None} for the default.
    @ivar url: of this page.
    @ivar random: the URL of a random address of the served prefix that no host rule covers, or
        L{None} where none was found.
    """

    server: AddressFacts
    visitor: AddressFacts | None
    rule: Rule
    matched: str | None
    url: str
    random: str | None

    @property
    def reason(self) -> str:
        """Which rule decided, in words."""
        return _REASONS[self.rule].format(matched=self.matched)

    @property
    def addresses(self) -> int:
        """How many addresses the served prefix has."""
        return self.server.prefix.count

    def asDict(self) -> dict[str, object]:
        """
        For JSON. The number of addresses is a text, as it may be more than 2**53 (RFC 7493 2.2).
        """
        return {
            "url": self.url,
            "server": self.server.asDict(),
            "visitor": None if self.visitor is None else self.visitor.asDict(),
            "rule": {"kind": self.rule.value, "matched": self.matched, "reason": self.reason},
            "served": {"prefix": str(self.server.prefix), "addresses": str(self.addresses)},
            "random": self.random,
        }

    def asText(self) -> str:
        """
        For a terminal: a line for each fact, the values in one column.
        """
        visitor = ["  not an IPv6 address"]
        if self.visitor is not None:
            visitor = _lines(_addressRows(self.visitor))
        rows = [
            ("Rule", self.rule.value),
            ("Matched", self.matched or "-"),
            ("Reason", self.reason),
            ("Served prefix", str(self.server.prefix)),
            ("Addresses", str(self.addresses)),
            ("This page", self.url),
            ("Random address", self.random or "none was found free"),
        ]
        return "\n".join(
            [
                *("This server", *_lines(_addressRows(self.server)), ""),
                *("You, the visitor (a /64 is assumed)", *visitor, ""),
                *("Why this page", *_lines(rows), ""),
            ]
        )


def _addressRows(facts: AddressFacts) -> list[tuple[str, str]]:
    """
    The lines of an address, each with its name.
    """
    return [
        ("Address", facts.canonical),
        ("Full form", facts.full),
        ("Reverse name", facts.reverseName),
        (f"Prefix, {bitCount(facts.prefix.length)}", str(facts.prefix)),
        (f"Identifier, {bitCount(facts.identifierBits)}", facts.identifierText),
    ]


def _lines(rows: list[tuple[str, str]]) -> list[str]:
    """
    Indent the names, and put the values into one column.
    """
    return [f"  {name:<20}  {value}" for name, value in rows]


def pageUrl(address: int, port: int, secure: bool) -> str:
    """
    The URL of an address's page, with the port unless it is the scheme's own.
    """
    scheme, usual = ("https", 443) if secure else ("http", 80)
    colonPort = "" if port == usual else f":{port}"
    return f"{scheme}://[{formatAddress(address)}]{colonPort}/"


def _visitorFacts(peer: str | None) -> AddressFacts | None:
    """
    @param peer: the text of an address. A zone (the part after %) names an interface of this
        machine, and is left out.
    """
    if peer is None:
        return None
    try:
        address = parseAddress(peer.partition("%")[0])
    except AddressError:
        return None
    return AddressFacts(address, _around(address, SUBNET_BITS))


def _around(address: int, length: int) -> Prefix:
    """
    The prefix of a length that an address is in.
    """
    shift = ADDRESS_BITS - length
    return Prefix(address >> shift << shift, length)


def connectionFacts(
    match: Match,
    table: HostTable,
    peer: str | None,
    port: int,
    secure: bool,
    randomBits: Callable[[int], int],
) -> Facts:
    """
    Collect what there is to say of a connection.

    @param match: what the table says of the local address.
    @param peer: the text of the peer's address; L{None} or another family's for a visitor that has
        no IPv6 address.
    @param port: the local port.
    @param secure: whether the connection is TLS.
    @param randomBits: given a number of bits, an integer of as many random ones.
    @raise AddressError: the local address is in no served prefix. A match that has a site is in
        one.
    """
    prefix = table.ownership.prefixOf(match.address)
    if prefix is None:
        raise AddressError(f"{formatAddress(match.address)} is in no served prefix")
    drawn = table.randomAddress(prefix, randomBits)
    return Facts(
        server=AddressFacts(match.address, prefix),
        visitor=_visitorFacts(peer),
        rule=match.rule,
        matched=None if match.matched is None else str(match.matched),
        url=pageUrl(match.address, port, secure),
        random=None if drawn is None else pageUrl(drawn, port, secure),
    )
