"""
An address in the forms that people use, with its prefix and its interface identifier told apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prefix64.addressing import (
    ADDRESS_BITS,
    SUBNET_BITS,
    Prefix,
    formatAddress,
    fullForm,
    reverseName,
)

Parts = tuple[str, str, str]
"""The text of an address in three: the prefix, a digit that is of both, the identifier."""

_TOKEN = re.compile("::|:|[0-9a-f]")


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """
    An address and the prefix that it is seen in.

    @ivar address: the address.
    @ivar prefix: the prefix.
    """

    address: int
    prefix: Prefix

    @property
    def canonical(self) -> str:
        """The text of RFC 5952."""
        return formatAddress(self.address)

    @property
    def full(self) -> str:
        """Eight groups of four digits."""
        return fullForm(self.address)

    @property
    def reverseName(self) -> str:
        """The name in C{ip6.arpa}."""
        return reverseName(self.address)

    @property
    def identifierBits(self) -> int:
        """How many bits stand behind the prefix."""
        return ADDRESS_BITS - self.prefix.length

    @property
    def identifier(self) -> int:
        """What stands behind the prefix."""
        return self.address - self.prefix.network

    @property
    def identifierText(self) -> str:
        """
        The identifier in groups of four digits from the right, no digit left out: C{0:cafe} of 20
        bits.
        """
        digits = f"{self.identifier:0{-(-self.identifierBits // 4)}x}"
        first = len(digits) % 4
        groups = [digits[i : i + 4] for i in range(first, len(digits), 4)]
        return ":".join([digits[:first], *groups] if first else groups)

    @property
    def identifierName(self) -> str:
        """
        What the bits behind the prefix are (RFC 4291 2.5): before the last 64, a subnet's number.
        """
        if self.prefix.length < SUBNET_BITS:
            return "Subnet and interface identifier"
        return "Interface identifier"

    def canonicalParts(self) -> Parts:
        """
        The canonical text, told apart.
        """
        return _toldApart(self.canonical, self.prefix.length)

    def fullParts(self) -> Parts:
        """
        The full text, told apart.
        """
        return _toldApart(self.full, self.prefix.length)

    def reverseNameParts(self) -> Parts:
        """
        The name in C{ip6.arpa}, told apart. It begins with the identifier, and so do the parts.
        """
        name = self.reverseName
        identifier = self.identifierBits // 4 * 2
        prefix = identifier + (2 if self.prefix.length % 4 else 0)
        return name[:identifier], name[identifier:prefix], name[prefix:]

    def asDict(self) -> dict[str, str | int]:
        """
        For JSON.
        """
        return {
            "address": self.canonical,
            "full": self.full,
            "reverseName": self.reverseName,
            "prefix": str(self.prefix),
            "prefixBits": self.prefix.length,
            "identifier": self.identifierText,
            "identifierBits": self.identifierBits,
        }


def bitCount(number: int) -> str:
    """
    A number of bits, in words.
    """
    return f"{number} bit" if number == 1 else f"{number} bits"


def _toldApart(text: str, length: int) -> Parts:
    """
    Cut the text of an address where the prefix ends. A colon belongs to what is left of it.

    @param text: the canonical or the full form. One with a dotted IPv4 part is all identifier.
    @param length: of the prefix, in bits.
    """
    if "." in text:
        return "", "", text
    left, _, right = text.partition("::")
    given = [len(group) for group in f"{left}:{right}".split(":") if group]
    missing = 8 - len(given)
    digits = iter(given)
    parts = ["", "", ""]
    bit = 0
    for token in _TOKEN.findall(text):
        if token.startswith(":"):
            parts[0 if bit <= length else 2] += token
            bit += 16 * missing if token == "::" else 0
            continue
        if bit % 16 == 0:
            bit += 16 - 4 * next(digits)
        parts[0 if bit + 4 <= length else 1 if bit < length else 2] += token
        bit += 4
    return parts[0], parts[1], parts[2]
